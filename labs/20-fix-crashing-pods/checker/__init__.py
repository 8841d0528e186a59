"""Lab 20: four programs whose faults hide each other. Asked is what they do; then one hangs, and all are replaced."""

from __future__ import annotations

from mlops_lab.checks import Lab, at_most, check, equal_to, expect, observe
from mlops_lab.kit.drawn import drawn
from mlops_lab.kit.inside import settled
from mlops_lab.kit.makers import answers_alone
from mlops_lab.kit.rollouts import rollout_over
from mlops_lab.kit.side_by_side import together

from .budget import MIB, PARTS, accounted
from .outside import must_have_a_volume_of_the_clusters, of_an_image_that_was_there
from .reports import delivered, of_no_cronjob, of_nobody_else
from .scenario import (
    AT_ONCE,
    LATE_FROM,
    RELEASE,
    ROUTES,
    UP_WITHIN,
    board_of,
    forecast,
    hung_and_back,
    hung_without_a_file,
    kept_over_new_pods,
    large_requests,
    must_leave_it_alone,
    must_run_as_given,
    opened,
    shows_newest,
)
from .why import (
    AGAIN,
    BOARD,
    BOOK,
    BUDGET,
    COLLECTOR,
    FORGOTTEN,
    HUNG,
    JUST_AFTER,
    LARGE,
    MODEL,
    NO_FILE,
    ONE_BOOK,
    OTHERS,
    PUSHED,
    SHOWN,
)

BUDGET_MIB = 256
ROLLED_OUT_WITHIN = 45  # s, for collector and board, which other checks wait for


@check(points=2, domains=("cka/troubleshooting", "cka/storage"))
async def book_answers(lab: Lab) -> None:
    """The book is up within 90 s, and its pods alone answer GET /routes with the minutes of the archive.

    It is the given program, started as it was, and its volume of a class that the cluster had for everybody when the
    lab began; nobody has made it by hand since. Its liveness probe, of whatever kind, leaves a book that answers alone;
    one that asks another address, or by gRPC, the checker watches for up to 60 s.
    """
    await settled(lab, "book", within=UP_WITHIN, why=BOOK)
    await must_run_as_given(lab, "book")
    await must_have_a_volume_of_the_clusters(lab)
    expect(await opened(lab)).because(
        "the routes are the archive's, and that was right as it was: kubectl get configmap archive -o yaml. If there "
        "is no answer at all: kubectl get endpointslices"
    )
    await must_leave_it_alone(lab)
    await answers_alone(lab, "book")


@check(points=1, needs=book_answers, domains=("cka/troubleshooting", "ckad/observability-and-maintenance"))
async def reports_come_in(lab: Lab) -> None:
    """The collector is up within 90 s, and within 15 s a new report of its own is in the book, of release v2.

    Its image is that of this release which the registry had before, by its tag or its digest. Nobody else reports to
    the book in the seconds after that, nor does a Job of a CronJob that is about reports: the checker starts one.
    """
    await settled(lab, "collector", within=UP_WITHIN, why=COLLECTOR)
    await must_run_as_given(lab, "collector")
    seen = await delivered(lab)
    expect(seen).because(
        "kubectl logs deploy/collector says what becomes of its reports; those of anybody else are not the collector's"
    )
    expect(observe("release that it says it is of", str(seen.value.get("release")), equal_to(RELEASE))).because(
        "the program reads its release from the image that it runs in, and that was to be the image of this release"
    )
    expect(await of_an_image_that_was_there(lab, RELEASE)).because(PUSHED)
    expect(await of_nobody_else(lab, seen.value)).because(OTHERS)
    expect(await of_no_cronjob(lab)).because(OTHERS)


