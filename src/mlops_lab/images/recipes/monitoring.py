"""Prometheus, Alertmanager, kube-state-metrics, node-exporter and prometheus-adapter: one Go program per image.

They are compiled with the libraries of the cluster's own Kubernetes. Paths and users are those of the published images,
so that a chart can't tell them apart. Prometheus and Alertmanager come without their pages, which are no part of their
modules: the APIs are whole, and `lab dashboard` draws the graphs. prometheus-adapter serves custom metrics only.
"""

from __future__ import annotations

import gzip

from mlops_lab.base.paths import project
from mlops_lab.base.versions import pin
from mlops_lab.images.recipes import golang, kubernetes
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

_FOLDER = project() / "images"
_NOBODY = "65534"
_STAMP = "github.com/prometheus/common/version.Version"
# Those of clouds would make it four times as long to compile; files and HTTP need no tag.
_TAGS = "remove_all_sd,enable_dns_sd,enable_kubernetes_sd"
_PAGE = "<!doctype html><title>{0}</title><p>{0} is built without its pages here: ask its API, or run lab dashboard.\n"


def prometheus(sources: Sources) -> Step:
    """prometheus, and promtool for use inside the image."""
    module = "github.com/prometheus/prometheus"
    packages = (f"{module}/cmd/prometheus", f"{module}/cmd/promtool")
    return golang.programs(
        sources,
        "go/prometheus",
        _FOLDER / "prometheus",
        packages,
        tags=_TAGS,
        ldflags=_stamp("prometheus"),
        seconds=60,
        after=(kubernetes.programs(sources),),
    )


def promtool(sources: Sources) -> Step:
    """promtool for this host: tests check rules with it."""
    package = "github.com/prometheus/prometheus/cmd/promtool"
    first = (prometheus(sources),)
    return golang.programs(
        sources, "go/promtool", _FOLDER / "prometheus", (package,), tags=_TAGS, ldflags=_stamp("prometheus"),
        seconds=20, after=first, for_host=True,
    )  # fmt: skip


def alertmanager(sources: Sources) -> Step:
    """alertmanager and amtool; the page that the module lacks is one line of text."""
    module = "github.com/prometheus/alertmanager"
    packages = (f"{module}/cmd/alertmanager", f"{module}/cmd/amtool")
    page = golang.StandIns(
        module, {"ui/app/dist/index.html.gz": gzip.compress(_PAGE.format("Alertmanager").encode(), mtime=0)}
    )
    return golang.programs(
        sources, "go/alertmanager", _FOLDER / "alertmanager", packages,
        ldflags=_stamp("alertmanager"), seconds=40, after=(kubernetes.programs(sources),), stand_ins=page,
    )  # fmt: skip


def node_exporter(sources: Sources) -> Step:
    """node_exporter."""
    return _small(sources, "node-exporter", "github.com/prometheus/node_exporter", _stamp("node-exporter"))


def kube_state_metrics(sources: Sources) -> Step:
    """kube-state-metrics."""
    return _small(sources, "kube-state-metrics", "k8s.io/kube-state-metrics/v2", _stamp("kube-state-metrics"))


def adapter(sources: Sources) -> Step:
    """prometheus-adapter, with a main of our own."""
    return _small(sources, "prometheus-adapter", ".")


def _small(sources: Sources, key: str, package: str, ldflags: str = "") -> Step:
    """A program with little of its own beside the libraries that Kubernetes was compiled with."""
    return golang.programs(
        sources, f"go/{key}", _FOLDER / key, (package,),
        ldflags=ldflags, seconds=15, heavy=False, after=(kubernetes.programs(sources),),
    )  # fmt: skip


def _image(sources: Sources, name: str, made: Step, at: dict[str, str], page: str = "") -> Step:
    """An image with a step's programs and nothing else.

    Args:
        at: program -> its path in the image; the first is the entry point.
        page: text for where Prometheus looks for its page.
    """
    dockerfile = "".join(
        [
            "FROM scratch\n",
            *(f"COPY {program} {path}\n" for program, path in at.items()),
            *(("COPY page.html /static/mantine-ui/index.html\n",) if page else ()),
            f'USER {_NOBODY}\nENTRYPOINT ["{next(iter(at.values()))}"]\n',
        ]
    )

    def make(work: Work) -> None:
        context = work.context()
        for program in at:
            link(work.result(made) / program, context / program)
        if page:
            (context / "page.html").write_text(page)
        work.image(context, dockerfile)

    step = f"image/{name.rpartition('/')[2].partition(':')[0]}"
    return Step(step, make, (dockerfile, page), needs=(made,), image=name, seconds=4, arch=sources.arch)


def _named(key: str) -> str:
    return str(pin(f"images.{key}.name"))


def _stamp(key: str) -> str:
    return f"-X {_STAMP}={_named(key).rpartition(':v')[2]}"


def _build_prometheus(sources: Sources) -> Step:
    at = {"prometheus": "/bin/prometheus", "promtool": "/bin/promtool"}
    return _image(sources, _named("prometheus"), prometheus(sources), at, _PAGE.format("Prometheus"))


def _build_alertmanager(sources: Sources) -> Step:
    at = {"alertmanager": "/bin/alertmanager", "amtool": "/bin/amtool"}
    return _image(sources, _named("alertmanager"), alertmanager(sources), at)


def _build_node_exporter(sources: Sources) -> Step:
    return _image(sources, _named("node-exporter"), node_exporter(sources), {"node_exporter": "/bin/node_exporter"})


def _build_kube_state_metrics(sources: Sources) -> Step:
    return _image(
        sources,
        _named("kube-state-metrics"),
        kube_state_metrics(sources),
        {"kube-state-metrics": "/kube-state-metrics"},
    )


def _build_adapter(sources: Sources) -> Step:
    return _image(sources, _named("prometheus-adapter"), adapter(sources), {"prometheus-adapter": "/adapter"})


IMAGES = (
    Image(_named("prometheus"), _build_prometheus, published=True),
    Image(_named("alertmanager"), _build_alertmanager, published=True),
    Image(_named("node-exporter"), _build_node_exporter, published=True),
    Image(_named("kube-state-metrics"), _build_kube_state_metrics, published=True),
    Image(_named("prometheus-adapter"), _build_adapter, published=True),
)
