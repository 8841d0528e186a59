"""Lab 03: what the learner's Dockerfile makes, built of a copy of the workspace in which the checker planted things.

It is built twice, the second time with another line in the source, and read layer by layer. Two pods run it: one with
all rights, for what the image does, and one as the platform runs it. All that is one run, which the checks share.
"""

from __future__ import annotations

from mlops_lab.checks import Lab, Observation, at_least, at_most, check, equal_to, expect, holds, observe
from mlops_lab.kit.predictions import Predictions

from .contents import (
    MB,
    as_given,
    command,
    largest,
    made_image,
    moved_layers,
    nothing_of,
    ran_anew,
)
from .drain import LOOK_UP, QUICKEST
from .instructions import fetches, from_elsewhere, installs, own_wheels
from .planting import REST, SECRETS, STAYS, not_as_given
from .scenario import BUILT_WITHIN, LARGEST, dockerfile, inside_the_image, measured, said
from .why import ELSEWHERE, FETCHED, GIVEN, HAS_A_TOKEN, IDLE, QUICKER, TOO_MANY, not_built

UNPACKED = 2  # times what the packages take unpacked: compiled modules and pip itself in a venv are in that


@check(points=2, domains=("ckad/design-and-build",))
async def answers(lab: Lab) -> None:
    """The image builds without a network, and the given server in it gives the model's own values on port 8080.

    The server, what it needs, and `platform/model.yaml` must be as they were given, and a batch takes 0.1 s for each
    flight, also where 40 are under way at once: of 60 that begin in 1.5 s, and take one second each, at most 6 may
    fail. A build may take 300 s, be silent for 90 s, and use 2 CPUs and 2 GB of memory; it gets no network, and the
    engine nothing to fetch. The pod runs as root here, and may write; it is ready within 60 s.
    """
    text = dockerfile(lab.work.folder)
    from_outside = fetches(text)
    expect(holds(not from_outside, "no ADD of an address", "; ".join(from_outside[:3]))).because(FETCHED)
    images = ", ".join(from_elsewhere(text, lab.platform.registry)[:3])
    expect(
        holds(not images, "no image from elsewhere in FROM or COPY --from", f"pulled from elsewhere: {images}")
    ).because(ELSEWHERE)
    others = ", ".join(not_as_given(lab.work.folder))
    expect(holds(not others, f"{', '.join(STAYS)}: as they were given", f"another {others}")).because(
        "the server, what it needs, and how the platform runs it are given; your Dockerfile is to do for these. "
        f"lab reset {lab.number} brings them back, and keeps a copy of yours"
    )
    found = await lab.once(measured)
    built = found.built
    expect(made_image(built, f"an image within {BUILT_WITHIN} s")).because(not_built(built))
    size = observe("size of the image, in MB", built.bytes / MB, at_most(LARGEST / MB))
    expect(size).because("a node would pull an image of this size for minutes: it is not even tried here")
    assert found.ran is not None
    expect(found.ran.plain).because(
        "the container's command is what CMD or ENTRYPOINT says. If it ended, its log above says why: a package that "
        "is not found was installed in another stage, or where this Python does not look. If it runs and is not ready, "
        "it does not listen on port 8080 of the pod's address: 127.0.0.1 is reached from inside the pod only"
    )
    assert found.ran.predicted is not None
    expect(found.ran.predicted.status()).because(GIVEN)
    expect(found.ran.predicted.values("v1")).because(GIVEN)
    expect(observe("title of the server that answers", found.ran.whose, equal_to(found.title))).because(GIVEN)
    if found.ran.quickest is not None:
        expect(
            observe("seconds of a batch of one flight", found.ran.quickest, at_least(QUICKEST * LOOK_UP), timed=False)
        ).because(QUICKER)
    expect(as_given((await inside_the_image(lab)).content)).because(GIVEN)
    if found.ran.crowded is not None:
        expect(said(found.ran.crowded)).because(TOO_MANY)


