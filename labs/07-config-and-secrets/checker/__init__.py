"""Lab 07: what partners are answered with which key, before and after the checker has changed Secret and ConfigMap.

The checker plays the vault and the analysts, and puts both objects back as it found them. No report shows a key.
"""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation, check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.kit.answering import must_answer
from mlops_lab.kit.debuggers import undebugged
from mlops_lab.kit.deployments import exists, owned_pods
from mlops_lab.kit.pods import every_container, leaving
from mlops_lab.kit.predictions import Predictions
from mlops_lab.kit.prerequisites import must

from .exposure import in_logs, nowhere, shown
from .inside import asked_inside
from .keys import (
    SECRET,
    all_refused,
    answered,
    asked_with,
    expect_changeable,
    ill_asked,
    in_words,
    key_in_source,
    nearly,
    read_keys,
    statuses,
)
from .loading import not_ready_yet
from .scenario import rotated
from .sync import in_force
from .threshold import FLIGHTS, SETTINGS, THRESHOLD, changed, judged_by, number
from .why import HASHED, why_let_in, why_not_followed, why_not_let_in, why_not_served

READY_WITHIN = 120  # s, for pods that were applied just before
DOMAINS = ("ckad/environment-configuration-and-security",)


@check(points=1, owns="model", domains=(*DOMAINS, "ckad/services-and-networking"))
async def lets_partners_in(lab: Lab) -> None:
    """With the key of Secret `api-key`, POST /predict is answered with v1's probabilities, whichever pod answers.

    The checker waits up to 120 s until the pods of Deployment `model` are ready, takes the entry `key` of the Secret
    (white space at its ends is not part of it), and asks for 40 flights that you don't see. What was applied just
    before has 60 s to come into force. GET /readyz must be answered with 200 without a key, and a copy of a pod whose
    model takes long to load must answer 503, if at all. The pods of the Deployment alone stand behind the Service, in
    their given image, and their first containers answer.
    """
    await exists(lab)
    # Without the pods' logs as evidence, for a key may be in them.
    expect(await lab.objects.deployment("model").rolled_out(within=READY_WITHIN)).because(
        "kubectl describe pod says in its events what holds a pod up (a Secret or ConfigMap that is not there, say), "
        "kubectl logs what the server says about it"
    )
    keys = await lab.once(read_keys)
    found = await in_force(
        lab,
        lambda: statuses(lab, keys.current),
        lambda seen: set(seen) == {200},
        expected="each of 20 requests with the Secret's key is answered with 200",
        shown=in_words,
    )
    expect(found).because(why_not_let_in(found.value, keys.stored))
    hidden = lab.traffic.hidden_rows(40)
    predictions = Predictions(await answered(lab, hidden.body, keys.current), hidden)
    expect(predictions.version("v1")).because(
        "the answer has `model_version`, as the server that you began with gives it"
    )
    expect(predictions.values("v1", what="largest difference from the probabilities of model v1")).because(
        "the answer has `probabilities`, one for each flight, as the server that you began with gives them"
    )
    ready = await lab.traffic.get("model", "/readyz")
    expect(observe("status of GET /readyz without a key", ready.status, equal_to(200), evidence=[ready.shown])).because(
        "the kubelet asks it, and whoever looks after the service: neither has a key"
    )
    await must_answer(lab)
    pods = [pod for pod in await owned_pods(lab) if not leaving(pod)]
    images = {each["image"] for pod in pods for each in every_container(undebugged(pod["spec"]))}
    wanted = f"{lab.platform.registry}/workbench:1"
    seen = ", ".join(sorted(images))
    must(Observation(images == {wanted}, f"{wanted} in all containers", seen), "the image does not change in this lab")
    expect(await not_ready_yet(lab)).because(
        "a pod that says it is ready gets requests at once, and without a model it can answer none of them: GET "
        "/readyz is 503 until the model is loaded"
    )


@check(points=2, needs=lets_partners_in, owns="model", domains=DOMAINS)
async def keeps_others_out(lab: Lab) -> None:
    """Without a key, or with any other one, the answer is 401 or 403.

    Tried are: no key, an empty one, the first character and either half of the right one, all of it but the first or
    the last character, the right one and a character more, which may be none of ASCII, behind another character or
    another key and a comma, before a comma or a space and another key, behind `Bearer`, in quotation marks, with
    another character (the first, the last, one in the middle), in base64, and in other case, one that the checker makes
    up, and the one that was in the source. So is what may be a second key: words in other entries of Secrets, in
    ConfigMaps (in quotation marks, or an entry by itself), and in variables of pods. Nobody without a key, or with a
    made-up one, is let in from within a pod either, as kubectl port-forward asks, on any port that something listens on
    there.
    """
    keys = await lab.once(read_keys)
    body = lab.traffic.hidden_rows(1).body
    own = await asked_inside(lab, body, {"no key": None, "a key of the checker's": keys.stranger})
    answers = await asked_with(lab, keys.others)
    others = all_refused(answers, "401 or 403 for every other key")
    expect(others).because(why_let_in(others.value))
    let_in = ", ".join(f"{status} with {what}" for what, status in own.items() if 200 <= status < 300)
    expect(holds(not let_in, "nobody is let in from within a pod, on any port", let_in)).because(
        "kubectl port-forward, a sidecar and whoever gets into the pod ask from 127.0.0.1, and what listens on another "
        "port answers each pod of the cluster: if that needs no key, or takes any, the key keeps nobody out"
    )
    telling = next((what for what, answer in answers.items() if keys.current in answer.text), "")
    expect(holds(not telling, "no refusal that has the right key in it", f"the answer with {telling} has it")).because(
        "what the server says to somebody whom it refuses, everybody can read"
    )


