"""What to say of a failure, where it is long."""

from __future__ import annotations

from mlops_lab.kit.next_pods import RESIZED_BY_HAND

BOOK = (
    "kubectl get pods has a word for what holds a pod up, kubectl describe pod the sentence. Pending: no node takes "
    "it, or a claim that it mounts has no volume; kubectl describe pvc and kubectl get storageclass then say why, and "
    "of a claim that is there hardly a field can be changed. Running, and started over and over: who ends it? A "
    "program that has ended by itself leaves an exit code and a last line in kubectl logs --previous; one that was "
    "killed because of a probe leaves that in the pod's events"
)
COLLECTOR = (
    "kubectl describe pod has the image's whole name in its events, and what the registry said to it; another "
    "Deployment of the same registry shows how such a name is written. A pod that was made by hand is nobody's once "
    "it is gone"
)
PUSHED = (
    "what is pushed for it, an image or a tag, is in the registry, and that is not of your namespace. The registry had "
    "the image of this release before, by a tag of its own"
)
OTHERS = (
    "somebody else reports to the book as well, and the reports are to be the collector's own: kubectl get "
    "pods,cronjobs shows what runs beside the four, also at night, such as a pod that was made by hand to try something"
)
MODEL = (
    "a pod in Init waits for an init container, whose log says for what: kubectl logs deploy/model -c wait-for-book. "
    "When the container itself ends without a word, kubectl describe pod has its last state, with reason and exit "
    "code: OOMKilled is a container that wanted more memory than its limit. 137 is 128 + 9, SIGKILL"
)
LARGE = (
    "memory that is only needed while a large request is computed counts as well: at the limit the container is "
    "killed in the middle of it, and all who wait get no answer. The program says at its top what it needs"
)
BUDGET = (
    "a container without a limit may take what the node has (a limit of 0 is none), and so may, in effect, one with a "
    "huge limit; the others on the node are then killed for it. Take from those that need less: kubectl top pods says "
    f"what they use; {RESIZED_BY_HAND}"
)
BOARD = (
    "kubectl logs deploy/board says why the program ended. What it reads from the environment is read when a "
    "container starts; and a container that has ended many times waits for up to five minutes before it is tried "
    "again: kubectl rollout restart deployment/board does not wait"
)
SHOWN = (
    "the minutes are the model's, and {minutes} of them, or more, are late. What the program was told is in its "
    "environment: kubectl exec deploy/board -- env"
)
ONE_BOOK = (
    "the board asks the book for it each time. Of two pods of the book each keeps in memory what it was told itself: "
    "whoever asks the other one does not get that"
)
HUNG = (
    "the process is there, the port is open, and no answer comes: only a liveness probe that asks for an answer "
    "notices. It must be patient while the program starts, and not for longer: a startup probe is for the first, the "
    "liveness probe for what comes after. An initial delay counts, too, where the book hangs early. From the first "
    "failed question to the kill it takes about periodSeconds times failureThreshold, and each question takes "
    "timeoutSeconds. A process that does nothing about being told to end is killed terminationGracePeriodSeconds later"
)
JUST_AFTER = (
    "a book may hang just after it has answered the probe. Then the first question that fails comes periodSeconds "
    "later, failureThreshold of them must fail, and the last one fails after timeoutSeconds. Then the container has "
    "terminationGracePeriodSeconds to end, those of the probe or else of the pod, and the book takes all of them: the "
    "first process of a container is not ended by SIGTERM unless it does something about it"
)
NO_DRILL = (
    "the file is for drills alone: a book that hangs in earnest makes none. What the probe is to notice is that it "
    "does not answer"
)
NO_FILE = (
    "this time there was no file of the drill: the book's process could open nothing more, so it took no connection. A "
    "book that hangs in earnest makes no file, and whoever the probe asks has to notice that the book does not answer"
)
AGAIN = (
    "a container that starts anew needs as long to read as the first one did, and finds in the volumes of its pod what "
    "the one before has left there, /tmp too if that is one: kubectl describe pod, kubectl logs --previous"
)
NEVER_CONTENT = (
    "a book that answers is killed by such a probe as well, a moment after it has opened, and so again and again: "
    "kubectl describe pod has it in the events. What the book knows its program says at the top; it speaks HTTP alone, "
    "and a probe asks the pod, at the pod's own port"
)
OUTSIDE = (
    "a class or a PersistentVolume that is made for the book is not of your namespace, nor is a folder of the node: "
    "kubectl get storageclass lists the classes that the cluster has for everybody, and how old each is"
)
FORGOTTEN = (
    "what is written into a container, or into a volume that lives and ends with its pod, is gone with the pod; a "
    "volume that outlives it is had by a PersistentVolumeClaim of its own"
)
