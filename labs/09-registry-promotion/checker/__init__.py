"""Lab 09: what clients see while the learner's own `promote` and `rollback` move the alias `production`.

It is one story, told in the order of the checks: february is promoted, april (broken) refused, march promoted, and then
rolled back to february. The checker itself only puts the alias to version 1 at the beginning, and at the end leaves
registry and Deployment as it found them.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_lab.checks import Lab, LabError, Observation, at_least, at_most, check, equal_to, expect, observe
from mlops_lab.kit.losses import none_lost
from mlops_lab.measure.traffic.flights import difference

Object = dict[str, Any]

ALIAS = "production"
FIRST, NEXT, BROKEN, LAST = (
    "january",
    "february",
    "april",
    "march",
)  # the runs of start/seed.yaml, as the story has them
ROWS = 20
SCORED_WITHIN = 120  # s for the models to be loaded in a pod
ANSWER_WITHIN, FOLLOW_WITHIN = 15, 60  # s for the Service to answer at all, and for its pods to follow the alias
RATE = 20  # requests a second
LATE = 1.0  # s that requests may leave late while models load on a small machine: failures are counted, no latencies
BEFORE, AFTER = 3, 5  # s of load before a program is called and after its end
WITHIN = 60  # s for one call of a program
MARGIN = 0.5  # s after a program's end in which answers may have been under way, or clocks apart
ASKED = 4  # times that the Service is asked for its values after a program's end


@check(points=2, domains=("ckad/environment-configuration-and-security", "ckad/observability-and-maintenance"))
async def serves_production(lab: Lab) -> None:
    """Service `model` answers POST /predict on port 80 with the values of version 1, which has the alias `production`.

    Two pods or more of the Deployment `model` are ready within 60 s. The checker begins at version 1: if the alias
    means another, it moves it there first, and at its end back again.
    """
    deployment = lab.objects.deployment("model")
    if await deployment.now() is None:
        expect(Observation(False, "a Deployment named model", "there is none in this namespace")).because(
            "nothing runs before it is applied: kubectl apply -f model.yaml, then kubectl get deployments"
        )
    models = await lab.once(scored)
    was = await lab.once(found)
    good = False
    try:
        if was.aliases.get(ALIAS) != was.first:
            await lab.platform.mlflow.set_alias(ALIAS, was.first)
        ready = await deployment.rolled_out(pods=2, within=60)
        expect(ready).because(
            "a pod is ready once its server has loaded what the alias means. kubectl logs deployment/model says what "
            "it looks for and what MLflow answers: it needs MLFLOW_TRACKING_URI and MODEL_NAME (ConfigMap platform), "
            f"and the alias must be {ALIAS}, spelt like that"
        )
        answer = await lab.time.eventually(
            lambda: lab.traffic.post("model", "/predict", hidden(lab).body, within=5),
            lambda answer: answer.status == 200,
            expected="POST /predict answers with status 200",
            shown=lambda answer: f"status {answer.status} {answer.error}".strip(),
            within=ANSWER_WITHIN,
        )
        selected = len(await lab.objects.pods_of("model"))
        expect(answer).because(
            f"the selector of Service model matches {selected} pods. Its labels must be those of the pod template, and "
            "its targetPort the port that the server listens on: 8080. kubectl get endpointslices shows both"
        )
        asked = await lab.time.eventually(
            lambda: answers(lab),
            lambda said: all(version == was.first for version, _ in said),
            expected=f"model_version {was.first} in the answers",
            shown=lambda said: ", ".join(sorted({version or "none" for version, _ in said})),
            within=FOLLOW_WITHIN,
        )
        expect(asked).because(
            f"the alias {ALIAS} means version {was.first}, and a server that follows it asks MLflow every "
            "MODEL_POLL_SECONDS. With MODEL_VERSION set it never asks: the version is then what the manifest says"
        )
        apart = furthest(asked.value, models[FIRST].values)
        expect(observe("largest difference from that version's own values", apart, at_most(1e-6))).because(
            "the same model gives the same values wherever it runs; these come from another one"
        )
        good = True
    finally:
        if not good:
            await put_back(lab)


@check(points=3, needs=serves_production, owns="model", domains=("ckad/deployment",))
async def promotes(lab: Lab) -> None:
    """`./promote RUN_ID` with the run february exits 0 within 60 s, and from then on every answer is that model's.

    It is called 3 s after the start of a load of 20 requests a second, which ends 5 s after the program.
    """
    step = await lab.once(promoted)
    expect(step.exited).because(
        "moving the alias is one request; then the servers look at it, download, load, and change over. The program "
        "has to wait for that and to see it. If the pods still serve what they did: do they follow the alias "
        "(MODEL_ALIAS) or a fixed version (MODEL_VERSION)? kubectl logs deployment/model tells of each change"
    )
    expect(step.served).because(
        "whoever calls the program believes its exit code: 0 has to mean that the new model serves, not that the alias "
        "has moved. Servers ask MLflow every MODEL_POLL_SECONDS, and each pod by itself; so ask all of them before "
        "the exit (GET /version, or model_info in GET /metrics), not one"
    )
    expect(step.right).because(
        "the version that the alias means must be made of the model that the run has logged: runs/get names it under "
        "outputs.model_outputs, and the version's source is models:/MODEL_ID"
    )


@check(points=3, needs=promotes, owns="model", domains=("ckad/deployment", "ckad/services-and-networking"))
async def promotes_without_a_failure(lab: Lab) -> None:
    """Of the requests of that load not one fails.

    A request fails if no connection is made, if no answer comes within 10 s, or if the answer's status is not 200.
    """
    step = await lab.once(promoted)
    expect(step.unharmed).because("" if step.unharmed.ok else await why_lost(lab, step.statuses))


@check(points=2, needs=promotes, domains=("ckad/observability-and-maintenance",))
async def keeps_lineage(lab: Lab) -> None:
    """From the version that serves, MLflow leads to the run and to its data: `run_id`, and the tag `data.digest`.

    The digest is that of the data set which the run february has logged as its input.
    """
    step = await lab.once(promoted)
    run, version = (await lab.once(scored))[NEXT], step.version
    expect(observe(f"run_id of version {version['version']}", version.get("run_id"), equal_to(run.number))).because(
        "model-versions/create takes run_id: with it who looks at the version finds parameters, metrics and data of "
        "the training, and without it a file. MLflow does not check that it is the run which logged the model"
    )
    expect(observe("its tag data.digest", tags(version).get("data.digest"), equal_to(run.digest))).because(
        "runs/get has the digest under inputs.dataset_inputs, and it belongs to this run alone. As a tag of the "
        "version it stays in the registry when runs are cleared away, and tells at once which models a bad day is in"
    )


@check(points=3, needs=promotes_without_a_failure, owns="model", domains=("ckad/observability-and-maintenance",))
async def refuses_broken(lab: Lab) -> None:
    """`./promote RUN_ID` with the run april, whose model can't be loaded, exits with another code than 0 within 60 s.

    Meanwhile none of 20 requests a second fails, and all are answered by february's version; the alias means that
    version in the end.
    """
    step = await lab.once(refused)
    expect(step.unharmed).because(
        "the server loads a new version beside the old one and goes on with the old one when that fails, so a broken "
        "model need not cost a request. What was lost was lost on pods that were ended or restarted"
    )
    expect(step.exited).because(
        "whoever calls the program has only its exit code, and here the model did not come to serve. Bound the wait; "
        "the servers also say at once that they failed (model_reload_failures_total in GET /metrics). And mind that "
        "the exit code of a script is that of its last command, which may be the way back"
    )
    expect(step.alias).because(
        "the pods that run have a model and go on, so nothing is seen of it for now. But a pod that starts, after a "
        "crash or to carry more load, takes what the alias means, and never becomes ready. Who moves the alias and "
        "fails has to move it back"
    )
    expect(step.served).because(
        "february's version was in production when the program began; kubectl logs deployment/model tells what the "
        "servers loaded since"
    )


@check(points=3, needs=refuses_broken, owns="model", domains=("ckad/deployment", "cka/troubleshooting"))
async def rolls_back(lab: Lab) -> None:
    """After `./promote` with the run march, `./rollback` exits 0 within 60 s, and february's version serves again.

    It is the version itself, not a copy. None of 20 requests a second fails during the rollback.
    """
    step = await lab.once(rolled_back)
    expect(step.again).because(
        "after a candidate that was refused the next good one has to come through. A server that failed looks again "
        "after twice the time, and then twice that: the longer the alias means a broken version, the longer it takes"
    )
    assert step.exited and step.served and step.unharmed and step.same
    expect(step.exited).because(
        "a rollback is a promotion of what is known to be good: move the alias, and wait until all pods serve it. If "
        "it failed, did the alias move to a version that can be loaded?"
    )
    expect(step.served).because(
        "what was in production before march was february. That is not version 1, and not the number before: a "
        "candidate that was refused has a number too. So the program that moves the alias has to write down what it "
        "replaced: as a tag of the version, or as a second alias. And an alias that is gone changes nothing: servers "
        "that find none go on with what they have, and those that start have nothing"
    )
    expect(step.same).because(
        "the registry is a history: that version 2 served, then 4, then 2 again is what happened. A new version of the "
        "same model hides it, and whoever looks for answers of version 2 finds half of them"
    )
    expect(step.unharmed).because("" if step.unharmed.ok else await why_lost(lab, step.statuses))


@dataclass(frozen=True)
class Run:
    """One of the runs: its id, the digest of its data, what its model gives for the hidden flights."""

    number: str
    digest: str
    values: list[float]


@dataclass(frozen=True)
class Found:
    """How the registry and the Deployment were; `first` is the version that the story begins with."""

    deployment: Object
    versions: set[str]
    aliases: dict[str, str]
    first: str


@dataclass(frozen=True)
class Promotion:
    """What the promotion of february brought about; `version` is what the alias means then."""

    exited: Observation
    served: Observation
    right: Observation
    unharmed: Observation
    statuses: dict[int, int]
    version: Object


@dataclass(frozen=True)
class Refusal:
    """What the try with april brought about."""

    unharmed: Observation
    exited: Observation
    alias: Observation
    served: Observation


@dataclass(frozen=True)
class Return:
    """What the promotion of march, and then the rollback, brought about; only `again` if the first one failed."""

    again: Observation
    exited: Observation | None = None
    served: Observation | None = None
    same: Observation | None = None
    unharmed: Observation | None = None
    statuses: dict[int, int] | None = None


@dataclass(frozen=True)
class Called:
    """One call of a program under load; times in seconds on the load's clock."""

    command: Any
    report: Any
    ended: float
    over: float

    def after(self) -> set[str]:
        """The versions of the answers after the program's end."""
        return set(named(self.report.window(self.ended + MARGIN, self.over).labels))

    def exited(self, words: str, *, well: bool) -> Observation:
        code = self.command.code
        wanted = f"{words}: {'exit code 0' if well else 'an exit code other than 0'} within {WITHIN} s"
        return self.command.observed(code == 0 if well else code not in (0, None), wanted)


