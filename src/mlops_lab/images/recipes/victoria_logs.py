"""VictoriaLogs, which stores logs and searches them, and vlagent, which brings it every container's log.

Both are programs of one Go module, which has the page to search with, too. Paths are those of the published images.
"""

from __future__ import annotations

from mlops_lab.base.paths import project
from mlops_lab.base.versions import pin
from mlops_lab.images.recipes import golang, kubernetes
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step

STORE = str(pin("images.victoria-logs.name"))
SHIPPER = str(pin("images.vlagent.name"))
MODULE = "github.com/VictoriaMetrics/VictoriaLogs"
_FOLDER = project() / "images" / "victoria-logs"
_STAMP = "github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version"


def programs(sources: Sources) -> Step:
    """victoria-logs and vlagent."""
    return _programs(sources, "go/victoria-logs", kubernetes.programs(sources))


def on_host(sources: Sources) -> Step:
    """The same for this host: tests run them."""
    return _programs(sources, "go/victoria-logs-here", programs(sources), for_host=True)


def _programs(sources: Sources, name: str, first: Step, for_host: bool = False) -> Step:
    return golang.programs(
        sources, name, _FOLDER, (f"{MODULE}/app/victoria-logs", f"{MODULE}/app/vlagent"),
        ldflags=f"-X {_STAMP}={golang.required(_FOLDER, MODULE)}", seconds=40, after=(first,), for_host=for_host,
    )  # fmt: skip


def _build(name: str) -> Image:
    program = name.rpartition("/")[2].partition(":")[0]

    def build(sources: Sources) -> Step:
        return kubernetes.program_image(sources, name, program, f"/{program}-prod", of=programs(sources))

    return Image(name, build, published=True)


IMAGES = (_build(STORE), _build(SHIPPER))
