"""The checks."""

from posixpath import normpath, relpath

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit import presence
from mlops_lab.kit.inside import printed, settled
from mlops_lab.kit.pods import name as name_of
from mlops_lab.kit.standing import remove_leftover, standing
from mlops_lab.kit.volumes import mounted
from mlops_lab.kube.client import Object
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .tokens import claims

D = drawn(Drawn, __file__)
_DOMAINS = ("ckad/environment-configuration-and-security",)
_API_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
_API = "https://kubernetes.default.svc"  # how the audience begins that the API server is, if none is named
_READY_WITHIN = 60.0
_STRANGER = "checkers-stranger"
_FILE = f"{D.folder.removeprefix('/var')}/token"  # /var/run is a link to /run


@check(points=1, domains=_DOMAINS)
async def runs_as_its_account(lab: TaskLab) -> None:
    """The ServiceAccount is there, and the Deployment's pods run as it."""
    await presence.exists(lab, "ServiceAccount", D.account, "pods can only run as one that is there", others=True)
    pods = await settled(lab, D.app, within=_READY_WITHIN)
    accounts = ", ".join(sorted({str(each["spec"].get("serviceAccountName")) for each in pods}))
    expect(observe("the pods run as", accounts, equal_to(D.account))).because(
        "serviceAccountName in the pod template; pods that are there keep the one that they were made with"
    )


@check(points=3, needs=runs_as_its_account, domains=_DOMAINS)
async def has_the_token(lab: TaskLab) -> None:
    """In the file is a token of this ServiceAccount and this pod, for the audience, of the wanted lifetime.

    It lies in the volume in which the kubelet renews it.
    """
    for pod in await settled(lab, D.app, within=_READY_WITHIN):
        found = await printed(lab, pod, "cat", f"{D.folder}/token")
        expect(holds(found.code == 0, f"file {D.folder}/token is there", found.errors.strip()[:160])).because(
            "the volume is mounted at the folder, and its source's path is the file's name in it"
        )
        token = claims("".join(found.lines))
        expect(observe("its audience", token.audience, equal_to(D.audience))).because(
            "a token for another audience is refused; where none is named, the API server itself is the audience"
        )
        expect(
            observe("it is of", token.subject, equal_to(f"system:serviceaccount:{lab.namespace}:{D.account}"))
        ).because("a projected token is one of the pod's own ServiceAccount")
        expect(observe("it is valid for", token.seconds, equal_to(D.minutes * 60), unit="seconds")).because(
            "expirationSeconds are seconds; where none are named it is an hour"
        )
        expect(observe("it is bound to", token.pod, equal_to(name_of(pod)))).because(
            "a token that kubectl create token has made is copied once, and nobody renews it; the kubelet's is bound "
            "to its pod and renewed"
        )
        expect(holds(not _of_parts(pod), "the volume is mounted as a whole", "a part of it is, with subPath")).because(
            "the kubelet renews the files of a volume; what is mounted with subPath stays as it was when the container "
            "began, and so the token is over after a while"
        )
        own = holds(_by_the_kubelet(pod), "the file is the kubelet's own", "it is in no volume of the kubelet's tokens")
        expect(own).because(
            "the kubelet renews the file in its projected volume; a copy elsewhere stays as it was when it was made"
        )


@check(points=2, domains=_DOMAINS)
async def no_other_token(lab: TaskLab) -> None:
    """A new pod that names no ServiceAccount has no token for the API server, nor have the Deployment's."""
    for pod in await settled(lab, D.app, within=_READY_WITHIN):
        found = await printed(lab, pod, "sh", "-c", f"ls {_API_TOKEN} 2>/dev/null; true")
        seen = " ".join(found.lines) or "nothing"
        expect(observe(f"in {_API_TOKEN} of {name_of(pod)}", seen, equal_to("nothing"))).because(
            "automountServiceAccountToken of the pod's own ServiceAccount, or of the pod template, keeps it out"
        )
        more = ", ".join(_of_the_api_server(pod))
        expect(holds(not more, "no volume has a token for the API server", f"one has, as {more}")).because(
            "a projected token without an audience is one for the API server, wherever it lies"
        )
    await remove_leftover(lab, _STRANGER)
    container = {
        "name": "stranger", "image": lab.platform.image("v1"), "command": ["sleep", "60"],
        "resources": {"requests": {"cpu": "5m", "memory": "8Mi"}, "limits": {"cpu": "100m", "memory": "32Mi"}},
    }  # fmt: skip
    stranger = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": _STRANGER},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }  # fmt: skip
    async with standing(lab, [stranger], grace=0):
        made = await lab.objects.named("Pod", _STRANGER).present()
    mounts = [mount["mountPath"] for mount in made["spec"]["containers"][0].get("volumeMounts") or []]
    expect(holds(_API_TOKEN not in mounts, "a new pod gets no token for the API server", "a new pod gets one")).because(
        "a pod that names no ServiceAccount runs as `default`, whose automountServiceAccountToken decides where the "
        "pod does not"
    )


def _of_the_api_server(pod: Object) -> list[str]:
    """The names of files, beside the wanted one, in which the kubelet makes tokens for the API server."""
    wanted = _mount(pod)
    here = (wanted["name"], relpath(_FILE, _here(wanted))) if wanted else ()
    return [
        one["serviceAccountToken"]["path"]
        for each in mounted(pod["spec"])
        for one in (each.get("projected") or {}).get("sources") or [] if one.get("serviceAccountToken")
        if str(one["serviceAccountToken"].get("audience") or _API).startswith(_API)
        and (each["name"], normpath(one["serviceAccountToken"]["path"])) != here
    ]  # fmt: skip


def _by_the_kubelet(pod: Object) -> bool:
    """Does the token's file lie in a volume in which the kubelet makes it?"""
    mount = _mount(pod)
    volumes = [each for each in pod["spec"].get("volumes") or [] if each["name"] == mount.get("name")]
    sources = [one for each in volumes for one in (each.get("projected") or {}).get("sources") or []]
    files = [normpath(one["serviceAccountToken"]["path"]) for one in sources if one.get("serviceAccountToken")]
    return bool(mount) and relpath(_FILE, _here(mount)) in files


def _of_parts(pod: Object) -> bool:
    """Is a part of a volume mounted where the token is?"""
    mount = _mount(pod)
    return bool(mount.get("subPath") or mount.get("subPathExpr"))


def _mount(pod: Object) -> Object:
    """The mount in which the token's file lies; empty if there is none."""
    mounts = pod["spec"]["containers"][0].get("volumeMounts") or []
    over = [each for each in mounts if f"{_FILE}/".startswith(f"{_here(each)}/")]
    return max(over, key=lambda each: len(_here(each)), default={})


def _here(mount: Object) -> str:
    """Where something is mounted, without the link that /var/run is."""
    path: str = normpath(mount["mountPath"])
    return path.removeprefix("/var") if path.startswith("/var/run") else path
