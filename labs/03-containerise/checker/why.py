"""Why the learner's Dockerfile made no image, from how its build ended."""

from __future__ import annotations

from mlops_lab.measure.images.builds import CPUS, MEMORY, Build

NEVER_ENDS = (
    "RUN runs while the image is built, and must end; what is to run in the container is said by CMD or ENTRYPOINT. A "
    f"step has {CPUS} CPUs"
)
KILLED = (
    f"a step of a build gets {MEMORY} GB of memory, and what takes more is killed. To install the packages of "
    "requirements.txt takes a tenth of that"
)
BUILDKIT = (
    "the checker builds with DOCKER_BUILDKIT=0, which has bounds of CPU and memory, and does not know what BuildKit "
    "alone does, such as RUN --mount, COPY --chmod, and here-documents. See it yourself: DOCKER_BUILDKIT=0 docker build"
)
FAILED = (
    "the builder stops at the first instruction that fails, and its last lines say which. COPY --from copies from "
    "another stage, all other COPY from the folder, without what .dockerignore names. A build has no network: pip "
    "finds the packages in python-build:1"
)
FETCHED = (
    "ADD with an address is carried out by the Docker engine, not by the build, so --network none does not stop it; "
    "where the engine has no network either, the image can't be built. All that it needs is in your folder and in the "
    "two images"
)
ELSEWHERE = (
    "an image that FROM or COPY --from names is pulled by the Docker engine, not by the build, so --network none does "
    "not stop it; where the engine has no network either, the image can't be built. There are two images to start "
    "from, python-build:1 and python-run:1, and the README has their whole names; a stage of your own has the name "
    "that FROM ... AS gave it above"
)
GIVEN = (
    "the server and the model's package are given, and the checker has put the server into the copy of your folder as "
    "it was: run service.app:app as it is. COPY it, and let no instruction write over it"
)
QUICKER = (
    "the server that was given looks up ten flights a second, so it is another one that answers here, or one that was "
    "changed when it was started; its batches tell nothing of how the given ones end: run service.app:app as it is"
)

TOO_MANY = (
    "batches wait for the weather archive more than they compute, so many are under way at once, and the platform's "
    "probe comes on top. uvicorn takes as many connections as come, unless --limit-concurrency or --limit-max-requests "
    "says otherwise: beyond that it answers 503, or ends"
)
HAS_A_TOKEN = (
    "the server does not start without ARCHIVE_TOKEN, so the image brings one: in its environment, or in what its "
    "start command reads. Whoever pulls the image has it, and a pod whose Secret was forgotten is not noticed. The "
    "token comes from outside alone: docker run without --env-file must end at once"
)
IDLE = (
    "what has nothing to finish ends at once: uvicorn does so at SIGTERM. A fixed time to wait is too long for a pod "
    "without work, and too short for a batch that takes longer"
)


def not_built(built: Build) -> str:
    """Why a build made no image."""
    if built.how.startswith(("not done", "nothing printed", "printed")):
        return NEVER_ENDS
    if "killed" in built.how:
        return KILLED
    if any("requires BuildKit" in line or "unknown instruction" in line for line in built.lines[-3:]):
        return BUILDKIT
    return FAILED
