"""The checks."""

from pathlib import Path

from mlops_lab.checks import check, equal_to, expect, holds, observe
from mlops_lab.kit.given import in_manifests
from mlops_lab.kit.inside import settled
from mlops_lab.kit.unchanged import changes
from mlops_lab.tasks.drawing import drawn
from mlops_lab.tasks.lab import TaskLab

from .draw import Drawn
from .outage import played

D = drawn(Drawn, __file__)
_START = Path(__file__).parents[1] / "start"
_DOMAINS = ("ckad/design-and-build",)


@check(points=2, domains=_DOMAINS)
async def has_what_the_source_has(lab: TaskLab) -> None:
    """Each pod answers with the file as the source has it."""
    await settled(lab, D.app, within=60)
    right = await lab.traffic.first_answer(lambda: lab.traffic.get(D.source, f"/{D.file}", within=3), within=20)
    found = await lab.traffic.first_answer(lambda: lab.traffic.get(D.app, f"/{D.file}", within=3), within=15)
    expect(observe("status of the file", found.status, equal_to(200), evidence=[found.shown])).because(
        "what an init container writes is there for the other containers only in a volume that both mount"
    )
    expect(observe("its content", found.text.strip(), equal_to(right.text.strip()))).because(
        "the source makes it anew whenever it starts: a copy in a ConfigMap, say, is of yesterday"
    )


@check(points=3, needs=has_what_the_source_has, owns="source", domains=_DOMAINS)
async def waits_for_the_source(lab: TaskLab) -> None:
    """A pod that is made while the source is away starts `web` only when that is back, with the source's new file."""
    found = await lab.once(played)
    expect(found.waited).because(
        "an init container that ends with 0 is done, whatever it has got: it must go on asking, or fail, after which "
        "the kubelet starts it again. One that gives up after some tries, or some time, has to end with another code "
        "than 0. And only init containers go before the others"
    )
    expect(found.came).because(
        "once the source answers nothing else is to be waited for: kubectl logs -c shows the wait"
    )
    expect(found.fresh).because("the new pod has to fetch the file itself")


@check(points=1, needs=has_what_the_source_has, domains=_DOMAINS)
async def web_is_the_given_one(lab: TaskLab) -> None:
    """Container `web` is as it was given, but for what it mounts, and nothing runs beside it."""
    pods = await settled(lab, D.app, within=60)
    containers = pods[0]["spec"]["containers"]
    seen = "; ".join(f"{each['name']}: {' '.join(each.get('command') or [])}" for each in containers)
    expect(
        observe("containers", seen, equal_to("web: sh -c exec python3 -m http.server --directory /srv 8080"))
    ).because("what prepares is an init container's; the program itself needs to know nothing of it")
    given = in_manifests(_START, "Deployment", D.app)["spec"]["template"]["spec"]["containers"][0]
    now = (await lab.objects.deployment(D.app).present())["spec"]["template"]["spec"]["containers"][0]
    other = changes(now, {**given, "image": lab.platform.image("v1")}, free=("volumeMounts",))
    as_given = "web as it was given, but for its mounts"
    expect(holds(not other, as_given, f"another {', '.join(other[:4])}")).because(
        "image, probe and resources are the program's, whatever goes before it; kubectl diff -f shows what a manifest "
        "would change"
    )
