"""The checks."""

import base64
import hashlib

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.kit.inside import settled
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .changing import follows, renewed
from .draw import Drawn
from .source import taken_from

D = drawn(Drawn, __file__)
_DOMAINS = ("ckad/environment-configuration-and-security", "cka/workloads-and-scheduling")
_WANTED = {D.first: D.first_value, D.second: D.second_value}
_READY_WITHIN = 60.0
_BYTES = "the bytes count: in a manifest `data` is base64 and `stringData` plain text, and echo adds a line end"
_NAME = "env names a variable itself; envFrom takes the entry's behind a prefix, kubectl set env --from in capitals"


@check(points=2, domains=_DOMAINS)
async def finds_its_files(lab: TaskLab) -> None:
    """The ConfigMap has its entries, and the program finds each as a file in its folder."""
    config = await presence.exists(lab, "ConfigMap", D.config, "the pods' volume is made of it", others=True)
    data = {key: str(value) for key, value in (config.get("data") or {}).items()}
    expect(observe(f"entries of ConfigMap {D.config}", data, equal_to(_WANTED))).because(
        "an entry is a key and a text; kubectl create configmap --from-literal makes one"
    )
    await settled(lab, D.app, within=_READY_WITHIN)
    answer = await lab.traffic.first_answer(lambda: lab.traffic.get(D.app, "/"), within=15)
    files: object = answer.fields().get("files")
    if files and files != _WANTED:  # the ConfigMap may just have been put right, or back
        files = await renewed(lab, D.app, _WANTED)
    expect(observe(f"files in /etc/{D.app}", files, equal_to(_WANTED))).because(
        "a volume of the ConfigMap that is mounted there has a file for each entry; kubectl exec shows what is there"
    )


@check(points=2, domains=_DOMAINS)
async def has_its_key(lab: TaskLab) -> None:
    """The program has the Secret's entry in its environment variable, and has it from the Secret."""
    found = await presence.exists(lab, "Secret", D.secret, "the pods take the variable from it", others=True)
    coded = (found.get("data") or {}).get(D.entry)
    otherwise = "there is no such entry" if coded is None else "it has another text"
    right = coded == base64.b64encode(D.secret_value.encode()).decode()
    expect(holds(right, f"entry {D.entry} of Secret {D.secret} has the text", otherwise)).because(_BYTES)
    pods = await settled(lab, D.app, within=_READY_WITHIN)
    answer = await lab.traffic.first_answer(lambda: lab.traffic.get(D.app, "/"), within=15)
    digest = answer.fields().get("key_sha256")
    right = digest == hashlib.sha256(D.secret_value.encode()).hexdigest()
    otherwise = "it has no such variable" if digest is None else "it has another text there"
    expect(holds(right, f"the program has the key in {D.variable}", otherwise)).because(_BYTES if digest else _NAME)
    source = taken_from(pods[0]["spec"]["containers"], D.variable)
    expect(observe(f"{D.variable} comes from", source, equal_to(f"entry {D.entry} of Secret {D.secret}"))).because(
        "a value that stands in the Deployment is read by whoever may read Deployments, and changes with nothing"
    )


@check(points=2, needs=finds_its_files, owns="configmap", domains=_DOMAINS)
async def follows_a_change(lab: TaskLab) -> None:
    """When the ConfigMap changes, both files in the running pods do, with no pod made anew and none restarted."""
    expect(await follows(lab, D.app, D.config, (D.first, D.second))).because(
        "the kubelet renews a mounted volume of a ConfigMap by itself. A file that is mounted with subPath it does not "
        "renew, nor variables, and an immutable ConfigMap can't be changed"
    )
