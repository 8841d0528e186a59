"""The checks."""

from mlops_lab.checks import LabError, check, equal_to, expect, holds, is_ready, observe, quantity
from mlops_lab.kit.pods import lasting, name
from mlops_lab.kube.client import Object
from mlops_lab.tasks import nodes
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn

D = drawn(Drawn, __file__)
_DOMAINS = ("cka/cluster-architecture",)
_IMAGE = "flight-delay:v1"
_READY_WITHIN = 12.0
_SOURCE = "kubernetes.io/config.source"
_ASK = (
    "import sys, urllib.request; "
    "print(urllib.request.urlopen('http://127.0.0.1:' + sys.argv[1], timeout=3).headers.get('Server', ''))"
)


@check(points=2, domains=_DOMAINS)
async def is_as_wanted(lab: TaskLab) -> None:
    """The API server shows the pod on the worker, ready, with its label, image and requests."""
    await nodes.must_answer(lab)
    pod = await _pod(lab)
    expect(observe("it runs on", pod["spec"].get("nodeName"), equal_to(nodes.worker(lab)))).because(
        "each kubelet starts what is in its own node's folder"
    )
    label = (pod["metadata"].get("labels") or {}).get("app", "none")
    expect(observe("its label app", label, equal_to(D.pod))).because("labels are those of the manifest")
    containers = lasting(pod)
    expect(observe("its containers", len(containers), equal_to(1))).because("one was wanted")
    image = containers[0]["image"]
    expect(holds(image.endswith(f"/{_IMAGE}"), f"its image is {_IMAGE}", f"it is {image}")).because("it was named")
    asked = (containers[0].get("resources") or {}).get("requests") or {}
    right = quantity(asked.get("cpu", "0")) == quantity("5m") and quantity(asked.get("memory", "0")) == 16 * 2**20
    shown = ", ".join(f"{key} {value}" for key, value in sorted(asked.items())) or "nothing"
    expect(holds(right, "it asks for 5m CPU and 16Mi memory", f"it asks for {shown}")).because(
        "the scheduler does not place a static pod, and counts what it asks for"
    )


@check(points=1, needs=is_as_wanted, domains=_DOMAINS)
async def answers(lab: TaskLab) -> None:
    """Its program is the web server that was wanted, on its port, with no word more on its command line."""
    pod = name(await _pod(lab))

    async def look() -> str:
        try:
            printed = await lab.objects.run_in(pod, "python3", "-c", _ASK, str(D.port), within=10)
        except LabError as trouble:
            if trouble.transient:
                raise
            return trouble.message[:100]
        return printed.lines[-1] if printed.code == 0 and printed.lines else "no answer"

    seen = await lab.time.eventually(
        look, lambda said: "SimpleHTTP" in said, expected=f"a web server of Python answers on port {D.port}", shown=str,
        within=8,
    )  # fmt: skip
    expect(seen).because("the command is the container's, each word an element of the list")
    words = _started_with((await _pod(lab))["spec"]["containers"][0])
    right = words[1:] == ["-m", "http.server", str(D.port)]
    expect(holds(right, f"it runs python3 -m http.server {D.port}", f"it runs {' '.join(words)[:80]}")).because(
        "with one word more it is another command, and may listen where nobody else reaches it"
    )


@check(points=3, needs=is_as_wanted, domains=_DOMAINS)
async def is_the_kubelets_own(lab: TaskLab) -> None:
    """The worker's kubelet has it from its file on the node, so nobody ends it by the API server."""
    file = f"{await _folder(lab)}/{D.pod}.yaml"
    there = await lab.machines.run(nodes.worker(lab), "test", "-f", file)
    shown = name(await _pod(lab))

    async def look() -> str:
        known = await nodes.kubelets_pods(lab, nodes.worker(lab))
        own = [each for each in known if name(each) == shown and each["metadata"]["namespace"] == lab.namespace]
        return str((own[0]["metadata"].get("annotations") or {}).get(_SOURCE)) if own else "nowhere"

    seen = await lab.time.eventually(
        look, lambda source: source == "file", expected="the worker's kubelet has it from a file",
        shown=lambda source: f"it has it from: {source}", within=5,
    )  # fmt: skip
    expect(seen).because(
        "what the API server shows of a static pod is a mirror, that the kubelet makes, and makes again when it is "
        "deleted; an ordinary pod is the API server's own, and ends with it"
    )
    expect(holds(there.code == 0, f"{file} is there", "there is no such file")).because(
        "the file's name was wanted so that others find it; the kubelet takes any"
    )


async def _pod(lab: TaskLab) -> Object:
    wanted = f"{D.pod}-{nodes.worker(lab)}"
    seen = await lab.objects.named("Pod", wanted).until(
        is_ready, expected="is ready", shown=_shown, within=_READY_WITHIN
    )
    expect(seen).because(
        "the kubelet starts what is in its folder within seconds, and shows it in the manifest's Namespace with the "
        "node's name behind the pod's; journalctl -u kubelet says what is wrong with a file"
    )
    return await lab.objects.named("Pod", wanted).present()


def _started_with(container: Object) -> list[str]:
    """What a container runs, by words; a shell that does nothing else is left out."""
    words = [*(container.get("command") or []), *(container.get("args") or [])]
    if len(words) == 3 and words[0].rpartition("/")[2] in ("sh", "bash") and words[1] == "-c":
        return str(words[2]).removeprefix("exec ").split()
    return words


async def _folder(lab: TaskLab) -> str:
    said = await nodes.printed(lab, nodes.worker(lab), "grep", "^staticPodPath:", "/var/lib/kubelet/config.yaml")
    return said.partition(":")[2].strip().strip("\"'") or "/etc/kubernetes/manifests"


def _shown(pod: Object | None) -> str:
    return "it is not there" if pod is None else ("it is ready" if is_ready(pod) else "it is not ready")