async def scored(lab: Lab) -> dict[str, Run]:
    """The runs by name; their models are loaded by the checker itself, all but the broken one."""
    runs = await lab.platform.mlflow.runs("attributes.status = 'FINISHED'")
    # Another run of such a name, made by hand, has no data set.
    known = {each["info"].get("run_name"): each for each in runs if each.get("inputs", {}).get("dataset_inputs")}
    names = {FIRST, NEXT, BROKEN, LAST}
    gone = ", ".join(sorted(names - set(known))) or "none"
    expect(observe("runs of this lab that MLflow has lost", gone, equal_to("none"))).because(
        "the lab's runs are what is promoted; lab reset makes them again"
    )
    loaded = [known[name]["info"]["run_id"] for name in sorted(names - {BROKEN})]
    files = {
        "score.py": Path(__file__).with_name("score.py").read_text(),
        "rows.json": json.dumps(hidden(lab).body["rows"]),
    }
    output = await lab.programs.run(
        "components:1", "python3", "/checker/score.py", *loaded, files=files, within=SCORED_WITHIN
    )
    if output.code:
        raise LabError("the checker could not load the models of the runs", "see: lab status", output.text)
    values = json.loads(output.text.strip().splitlines()[-1])
    return {
        name: Run(
            each["info"]["run_id"],
            each["inputs"]["dataset_inputs"][0]["dataset"]["digest"],
            values.get(each["info"]["run_id"], []),
        )
        for name, each in known.items()
        if name in names
    }


