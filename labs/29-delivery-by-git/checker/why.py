"""Explanations that are long."""

from __future__ import annotations

GIVEN = (
    "service/, sealed/, holdout.json and sealing.pem on main are the team's: what follows the repository reads "
    "them, and writes notes, or branches of its own. lab reset 29 makes the repository as it was"
)
COMES_UP = (
    "what is on main has to run by itself once your programs do: kubectl get pods, and kubectl logs of your own"
    " pods. The repository is http://git/delays.git; its Secret has to be opened first, or the pods wait for it"
)
NOTED = (
    "whoever made the commit reads there what became of it: git notes --ref=delivery add -m accepted COMMIT, "
    "then git push origin refs/notes/delivery. The log of what follows the repository says what holds it up"
)
SERVED = "an accepted commit is what runs: all objects of service/ are applied as they are there, and Secrets opened"
APPLIED = "kubectl get deployment model -o yaml beside service/deployment.yaml shows what was not applied"
PRUNED = (
    "what a commit takes out of the repository goes from the cluster, too; nothing else knows that it is not "
    "wanted any more. The names are in the commits before it"
)
FIELDS = (
    "server-side apply takes a field away when the manager that gave it leaves it out: under one name for all commits, "
    "since another manager's fields stay. A merge alone never takes anything away. kubectl get service model -o yaml "
    "--show-managed-fields says whose a field is"
)
LEFT_ALONE = (
    "objects that were never in the repository belong to others: a follower that deletes all that it does not "
    "know deletes itself next"
)
ROLLED = (
    "the Deployment brings new pods before old ones end, if it is changed and not made anew. What is behind "
    "Service model must not change otherwise"
)
PUT_BACK = (
    "compare all the time, not only when there is a new commit: server-side apply with force=true takes back "
    "every field that the repository gives, whoever wrote it, and makes anew what was deleted. Also the Secret,"
    " by what is sealed"
)
STOPPED = (
    "a commit is tried beside what serves: its pods with a label that Service model does not select, asked by "
    "their own address. Wait for the reason why a container waits or ended, for readiness, then ask it all "
    "held-out flights, compare the answers with model.json, and ask without the key and with another. The note has the "
    "word for what is wrong, and why"
)
NO_TRAFFIC = (
    "each of these commits brought a model of its own name and as good as the one in service, so an answer by "
    "it, or none at all, is one that a passenger got from a commit that was to be stopped. What is tried must "
    "not have the labels that Service model selects, and what serves must not be touched before the verdict"
)
LEFTOVERS = (
    "what was made to try a commit goes again, whatever became of the commit: what makes pods (also if it has none), "
    "the pods, a Service for them, and its ConfigMaps and its Secret under whatever name: kubectl get all,cm,secrets"
)
STRANGERS = (
    "main is the team's: what follows the repository writes notes, or branches of its own. A commit that is refused "
    "stays on main until the team takes it back"
)
STILL = (
    "while a refused commit is the newest, the accepted one before it is what the cluster has to be like: what "
    "is put back is that. Pods go at any time, so who has just been started has to know from the repository "
    "what was decided"
)
MEANWHILE = (
    "a trial may take a minute, and somebody changes something by hand meanwhile: who tries and who puts back are two "
    "threads, or two programs, so that neither waits for the other"
)
WORSE = (
    "its log loss on holdout.json is more than 0.01 higher than that of the model in service, which is neither the "
    "first one that there was, nor that of the commit before. It starts, and answers as its model.json says; only a "
    "comparison tells, whatever the commit's message says. A revert is known by service/ and sealed/, both as they "
    "were in a commit that was accepted: refused files are none, nor is an old model with something else changed, be "
    "it a key that was sealed once more"
)
REVERTED = (
    "a revert brings back what has served: its files are those of a commit that was accepted (git rev-parse "
    "COMMIT:service COMMIT:sealed). That its model is worse by the held-out flights is known, and somebody wants it "
    "all the same"
)
OPENED = "sealed/key.yaml has another name and value: the Secret of that name is new, and the pods are given it"
IN_CLEAR = (
    "whoever can read the repository has the key. Notes, branches and tags count as well as main: what is "
    "opened belongs into a Secret in the cluster and nowhere else. A key that was pushed is burnt, and has to "
    "be replaced"
)
RIGHTS = (
    "whoever takes over a pod has what its ServiceAccount has, also a CronJob's. A Role (no ClusterRole for the "
    "whole cluster) with the kinds in service/ is enough; server-side apply asks for patch and create, and the private "
    "key can be mounted, so that nobody needs to read Secrets by the API"
)
STEPS = (
    "what the three files run in a clone of the change, one line after the other, is all that CI does: exit code 0, or "
    "another and why on the way out: what is printed for each change is no reason against one. origin/main is what is "
    "in service; the commit before the last is not, always, nor is the one where the change began: main moves on"
)
FORMS = (
    "GitHub Actions, GitLab CI and Jenkins take the same steps here: jobs.*.steps[].run, script and sh '...' "
    "have to be the same commands in the same order. GitLab's before_script and after_script are not looked at"
)
