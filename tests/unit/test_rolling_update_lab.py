"""Lab 12: what its images are called, and whether an update is through when the program says so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_lab.base.errors import LabError
from mlops_lab.checks import Observation
from mlops_lab.checks.rooms.work import Command, Work
from mlops_lab.kube.client import Object
from tests.lab_programs import loaded
from tests.made_up import READY, NothingThere, NoTraffic, Platform, Room, made_up_lab

NEW, OLD = "localhost:5001/flight-delay:k3m9x2p", "localhost:5001/flight-delay:v1"


def deployment(image: str, updated: int = 3, there: int = 3) -> Object:
    return {
        "metadata": {"generation": 2},
        "spec": {"replicas": 3, "template": {"spec": {"containers": [{"image": image}]}}},
        "status": {
            "observedGeneration": 2, "replicas": there, "updatedReplicas": updated, "availableReplicas": there,
            "readyReplicas": there,
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("item", "ok", "seen"),
    [
        (deployment(NEW), True, f"image {NEW}, 3 pods, 3 of them up to date, 3 ready"),
        (deployment(NEW, updated=1, there=4), False, f"image {NEW}, 4 pods, 1 of them up to date, 4 ready"),
        (deployment(OLD), False, f"image {OLD}, 3 pods, 3 of them up to date, 3 ready"),
        (None, False, "image none, no Deployment"),
    ],
)
def test_an_update_is_through_when_all_pods_are_new(item: Object | None, ok: bool, seen: str) -> None:
    async def now() -> Object | None:
        return item

    lab = made_up_lab(objects=NothingThere(deployment=lambda name: SimpleNamespace(now=now)))
    found = asyncio.run(loaded("12").through_with(lab, NEW))
    assert (found.ok, found.seen) == (ok, seen)


def test_all_images_have_a_name_of_this_run() -> None:
    async def tagged(known: str, tag: str) -> str:
        return f"{known}:{tag}"

    async def names(lab: Any) -> list[str]:
        checks = loaded("12")
        drawn = await lab.once(checks.images_called)
        return [drawn.good, drawn.late, await checks.pushed_late(lab), drawn.later]

    def called(seed: int) -> list[str]:
        lab = made_up_lab("12", platform=Platform(tagged=tagged))
        lab.seed = seed
        return asyncio.run(names(lab))

    good, late, broken, later = called(1)
    assert all(each.startswith("v2:") for each in (good, late, later)) and broken.startswith("v3-broken:")
    tags = [each.partition(":")[2] for each in (good, late, broken, later)]
    assert tags[0] != tags[1] == tags[2]  # what is not there is pushed later on, and is the broken one
    assert tags[3] not in tags[:3]
    assert called(1) == [good, late, broken, later] != called(2)


def with_server(replicas: int = 3, image: str = NEW, load: str = "4", command: str = "") -> Object:
    item = deployment(image)
    item["spec"]["replicas"] = replicas
    server = item["spec"]["template"]["spec"]["containers"][0]
    server["env"] = [{"name": "MODEL_LOAD_SECONDS", "value": load}]
    return item if not command else item | {"spec": item["spec"] | {"template": {"spec": {"containers": [
        server | {"command": [command]}]}}}}  # fmt: skip


@pytest.mark.parametrize(
    ("item", "ok"),
    [(with_server(), True), (with_server(image=OLD), True), (with_server(load="0"), False),
     (with_server(command="sleep"), False), (deployment(NEW), False), (None, False)],
)  # fmt: skip
def test_an_update_leaves_the_server_as_it_is(item: Object | None, ok: bool) -> None:
    assert loaded("12").given_server(item).ok is ok


@pytest.mark.parametrize(
    ("now", "scaled_by", "seen"),
    [(with_server(), [], ""), (with_server(replicas=4), [], ""), (with_server(replicas=1), [], "replicas: 1"),
     (with_server(replicas=1), ["hpa"], ""), (with_server(load="0"), ["hpa"], "MODEL_LOAD_SECONDS 0, not 4")],
)  # fmt: skip
def test_there_are_as_many_pods_of_the_given_server_as_before(now: Object, scaled_by: list[str], seen: str) -> None:
    async def present() -> Object:
        return now

    async def autoscalers(lab: Any) -> list[str]:
        return scaled_by

    checks = loaded("12")
    checks.autoscalers_of = autoscalers
    lab = made_up_lab(objects=NothingThere(deployment=lambda name: SimpleNamespace(now=present)))
    found = asyncio.run(checks.as_before(lab, with_server()))
    assert (found.ok, found.seen) == (not seen, seen or "it is")


@pytest.mark.parametrize(("before", "now", "ok"), [(False, True, False), (True, True, True), (False, False, True)])
def test_a_deployment_is_not_left_paused(before: bool, now: bool, ok: bool) -> None:
    items = [with_server() for _ in range(2)]
    for item, is_so in zip(items, (before, now), strict=True):
        item["spec"]["paused"] = is_so

    async def present() -> Object:
        return items[1]

    async def none(lab: Any) -> list[str]:
        return []

    checks = loaded("12")
    checks.autoscalers_of = none
    lab = made_up_lab(objects=NothingThere(deployment=lambda name: SimpleNamespace(now=present)))
    assert asyncio.run(checks.as_before(lab, items[0])).ok is ok


def test_v1_is_put_in_by_hand_and_nothing_else_is_changed() -> None:
    checks, here, written = loaded("12"), Deployed(), []
    here.item = with_server(image=NEW)
    before = with_server(image=OLD, load="1")

    async def patch(kind: str, name: str, patch: Object) -> None:
        written.append((kind, name, patch))

    async def of_before(lab: Any) -> Object:
        return before

    here.patch = patch
    checks.deployment_before = of_before
    asyncio.run(checks.put_in_by_hand(made_up_lab("12", objects=here)))
    containers = with_server(image=OLD)["spec"]["template"]["spec"]["containers"]
    assert written == [("Deployment", "model", {"spec": {"template": {"spec": {"containers": containers}}}})]
    here.through = False
    with pytest.raises(LabError, match="what ran before the check"):
        asyncio.run(checks.put_in_by_hand(made_up_lab("12", objects=here)))


@pytest.mark.parametrize(("asks_for", "ok"), [(NEW, True), (OLD, False)])
def test_the_way_back_is_asked_for_when_the_program_ends(asks_for: str, ok: bool) -> None:
    here = Deployed()
    here.item = with_server(image=asks_for)
    found = asyncio.run(loaded("12").asked_back(made_up_lab(objects=here), with_server(image=NEW)))
    assert (found.ok, found.seen.partition(" after")[0]) == (ok, f"image {asks_for}")


@pytest.mark.parametrize("transient", [True, False])
def test_pods_that_nobody_tells_of_are_not_the_learners(transient: bool) -> None:
    checks, left = loaded("12"), [LabError("the API server is away", "wait", transient=transient)]
    pod = {"metadata": {"name": "model-1"}, "spec": {"containers": [{"image": NEW}]}, "status": {}}

    async def owned(lab: Any) -> list[Object]:
        if left:
            raise left.pop()
        return [pod]

    async def noted() -> Any:
        seen = checks.Tried()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(checks.note_pods(made_up_lab(), NEW, seen), 0.5)
        return seen

    checks.owned_pods, checks.deployment_now = owned, wanting(3)
    if transient:
        assert asyncio.run(noted()).ever_ready == {"model-1": False}
    else:
        with pytest.raises(LabError, match="is away"):
            asyncio.run(noted())


@pytest.mark.parametrize(
    ("load", "image", "other"), [("4", NEW, ""), ("0", NEW, "MODEL_LOAD_SECONDS 0, not 4"), ("0", OLD, "")]
)
def test_a_pod_of_the_new_image_is_the_given_server_all_the_time(load: str, image: str, other: str) -> None:
    checks = loaded("12")
    spec = with_server(load=load, image=image)["spec"]["template"]["spec"]
    pods: list[Object] = [{"metadata": {"name": "model-1"}, "spec": spec, "status": {}}]

    async def owned(lab: Any) -> list[Object]:
        return pods

    async def call() -> Any:
        async with checks.noted(made_up_lab(), NEW, every=0.01) as seen:
            await asyncio.sleep(0.05)
            pods.clear()  # and when the program has ended the pod is gone
            await asyncio.sleep(0.05)
        return seen

    checks.owned_pods, checks.deployment_now = owned, wanting(3)
    seen = asyncio.run(call())
    right = Observation(True, "as it was given", "it is")
    assert along(checks, right, seen).seen == (f"pod model-1: {other}" if other else "it is")
    wrong = Observation(False, "as it was given", "it is another one")
    assert along(checks, wrong, seen) is wrong


@pytest.mark.parametrize(
    ("meanwhile", "autoscaled", "ok"), [(3, False, True), (4, False, True), (1, False, False), (1, True, True)]
)
def test_no_pod_is_taken_away_meanwhile(meanwhile: int, autoscaled: bool, ok: bool) -> None:
    checks = loaded("12")
    wanted = iter([3, meanwhile])

    async def deployment(lab: Any) -> Object:
        return {"spec": {"replicas": next(wanted, 3)}}

    async def owned(lab: Any) -> list[Object]:
        return []

    async def call() -> Any:
        async with checks.noted(made_up_lab(), NEW, every=0.01) as seen:
            await asyncio.sleep(0.1)
        return seen

    checks.owned_pods, checks.deployment_now = owned, deployment
    found = along(checks, Observation(True, "as it was given", "it is"), asyncio.run(call()), autoscaled)
    assert (found.ok, found.seen) == (ok, "it is" if ok else "replicas: 1")


def wanting(replicas: int) -> Any:
    """Tells a Deployment that wants so many pods."""

    async def deployment(lab: Any) -> Object:
        return {"spec": {"replicas": replicas}}

    return deployment


def along(checks: Any, after: Observation, seen: Any, autoscaled: bool = False) -> Observation:
    """What `all_along` says of a call before which there were three pods."""

    async def autoscalers(lab: Any) -> list[str]:
        return ["model"] if autoscaled else []

    checks.autoscalers_of = autoscalers
    found: Observation = asyncio.run(checks.all_along(made_up_lab(), after, {"spec": {"replicas": 3}}, seen))
    return found


def test_a_program_that_ends_before_the_rollout_is_shown_its_own_words() -> None:
    said = 'Apply failed with 1 conflict: conflict with "python" using apps/v1: .spec.template.spec.containers.image'
    ended = Command(1, f"deploying\n{said}\n", 2.0)
    found = loaded("12").tried_it(0, ended)
    assert (found.ok, found.seen) == (False, "none tried it; ./deploy: exit code 1 after 2 s")
    assert found.evidence[-1] == said
    tried = loaded("12").tried_it(1, ended)
    assert (tried.ok, tried.seen, tried.evidence) == (True, "1 tried it", ())


def test_each_call_finds_a_workspace_that_no_call_before_has_written_to(tmp_path: Path) -> None:
    (tmp_path / ".lab").mkdir()
    (tmp_path / ".lab" / "kubeconfig").write_text("of the lab")
    program = tmp_path / "deploy"
    program.write_text('#!/bin/sh\nls -A; cat .lab/kubeconfig; echo "$1" >noted; echo "$KUBECONFIG"')
    program.chmod(0o755)
    lab = made_up_lab("12", work=Work(tmp_path, "lab-12", "localhost:5001", {}))
    for image in (OLD, NEW):
        called = asyncio.run(loaded("12").deploy(lab, image))
        assert called.code == 0
        assert called.output.split() == [".lab", "deploy", "of", "the", f"lab{tmp_path}/.lab/kubeconfig"]
    assert {each.name for each in tmp_path.iterdir()} == {".lab", "deploy"}


class Registry:
    """The registry's answers, and what it was asked."""

    def __init__(self, mounts: int = 201) -> None:
        self.mounts = mounts
        self.asked: list[str] = []

    def __call__(
        self, method: str, path: str, headers: Any = None, body: bytes | None = None
    ) -> tuple[int, str, bytes]:
        self.asked.append(f"{method} {path}")
        if method == "POST":
            return self.mounts, "", b""
        if method == "PUT":
            return 201, "", b""
        if path == "flight-delay/manifests/k3m9x2p":
            return 200, "index", b'{"manifests": [{"digest": "sha256:1"}]}'
        if path == "flight-delay/manifests/sha256:1":
            return 200, "image", b'{"config": {"digest": "sha256:2"}, "layers": [{"digest": "sha256:3"}]}'
        return 404, "", b""