async def found(lab: Lab) -> Found:
    """Registry and Deployment as they were before the checker let anything happen to them."""
    run = (await lab.once(scored))[FIRST].number
    versions = await lab.platform.mlflow.versions()
    first = [each["version"] for each in versions if each.get("run_id") == run]
    expect(observe("versions of the run january in the registry", len(first), at_least(1))).because(
        "the story begins with version 1, which the lab made; lab reset makes it again"
    )
    deployment = await lab.objects.deployment("model").now() or {}
    numbers = {str(each["version"]) for each in versions}
    return Found(deployment, numbers, await aliases(lab), min(map(str, first), key=int))


async def promoted(lab: Lab) -> Promotion:
    """Let the program promote february under load; if anything was not as asked, put all back."""
    was, run = await lab.once(found), (await lab.once(scored))[NEXT]
    step = None
    try:
        called = await under_load(lab, "promote", run.number)
        version = await in_production(lab)
        number = str(version.get("version"))
        said = await answers(lab) if called.command.code == 0 else []
        begun = set(named(called.report.window(0, BEFORE).labels))
        served = Observation(
            begun == {was.first} and number != was.first and called.after() == {number},
            f"answers of version {was.first}, then of another; after ./promote's end of that one alone",
            f"{', '.join(sorted(begun)) or 'none'} at first, {', '.join(sorted(called.after())) or 'none'} after its "
            f"end; the alias means version {number}",
            evidence=tuple(called.command.output.splitlines()[-5:]),
        )
        step = Promotion(
            called.exited("./promote with the run february", well=True), served, right(said, number, run.values),
            none_lost(called.report), dict(called.report.statuses), version,
        )  # fmt: skip
        return step
    finally:
        if not (step and step.exited.ok and step.served.ok and step.right.ok and step.unharmed.ok):
            await put_back(lab)