@check(
    points=2,
    needs=book_answers,
    domains=("cka/troubleshooting", "ckad/environment-configuration-and-security"),
)
async def forecasts(lab: Lab) -> None:
    """The model is up within 90 s, and answers for 3 routes, and then for 500 at once, three times in a row.

    The minutes are the book's, and its container is not started anew for that. It is the given program, and nobody
    else answers for it.
    """
    await settled(lab, "model", within=UP_WITHIN, why=MODEL)
    await must_run_as_given(lab, "model")
    routes = drawn(lab, "routes")
    expect(await forecast(lab, routes.sample(sorted(ROUTES), 3))).because(
        "the model takes each route's minutes from the book when it starts: kubectl logs deploy/model"
    )
    await answers_alone(lab, "model")  # once somebody answers, as others' pods may be ready later
    expect(await large_requests(lab, routes.choices(sorted(ROUTES), k=AT_ONCE))).because(LARGE)


@check(
    points=1,
    needs=forecasts,
    domains=("ckad/environment-configuration-and-security", "cka/workloads-and-scheduling"),
)
async def in_the_budget(lab: Lab) -> None:
    """Each container of the four, or its pod, has a memory limit; those of the pods add up to 256 MiB at most.

    The next pods of the four must have one as well.
    """
    # That a rollout ends is its own check's.
    await together(*(rollout_over(lab, part, within=ROLLED_OUT_WITHIN) for part in PARTS))
    limited, total, lines = await accounted(lab)
    expect(limited).because(BUDGET)
    expect(
        observe("memory limits of all pods", f"{float(total / MIB):g}Mi", at_most(f"{BUDGET_MIB}Mi"), evidence=lines)
    ).because(BUDGET)


@check(
    points=2,
    needs=(reports_come_in, forecasts),
    domains=("cka/troubleshooting", "ckad/environment-configuration-and-security"),
)
async def board_shows(lab: Lab) -> None:
    """The board is up within 90 s, and shows of each route the minutes, whether that is late, and the newest report.

    Late are 15 minutes and more. The report is in the book, whichever of its pods is asked. It is the given program,
    started as it was.
    """
    await settled(lab, "board", within=UP_WITHIN, why=BOARD)
    await must_run_as_given(lab, "board")
    answer, rows = await board_of(lab)
    expect(rows).because(SHOWN.format(minutes=LATE_FROM))
    await answers_alone(lab, "board")
    expect(await shows_newest(lab, answer)).because(ONE_BOOK)


@check(
    points=1,
    needs=book_answers,
    owns="book",
    domains=("cka/troubleshooting", "ckad/observability-and-maintenance"),
)
async def hung_book_comes_back(lab: Lab) -> None:
    """The checker makes a book hang whose pod is new: within 45 s a new container, and then it answers again.

    By the numbers of its liveness probe, and the grace period where the book has to be killed, it is so as well for a
    book that hangs just after a good answer.

    Where the liveness probe does not ask the book itself by HTTP, the checker does so once more, with a new pod, and
    without the drill's file.
    """
    anew, at_worst, answers = await hung_and_back(lab)
    expect(anew).because(HUNG)
    expect(at_worst).because(JUST_AFTER)
    expect(answers).because(AGAIN)
    expect(await hung_without_a_file(lab)).because(NO_FILE)


@check(
    points=1,
    needs=board_shows,
    owns="all pods",
    domains=("cka/storage", "cka/workloads-and-scheduling"),
)
async def lasts(lab: Lab) -> None:
    """All pods of the four are deleted: within 90 s the board shows what it did, and no report is lost.

    The model answers for 500 routes at once as before. Then reports of release v2 come into the book again.
    """
    back, shown, kept, again = await kept_over_new_pods(lab)
    expect(back).because(
        "a pod that is made anew is made from its Deployment's template: what was changed in a pod alone is gone"
    )
    expect(shown).because(
        "kubectl get pods says which of the four is not as it was before. A new pod has the resources of its "
        "Deployment's template, and not those that were given to a pod while it ran"
    )
    expect(kept).because(FORGOTTEN)
    expect(again).because("the new pod of the collector reports as the one before did: kubectl logs deploy/collector")