def test_an_image_is_served_in_another_repository_too() -> None:
    checks, registry = loaded("12"), Registry()
    checks._asked = registry
    assert checks.also_in(NEW, "arrivals") == "localhost:5001/arrivals:k3m9x2p"
    assert registry.asked == [
        "GET flight-delay/manifests/k3m9x2p",
        "GET flight-delay/manifests/sha256:1",
        "POST arrivals/blobs/uploads/?mount=sha256:2&from=flight-delay",
        "POST arrivals/blobs/uploads/?mount=sha256:3&from=flight-delay",
        "PUT arrivals/manifests/sha256:1",
        "PUT arrivals/manifests/k3m9x2p",
    ]
    assert checks.also_in(OLD, "arrivals") == ""  # not there
    assert checks.also_in("registry.example.org/me/flight-delay:k3m9x2p", "arrivals") == ""
    checks._asked = Registry(mounts=202)  # it wants the blob itself
    assert checks.also_in(NEW, "arrivals") == ""


@pytest.mark.parametrize(
    ("tagged_as", "moved", "called", "gone"),
    [
        (NEW, "localhost:5001/arrivals:k3m9x2p", "localhost:5001/arrivals:k3m9x2p", [NEW]),
        (NEW, "", NEW, []),
        ("localhost:5001/flight-delay:v2", "never asked for", "localhost:5001/flight-delay:v2", []),
    ],
)
def test_an_image_is_called_by_as_much_as_the_registry_allows(
    tagged_as: str, moved: str, called: str, gone: list[str]
) -> None:
    untagged: list[str] = []

    async def tagged(known: str, tag: str) -> str:
        return tagged_as

    async def no_more(*images: str) -> None:
        untagged.extend(images)

    checks = loaded("12")
    checks.also_in = lambda image, repository: moved
    lab = made_up_lab("12", platform=Platform(tagged=tagged, untagged=no_more))
    assert asyncio.run(checks.called(lab, "v2", "arrivals", "k3m9x2p")) == called
    assert untagged == gone