@check(points=3, needs=answers, domains=("ckad/environment-configuration-and-security", "ckad/design-and-build"))
async def runs_without_rights(lab: Lab) -> None:
    """As the platform runs it, it gives the same values: not as root, without capabilities, its file system read-only.

    The pod has `runAsNonRoot: true` and no `runAsUser`: who it is, the image says.
    """
    ran = (await lab.once(measured)).ran
    assert ran is not None
    expect(ran.strict).because(
        "with runAsNonRoot the kubelet looks who the image's USER is, and refuses root. It does not look into the "
        "image, so a name tells it nothing: USER must be a number. What that user reads and runs must be open to "
        "it (/root is not), and nothing can be written, as readOnlyRootFilesystem says"
    )
    assert ran.strictly_predicted is not None
    expect(ran.strictly_predicted.status()).because(
        "the same image answers when it runs as root: what it needs for an answer, this user may not read or write"
    )
    expect(ran.strictly_predicted.values("v1")).because(
        "the same image gives the model's own values when it runs as root: whoever it runs as, it is the given server"
    )


@check(points=3, needs=answers, domains=("ckad/environment-configuration-and-security",))
async def keeps_secrets_out(lab: Lab) -> None:
    """Neither a token of `.env` nor `.lab/kubeconfig` is in the image: in no layer, nor in what describes it.

    The checker has put tokens of its own into a copy of your folder before it built that. It opens archives and
    compressed files, and reads Base64 and hexadecimal. It also looks for the token that `.env` came with, wherever that
    stands now, and for the key in your own `.lab/kubeconfig`, of which there may be a copy. A pod of the image that
    nobody gives a token must not become ready.
    """
    inside = await inside_the_image(lab)
    expect(nothing_of(inside.content, SECRETS)).because(
        "an image is the sum of its layers, and whoever may pull it reads them all: docker save writes them out. A "
        "file that a later instruction deletes is still in the layer that brought it, and ENV and ARG stand in the "
        "configuration and the history. What .dockerignore names never gets to the builder; a secret comes when the "
        "container starts, from the Secret that the Deployment names"
    )
    ran = (await lab.once(measured)).ran
    assert ran is not None
    without = said(ran.tokenless)
    expect(Observation(not without.ok, "a pod without a token is not ready", without.seen, timed=False)).because(
        HAS_A_TOKEN
    )


@check(points=2, needs=answers, domains=("ckad/design-and-build",))
async def leaves_the_rest_out(lab: Lab) -> None:
    """Of the folder only what the server needs is in the image: no `.git`, `__pycache__`, `notebooks` or `platform`.

    The checker has put files of its own there, by names that nobody knows, at the top and in subfolders, and has marked
    those that were given.
    """
    inside = await inside_the_image(lab)
    expect(nothing_of(inside.content, REST)).because(
        "COPY takes whole folders, with what lies hidden in them. A pattern of .dockerignore counts from the top of "
        "the folder: dir matches only there, **/dir at any depth. Or turn it round: * leaves all out, and !path "
        "lets in what is needed"
    )


@check(points=3, needs=answers, domains=("ckad/design-and-build",))
async def is_small(lab: Lab) -> None:
    """All layers together hold no more than python-run:1, and twice what packages and source take unpacked.

    The checker measures that in the same run: the layers of python-run:1, and the packages in python-build:1.
    """
    inside = await inside_the_image(lab)
    limit = inside.base + UNPACKED * inside.packages
    expect(
        Observation(
            inside.content.size <= limit,
            f"at most {limit / MB:.0f} MB ({inside.base / MB:.0f} of python-run:1, and {UNPACKED:g} times "
            f"{inside.packages / MB:.0f} of packages and source)",
            f"{inside.content.size / MB:.0f} MB",
            inside.content.size,
            largest(inside.content),
            timed=False,
        )
    ).because(
        "each instruction that writes makes a layer, and the image is all of them: what a later one deletes still "
        "counts, and a file whose owner or mode is changed is written again, whole. What only the build needs (pip, "
        "the compiler, the wheels) stays in a stage of its own, from which COPY --from takes the result"
    )