@check(points=2, needs=lets_partners_in, owns="model", domains=DOMAINS)
async def follows_the_threshold(lab: Lab) -> None:
    """`late` is true from the `threshold` of ConfigMap `settings` on, and within 60 s from another one if that changes.

    The checker puts another threshold in, the very probability of one of 40 flights, then one just above another
    flight's, then 0, then 1, and then the old one again; these have 60 s too.
    """
    settings = await presence.exists(
        lab, "ConfigMap", SETTINGS, f"the analysts change it by this name. {HASHED}", others=True
    )
    text = (settings.get("data") or {}).get(THRESHOLD)
    now = number(text)
    seen = "no such entry" if text is None else str(text)[:80]
    one, wanted = now is not None and 0 <= now <= 1, f"a number from 0 to 1 as its entry {THRESHOLD}"
    expect(Observation(one, wanted, seen, what=f"entry {THRESHOLD}")).because(
        "a ConfigMap's values are text; this one is a probability, such as 0.3, and no percentage"
    )
    expect_changeable(settings)
    assert now is not None
    own = lab.traffic.hidden_rows(FLIGHTS).probabilities("v1")
    expect(await judged_by(lab, own, now)).because(
        "a flight is late when its probability is the threshold or more; `late` has true or false for each flight, in "
        f"their order. The ConfigMap says {text}: kubectl get configmap {SETTINGS} -o yaml"
    )
    change = await lab.once(changed)
    expect(change.followed).because(
        f"the ConfigMap said {change.text} then, and the server went by something else: "
        + await why_not_followed(lab, "ConfigMap", SETTINGS)
        if "the threshold itself" not in change.followed.seen
        else "the threshold is the probability from which on a flight is late, so one that has just this is late, too"
    )
    expect(change.to_the_digit).because(
        f"the change before this one was followed; then the ConfigMap said {change.above}, which is a hair above one "
        "flight's probability. Perhaps the two are rounded before they are compared, or taken for equal when they are "
        "near (isclose): compare the numbers as they are. Or what waits for a change has ended with the first one, as "
        "a watch of the mounted file itself (inotify) does"
    )
    expect(change.down_to_none).because(
        "the changes before this one were followed. Perhaps 0 is taken for none (`value or DEFAULT`, `if value:`); "
        "it is one like any other, from which on each flight is late"
    )
    expect(change.up_to_one).because(
        "the changes before this one were followed. Perhaps 1 is taken for no threshold, or for one per cent; the "
        "threshold is a number from 0 to 1, and these two are such numbers"
    )
    expect(change.followed_again).because(
        "the changes before were followed and the last was not: the analysts change it again and again. A mounted file "
        "is replaced at each change, so a watch of the file itself (inotify) ends with the first one; and whatever "
        "else waits for a change has to go on waiting after it"
    )


@check(points=2, needs=lets_partners_in, owns="model", domains=DOMAINS)
async def key_only_in_the_secret(lab: Lab) -> None:
    """The key is in no process's environment or command line, and in no other object of the namespace.

    The checker looks into every container that runs (/proc/*/environ, /proc/*/cmdline, env), into those that will or
    that have run, by their templates, and through all kinds of objects that Kubernetes itself has in a namespace, but
    for events; for the key and its base64, within other text too. It looks once more when the vault has changed the key
    and the new one is served; and meanwhile it watches a pod for 12 s, for programs that come and go, such as probes.
    What a startup probe runs, or one that comes less often, it runs there itself. A pod with init containers or
    postStart hooks is copied, and the copy watched while it starts.
    """
    processes, objects = await shown(lab, (await lab.once(read_keys)).current)
    expect(nowhere(processes, "the key in no environment and no command line")).because(
        "a process hands its environment on to all that it starts, and whoever runs env, reads /proc or gets a crash "
        "report sees it. It is also made once, when the container starts, and never changes after that: a rotated key "
        "would not arrive. A Secret can be mounted as a volume, and read there"
    )
    expect(nowhere(objects, f"the key in no object but Secret {SECRET}")).because(
        "who may read Secrets is decided apart from who may read everything else; ConfigMaps and pod templates are "
        "read by many, and lie in repositories. A key that has been there is known: take it out, and put another one "
        "into the Secret. What kubectl apply -k made before under another name, with a hash behind it, stays until you "
        "delete it (kubectl get secrets,configmaps). Old ReplicaSets (kubectl get replicasets) keep old templates, and "
        "the annotation last-applied-configuration keeps what kubectl apply was given, whatever kubectl edit, patch or "
        "set env have changed since: take the key out of your file, and apply that again"
    )
    if not (await lab.objects.named("Secret", SECRET).present()).get("immutable"):
        places = (await lab.once(rotated)).shown
        expect(nowhere(places, "no key in a process or another object, while it changes and after that")).because(
            "either what follows the Secret has put the key there, or a program that runs for a moment is given it. "
            "What is started anew, and an object that is changed so that pods are replaced, needs a sign that the key "
            "is another one (a date, a hash), not the key. And what a probe or a script starts reads the file itself: "
            "its command line is in /proc for all to see"
        )