class OfDeploy(Room):
    """The work room with a program that says so of each image, and does so to the Deployment."""

    def __init__(self, here: Deployed, code: int | None, leaves: str = "") -> None:
        super().__init__()
        self.here, self.code, self.leaves = here, code, leaves

    async def called(self, lab: Any, image: str) -> Command:
        self.here.item = with_server(image=image if self.leaves else NEW)
        return Command(self.code, "", 30.0)


class Deployed(NothingThere):
    """Objects: the Deployment, whatever becomes of it, and a pod of the image that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.item: Object = with_server()
        self.through = True

    def deployment(self, name: str) -> Any:
        return self

    async def now(self) -> Object:
        return self.item

    present = now

    async def until(self, test: Any, *, expected: str, shown: Any, within: float) -> Observation:
        return Observation(test(self.item), expected, shown(self.item))

    async def all(self, kind: str, selector: str = "") -> list[Object]:
        return [{"metadata": {"name": "model-1"}, "spec": self.item["spec"]["template"]["spec"]}]

    async def rolled_out(self, **_: Any) -> Observation:
        return Observation(self.through, "all pods up to date and ready", "as it was made up")


@pytest.mark.parametrize(
    ("code", "leaves", "refused", "back"),
    [(1, "", True, True), (2, "it", True, False), (0, "it", False, False), (None, "", False, True)],
)
def test_an_image_that_is_not_there_is_refused_and_leaves_nothing(
    code: int | None, leaves: str, refused: bool, back: bool
) -> None:
    checks, here, put = loaded("12"), Deployed(), []

    async def tagged(known: str, tag: str) -> str:
        return NEW

    async def put_back(lab: Any, item: Object) -> None:
        put.append(item)

    checks.put_back = put_back
    checks.deploy = OfDeploy(here, code, leaves).called
    lab = made_up_lab("12", platform=Platform(tagged=tagged), objects=here)
    found = asyncio.run(checks.tried_in_vain(lab))
    assert (found.refused.ok, found.back.ok) == (refused, back)
    assert put == ([] if refused and back else [with_server()])


@pytest.mark.parametrize(
    ("code", "later", "runs", "ok"),
    [(0, NEW, NEW, [True, True]), (1, NEW, NEW, [False, True]), (None, NEW, OLD, [False, False]),
     (0, NEW, OLD, [True, False]), (1, OLD, OLD, [])],
)  # fmt: skip
def test_the_next_good_image_is_brought_too(code: int | None, later: str, runs: str, ok: list[bool]) -> None:
    checks, here = loaded("12"), Deployed()
    here.item = deployment(runs)

    async def images_called(lab: Any) -> Any:
        return SimpleNamespace(good=OLD, later=later)

    async def deploy(lab: Any, image: str) -> Command:
        assert image == later
        return Command(code, "", 30.0)

    checks.images_called, checks.deploy = images_called, deploy
    found = asyncio.run(checks.released_again(made_up_lab("12", objects=here)))
    assert [each.ok for each in found] == ok  # where the registry has one name for both there is nothing to bring


@pytest.mark.parametrize(
    ("asked", "put_back"),
    [(["replaces_the_old", "updates_without_a_failure"], 1), (["broken_never_serves"], 0), (["rolls_back"], 0)],
)
def test_a_deployment_is_put_back_unless_a_check_goes_on_from_its_update(asked: list[str], put_back: int) -> None:
    checks, put = loaded("12"), list[bool]()
    known = {"deployment_before": {}, "images_called": SimpleNamespace(good=NEW)}

    def window(begin: float, end: float) -> Any:
        return SimpleNamespace(labels={"v2": 9} if begin else {"v1": 9, "v2": 9})

    @contextlib.asynccontextmanager
    async def loads(*given: Any, **more: Any) -> AsyncIterator[Any]:
        seen = SimpleNamespace(window=window, failed=0)

        async def finished() -> None: ...

        yield SimpleNamespace(seen=seen, report=seen, elapsed=60.0, finished=finished)

    @contextlib.asynccontextmanager
    async def noted(*given: Any, **more: Any) -> AsyncIterator[None]:
        yield

    async def well(*given: Any) -> Observation:
        return READY

    async def deploy(lab: Any, image: str) -> Command:
        return Command(0, "", 30.0)

    async def once(function: Any) -> Any:
        return known[function.__name__]

    async def back_as_found(lab: Any) -> None:
        put.append(True)

    async def nothing(lab: Any) -> None: ...

    async def released(lab: Any) -> tuple[Observation, ...]:
        return (READY,)

    checks.deploy, checks.noted, checks.none_lost = deploy, noted, lambda report: READY
    checks.released_again = released
    checks.through_with = checks.as_before = checks.all_along = checks.own_answers = well
    checks.tried_in_vain, checks.back_as_found, checks.forgotten = nothing, back_as_found, nothing
    lab = made_up_lab("12", traffic=NoTraffic(load=loads))
    lab.asked, lab.once = frozenset(asked), once  # type: ignore[method-assign]
    assert asyncio.run(checks.updated(lab)).well
    assert len(put) == put_back


def slept(seconds: int) -> Object:
    return {"sleep": {"seconds": seconds}}


def executed(*command: str) -> Object:
    return {"exec": {"command": list(command)}}


def waiting(hook: Object | None, grace: int) -> Object:
    item = with_server()
    spec = item["spec"]["template"]["spec"]
    spec["terminationGracePeriodSeconds"] = grace
    spec["containers"][0] |= {"lifecycle": {"preStop": hook}} if hook else {}
    return item


DRAIN = executed("python3", "/config/drain.py")


@pytest.mark.parametrize(
    ("before", "grace", "after", "grace_after", "ok"),
    [
        (slept(8), 30, slept(8), 30, True),
        (slept(8), 30, slept(12), 60, True),
        (slept(8), 60, slept(8), 30, True),
        (slept(8), 30, slept(1), 30, False),
        (slept(8), 30, slept(0), 30, False),
        (slept(8), 30, None, 30, False),
        (None, 30, None, 1, True),
        (None, 30, slept(5), 30, True),
        (slept(10), 30, executed("sleep", "10"), 30, True),
        (executed("sleep", "10"), 40, executed("sleep", "10"), 40, True),
        (executed("sleep", "10"), 40, executed("sleep", "10"), 1, False),
        (executed("/bin/sleep", "10s"), 30, executed("/bin/sleep", "1s"), 30, False),
        (executed("sh", "-c", "sleep 5; sleep 5"), 30, executed("sh", "-c", "sleep 5"), 30, False),
        (executed("sh", "-c", "sleep 5 && sleep 0.5m"), 60, slept(35), 60, True),
        (executed("python3", "-c", "import time; time.sleep(8)"), 30, slept(8), 30, True),
        (executed("sh", "-c", "sleep 40"), 30, slept(30), 30, True),
        (executed("sleep", "10"), 30, executed("true"), 30, False),
        (executed("sleep", "infinity"), 15, executed("sleep", "infinity"), 15, True),
        (DRAIN, 30, DRAIN, 30, True),
        (DRAIN, 30, DRAIN, 60, True),
        (DRAIN, 30, DRAIN, 1, False),
        (DRAIN, 30, slept(8), 30, True),
        (DRAIN, 30, None, 30, False),
    ],
)
def test_an_update_leaves_the_pods_the_wait_that_the_next_one_needs(
    before: Object | None, grace: int, after: Object | None, grace_after: int, ok: bool
) -> None:
    seen = loaded("12").waits_as_before(waiting(before, grace), waiting(after, grace_after))
    assert seen.ok is ok and f"terminationGracePeriodSeconds {grace_after}" in seen.seen


def test_a_deployment_that_is_gone_leaves_no_wait() -> None:
    assert not loaded("12").waits_as_before(waiting(slept(8), 30), None).ok


def test_an_update_that_takes_the_wait_out_is_not_well() -> None:
    checks, good = loaded("12"), [READY] * 7
    update = checks.Update(*good, SimpleNamespace(), 0.0, None, (READY,))
    assert update.well
    assert not replace(update, waits=Observation(False, "a preStop wait", "none")).well
    assert not replace(update, again=(READY, Observation(False, "exit code 0", "exit code 1"))).well


def rolling(replicas: int, **limits: Any) -> Object:
    return {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": limits}}


@pytest.mark.parametrize(
    ("spec", "missing"),
    [
        ({"replicas": 3}, 0),  # 25% of three, rounded down
        ({"replicas": 4}, 1),
        ({}, 0),
        (rolling(3, maxSurge="25%", maxUnavailable="25%"), 0),
        (rolling(3, maxSurge=1, maxUnavailable=0), 0),
        (rolling(3, maxSurge=1, maxUnavailable="0%"), 0),
        (rolling(3, maxSurge=0, maxUnavailable=1), 1),
        (rolling(3, maxSurge=0, maxUnavailable="25%"), 1),  # both would be nothing
        (rolling(3, maxSurge="1%", maxUnavailable="25%"), 0),
        (rolling(3, maxSurge=0, maxUnavailable="100%"), 3),
        (rolling(3, maxSurge=0, maxUnavailable=5), 3),
        ({"replicas": 3, "strategy": {"type": "Recreate"}}, 0),
    ],
)
def test_a_rolling_update_deletes_as_many_pods_as_it_may(spec: Object, missing: int) -> None:
    assert loaded("12").may_be_missing(spec) == missing


@pytest.mark.parametrize(
    ("spec", "said", "not_said"),
    [
        ({}, "no preStop wait", "maxUnavailable"),
        (rolling(3, maxSurge=0, maxUnavailable=2), "maxUnavailable lets 2 of 3 pods", "Recreate"),
        ({"strategy": {"type": "Recreate"}}, "strategy Recreate deletes all", "maxUnavailable"),
    ],
)
def test_why_requests_were_lost_says_what_the_strategy_does(spec: Object, said: str, not_said: str) -> None:
    item = waiting(None, 30)
    item["spec"] |= spec
    why = why_lost(item, {0: 9, 200: 91})
    assert said in why and not_said not in why


@pytest.mark.parametrize(
    ("hook", "grace", "statuses", "said"),
    [
        (slept(1), 30, {0: 2, 200: 98}, "listening for 1 s"),
        (executed("sh", "-c", "sleep 2.5"), 30, {0: 2}, "listening for 2.5 s"),
        (slept(8), 3, {0: 2}, "listening for 3 s"),
        (slept(8), 30, {0: 2}, "the evidence says"),
        (DRAIN, 30, {0: 2}, "the evidence says"),
        (slept(1), 30, {500: 2}, "the evidence says"),
    ],
)
def test_a_wait_that_is_short_may_be_why_requests_had_no_answer(
    hook: Object, grace: int, statuses: dict[int, int], said: str
) -> None:
    assert said in why_lost(waiting(hook, grace), statuses)


READYZ, HEALTHZ = ({"httpGet": {"path": path}} for path in ("/readyz", "/healthz"))


@pytest.mark.parametrize(
    ("probes", "statuses", "said", "not_said"),
    [
        ({}, {503: 2}, "has no readinessProbe", "503, which"),
        ({"readinessProbe": HEALTHZ, "startupProbe": READYZ}, {503: 2}, "readiness probe asks /healthz", "startup"),
        ({"startupProbe": HEALTHZ}, {503: 2}, "startup probe asks /healthz", "no readinessProbe"),
        ({"startupProbe": READYZ}, {0: 2}, "no preStop wait", "no readinessProbe"),
    ],
)
def test_a_pod_is_ready_by_its_startup_probe_where_it_has_no_other(
    probes: Object, statuses: dict[int, int], said: str, not_said: str
) -> None:
    why = why_lost(waiting(None, 30), statuses, probes)
    assert said in why and not_said not in why


def why_lost(deployment: Object, statuses: dict[int, int], probes: Object | None = None) -> str:
    """What is said of lost requests where nothing is wrong with the Service, nor with the probes that are not given."""
    probes = {"readinessProbe": READYZ} if probes is None else probes
    deployment["spec"]["template"]["spec"]["containers"][0].update(probes)
    lab = made_up_lab("12")
    said: str = asyncio.run(loaded("12").why_lost(lab, deployment, SimpleNamespace(statuses=statuses)))
    return said