@check(points=2, needs=answers, domains=("ckad/design-and-build",))
async def installs_once(lab: Lab) -> None:
    """When a line of the source changes, the packages are not installed again.

    The checker adds a comment to `service/app.py` and builds a second time, at once. Where that carries out a RUN anew,
    the layers that hold packages have to be those of the first build as well. Packages are installed again, too, where
    that is done without what they need, by a list or from wheels of your own.
    """
    inside = await inside_the_image(lab)
    again = inside.again
    expect(made_image(again, "an image the second time, too")).because(
        "the first build of the same folder succeeded, and only a comment has come: see the builder's last lines"
    )
    own = own_wheels(dockerfile(lab.work.folder), inside.given)
    anew = tuple(" ".join(step.split())[:160] for step in again.ran if installs(step, inside.given, own))
    moved = moved_layers(inside.content, again)
    seen = f"{len(anew) or 'no'} installation ran again, {len(moved) or 'no'} layer with packages is another one"
    expect(
        Observation(
            not anew and not moved,
            "the layers with the packages are those of the first build",
            seen if ran_anew(again) else "no RUN was carried out anew",
            evidence=(*anew, *moved),
            timed=False,
        )
    ).because(
        "the builder takes a layer from its cache as long as the instruction, the files that it copies, and all layers "
        "before it are the same; from the first difference on it makes all anew. So what changes rarely comes first: "
        "requirements.txt alone, the installation, and then the source. A COPY that takes packages together with the "
        "source is another layer whenever the source is"
    )


@check(
    points=3,
    needs=answers,
    domains=("ckad/observability-and-maintenance", "cka/workloads-and-scheduling", "cka/troubleshooting"),
)
async def finishes_what_it_began(lab: Lab) -> None:
    """A pod that is deleted answers the batches that it has begun, and has ended 22 s later at the latest.

    Two batches are under way when the pod is deleted: one takes 8 s, one about 12 s. The platform grants it 30 s.
    What a batch takes longer than 0.1 s for each flight, on a busy machine, is added to the 22 s. It is the pod that
    runs as the platform has it, or the one that runs as root where only that gives the model's values. Otherwise that
    one is deleted when it has nothing to do, and has ended within 10 s.
    """
    found = await lab.once(measured)
    assert found.ran is not None
    drain = said(found.ran.drain)
    expect(drain.begun).because(
        "the server says in GET /healthz how many batches it is at, and by that the checker deletes the pod in the "
        "midst of them. The server is given: run service.app:app as it is"
    )
    for each in drain.batches:
        batch = Predictions(each.answer, lab.traffic.hidden_rows(each.rows))
        expect(batch.status(f"status of POST /batch with {each.rows} flights (0: no answer)")).because(
            "when a pod is deleted, process 1 of its container gets SIGTERM, or what STOPSIGNAL in the Dockerfile "
            "names. uvicorn then takes no new connections and finishes what it has begun; it waits for that as long as "
            "--timeout-graceful-shutdown says, and without that option to the end. SIGKILL ends it at once"
        )
        expect(batch.values("v1")).because("the server is given: run service.app:app as it is")
        least = at_least(QUICKEST * each.nominal)
        expect(
            observe(f"seconds that a batch of {each.rows} flights took", each.answer.seconds, least, timed=False)
        ).because(QUICKER)
    seen = "still running" if drain.ended is None else f"ended after {drain.ended:.0f} s{', by SIGKILL' * drain.killed}"
    expect(
        Observation(
            drain.ended is not None and drain.ended <= drain.limit,
            f"the container has ended {drain.limit:.0f} s after the pod was deleted",
            seen,
            drain.ended,
            (f"the image's command: {command((await inside_the_image(lab)).content)}",),
            timed=True,
        )
    ).because(
        "process 1 did not act on SIGTERM, and was killed when the grace period was over. A shell that started the "
        "server and waits for it is process 1: it has no handler for SIGTERM, and does not pass it on. In the exec "
        'form, CMD ["program", "argument"], the program is process 1; a script hands its place over with exec'
    )
    if found.ran.idle is not None:
        expect(said(found.ran.idle)).because(IDLE)