async def refused(lab: Lab) -> Refusal:
    """Let the program try april under load; if anything was not as asked, put all back."""
    good, run = str((await lab.once(promoted)).version["version"]), (await lab.once(scored))[BROKEN]
    step = None
    try:
        called = await under_load(lab, "promote", run.number)
        number = str((await in_production(lab)).get("version"))
        seen = set(named(called.report.labels))
        step = Refusal(
            none_lost(called.report),
            called.exited("./promote with the run april", well=False),
            observe(f"version that the alias {ALIAS} means", number, equal_to(good)),
            observe("versions of the answers", ", ".join(sorted(seen)), equal_to(good)),
        )
        return step
    finally:
        if not (step and step.unharmed.ok and step.exited.ok and step.alias.ok and step.served.ok):
            await put_back(lab)


async def rolled_back(lab: Lab) -> Return:
    """Let march be promoted, then rolled back under load; at the end put all back."""
    models = await lab.once(scored)
    good = str((await lab.once(promoted)).version["version"])
    await lab.once(refused)
    try:
        address = await lab.platform.address("mlflow")
        run = models[LAST].number
        command = await lab.work.command("promote", run, within=WITHIN, env={"MLFLOW_TRACKING_URI": address})
        asked = f"./promote with the run march: exit code 0 within {WITHIN} s"
        again = command.observed(command.code == 0, asked)
        if not again.ok:
            return Return(again)
        versions = len(await lab.platform.mlflow.versions())
        last = str((await in_production(lab)).get("version"))
        called = await under_load(lab, "rollback")
        number = str((await in_production(lab)).get("version"))
        more = len(await lab.platform.mlflow.versions()) - versions
        after = called.after()
        # A copy of february has another number, and its values: then `same` tells, not `served`.
        copied = more > 0 and after == {number} and right(await answers(lab), number, models[NEXT].values).ok
        served = Observation(
            copied or (after == {good} and right(await answers(lab), good, models[NEXT].values).ok),
            f"answers of version {good} (february) alone after ./rollback's end, with its values",
            f"of version {', '.join(sorted(after)) or 'none'}; march is version {last}, and the alias means {number}",
        )
        same = Observation(
            number == good and more == 0,
            f"the alias {ALIAS} means version {good}, and no version is made",
            f"it means {number if number != 'None' else 'none'}; versions made: {more}",
        )
        return Return(
            again, called.exited("./rollback", well=True), served, same, none_lost(called.report),
            dict(called.report.statuses),
        )  # fmt: skip
    finally:
        await put_back(lab)


async def under_load(lab: Lab, *words: str) -> Called:
    """Call a program of the learner's while requests come in."""
    address = await lab.platform.address("mlflow")
    body, whole = lab.traffic.hidden_rows(1).body, BEFORE + WITHIN + AFTER + 5
    async with lab.traffic.load("model", rate=RATE, duration=whole, body=body, late_at_most=LATE) as load:
        await lab.time.pause(BEFORE)
        command = await lab.work.command(*words, within=WITHIN, env={"MLFLOW_TRACKING_URI": address})
        ended = load.elapsed
        await lab.time.pause(AFTER)
        over = load.elapsed
    return Called(command, load.report, ended, over)