@check(points=3, needs=key_only_in_the_secret, owns="model", domains=(*DOMAINS, "ckad/deployment"))
async def serves_the_new_key(lab: Lab) -> None:
    """When the Secret changes, every pod takes the new key within 60 s, and after the next change the one after it.

    10 requests a second with the new key and 10 with the old one show it: within that time those with the new key are
    all answered with 200. The new key has another length, 16 characters or a few more, and signs beside letters and
    digits. The checker changes nothing but the Secret, has the kubelets look for it, then puts a key of 72 characters
    or more in, and then the old one back; these have 60 s too.
    """
    expect_changeable(await lab.objects.named("Secret", SECRET).present())
    rotation = await lab.once(rotated)
    expect(rotation.served).because(await why_not_served(lab, SECRET))
    expect(rotation.served_again).because(
        "the first change was served and a later one was not: vaults change keys again and again. See whether what "
        "follows the Secret goes on after a change (kubectl logs), whether the pods are well (kubectl get pods), and "
        "whether the server takes keys of some lengths alone: those of the vault have 16 characters or more"
    )


@check(points=1, needs=serves_the_new_key, owns="model", domains=DOMAINS)
async def refuses_the_old_key(lab: Lab) -> None:
    """Within 60 s of a change, too, the key from before it is answered with 401 or 403 by every pod (the same run).

    So is what is not quite the longer key, while that is served: it with another last character, without its last
    character, and with one more. Where the same of the Secret's own key is let in, keeps_others_out fails for it alone.
    """
    rotation, keys = await lab.once(rotated), await lab.once(read_keys)
    expect(rotation.refused).because(
        "a key is changed because somebody may have it who should not. The new one has to take the place of the old "
        "one; where it is added to those that are known, or the old one stays in some cache, nothing is won"
    )
    assert rotation.not_quite is not None
    short = all_refused(await asked_with(lab, nearly("the right key", keys.current)), "401 or 403 for each")
    if short.ok:
        expect(rotation.not_quite).because(why_let_in(rotation.not_quite.value))


@check(points=2, needs=(serves_the_new_key, follows_the_threshold), owns="model", domains=("ckad/deployment",))
async def loses_no_request(lab: Lab) -> None:
    """While key and threshold change, every request is answered: with 200, or with 401 or 403 (the same runs).

    A request opens a connection of its own. It is lost if no connection is made, if no answer comes within 10 s, or if
    the answer has another status.
    """
    why = (
        "somebody let the pods go that answered: a container that ends by itself is away until it has started and "
        "loaded its model, and all pods see the change at about the same time. Either a running process takes the new "
        "key, or pods are replaced as in an update: a new one is ready before an old one goes (kubectl get pods: see "
        "RESTARTS and AGE)"
    )
    expect((await lab.once(rotated)).lost).because(why)
    expect((await lab.once(changed)).lost).because(why)


@check(points=2, needs=lets_partners_in, owns="model", domains=("ckad/observability-and-maintenance",))
async def logs_no_key(lab: Lab) -> None:
    """No container's log has a key in it: not the right one, not one that was refused; plain or as base64.

    Looked for are the Secret's key, the keys that it was changed to, the one that was in the source, and one that the
    checker made up and was refused with; it has also sent them with bodies that are no flights, and to a path that is
    not there. After a restart the log from before it is read too.
    """
    keys = await lab.once(read_keys)
    body = lab.traffic.hidden_rows(1).body
    for key in (keys.current, keys.stranger):
        await answered(lab, body, key)
        await ill_asked(lab, key)
    await lab.time.pause(1)
    signs = {
        "the Secret's key": keys.current,
        "the key that the Secret was changed to": keys.new,
        "the longer key that the Secret was changed to": keys.longer,
        "the key that was in the source": key_in_source(),
        "a key that was refused": keys.stranger,
    }
    found = [place for pod in await lab.objects.all("Pod") for place in await in_logs(lab, pod, signs)]
    expect(nowhere(found, "no key in any log")).because(
        "logs are collected, kept for long, and read by many. That a key is there is worth a line, and which one it is "
        "nobody needs to know. A refused key is no exception: it is yesterday's, or tomorrow's, or that of another "
        "service with a letter mistyped. Nor is a request that can't be read: who logs its headers logs the key"
    )