async def put_back(lab: Lab) -> None:
    """Make registry and Deployment again what they were found to be."""
    was, mlflow, name = await lab.once(found), lab.platform.mlflow, lab.platform.mlflow.name
    now = await aliases(lab)
    for alias, version in was.aliases.items():
        if now.get(alias) != version:
            await mlflow.set_alias(alias, version)
    for alias in set(now) - set(was.aliases):
        await mlflow.ask("DELETE", "registered-models/alias", {"name": name, "alias": alias})
    for each in await mlflow.versions():
        if str(each["version"]) not in was.versions:
            gone = {"name": name, "version": each["version"]}
            await mlflow.ask("DELETE", "model-versions/delete", gone)
    deployment = lab.objects.deployment("model")
    item = await deployment.now()
    if item and was.deployment and item["spec"] != was.deployment["spec"]:
        spec = {"spec": was.deployment["spec"]}
        await lab.objects.patch("Deployment", "model", spec)
        task = asyncio.current_task()
        if not (task and task.cancelling()):  # who interrupts does not want to wait
            await deployment.rolled_out(within=90)


async def in_production(lab: Lab) -> Object:
    """The version that the alias means; empty for none."""
    return await lab.platform.mlflow.by_alias(ALIAS) or {}


async def aliases(lab: Lab) -> dict[str, str]:
    """All aliases of the registered model, with their versions."""
    told = await lab.platform.mlflow.ask("GET", "registered-models/get", name=lab.platform.mlflow.name)
    return {each["alias"]: str(each["version"]) for each in told["registered_model"].get("aliases") or []}


async def answers(lab: Lab) -> list[tuple[str, Any]]:
    """What the Service answers for the hidden flights, several times: version and probabilities."""
    found = []
    for _ in range(ASKED):
        answer = await lab.traffic.post("model", "/predict", hidden(lab).body, within=5)
        said = answer.fields_if_any if answer.status == 200 else {}
        found.append((str(said.get("model_version") or ""), said.get("probabilities")))
    return found


def hidden(lab: Lab) -> Any:
    return lab.traffic.hidden_rows(ROWS)


def right(said: list[tuple[str, Any]], version: str, values: list[float]) -> Observation:
    """All answers are of the version, with the values."""
    apart = furthest(said, values)
    seen = ", ".join(sorted({each or "none" for each, _ in said})) or "none"
    return Observation(
        apart <= 1e-6 and seen == version,
        f"answers of version {version} with its run's own values, to 1e-6",
        f"of version {seen}, {apart:.2g} apart",
        apart,
    )


def furthest(said: list[tuple[str, Any]], values: list[float]) -> float:
    """The largest difference of any answer from the values; 1 if one holds other than as many numbers."""
    apart = [difference(given, values) for _, given in said]
    return max((1.0 if each is None else each for each in apart), default=1.0)


def tags(item: Object) -> dict[str, str]:
    return {each["key"]: each.get("value", "") for each in item.get("tags") or []}


def named(labels: dict[str, int]) -> dict[str, int]:
    """The answers that say a version."""
    return {label: number for label, number in labels.items() if label}


async def why_lost(lab: Lab, statuses: dict[int, int] | None) -> str:
    """What in the Deployment explains requests lost while the version changed."""
    spec = (await lab.once(found)).deployment.get("spec")
    if not spec:
        return "Deployment model was away when the checker looked at it, and without its pods nobody answers"
    container = spec["template"]["spec"]["containers"][0]
    path = ((container.get("readinessProbe") or {}).get("httpGet") or {}).get("path")
    reasons = ["a server that follows the alias changes its model in place, and no pod has to go for it"]
    if (spec.get("strategy") or {}).get("type") == "Recreate":
        reasons.append("strategy Recreate ends all pods before the first new one starts")
    if path != "/readyz":
        reasons.append(
            f"the readiness probe asks {path or 'nothing'}: a new pod gets requests before it has a model (503). Only "
            "GET /readyz knows whether there is one"
        )
    elif (statuses or {}).get(0):
        reasons.append(
            "requests got no answer: pods were ended, and one that stops listening at SIGTERM still gets requests for "
            "a second or two (lifecycle.preStop)"
        )
    return "; ".join(reasons)
