"""The programs of a Kubernetes node and their images: compiled from Go modules, one image per name of kubeadm's.

Whatever else builds on Kubernetes' libraries comes after `programs`, since the compiler's cache then has those.
"""

from __future__ import annotations

from mlops_lab.base.paths import project
from mlops_lab.base.versions import pin
from mlops_lab.images.recipes import debian, golang
from mlops_lab.images.sources import Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work, link

IMAGES = project() / "images"
VERSION = str(pin("kubernetes.version"))

# The parts of the multi-call binary that run as static pods or pods; kubelet, kubeadm and kubectl run on the node.
IN_PODS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
_CNI = ("ipam/host-local", "main/bridge", "main/loopback", "main/ptp", "meta/portmap")
_CONTAINERD = ("containerd", "ctr", "containerd-shim-runc-v2")
_ROUTER = "github.com/cloudnativelabs/kube-router/v2"
# What kube-router does in Amazon's cloud only takes as long to compile as a tenth of Kubernetes.
_NO_CLOUD = golang.StandIns(
    _ROUTER,
    {
        "pkg/controllers/routing/aws.go": b"package routing\n\n"
        b"func (*NetworkRoutingController) disableSourceDestinationCheck() {}\n"
    },
)


def programs(sources: Sources) -> Step:
    """kube (all of Kubernetes by argv[0]), pause, kube-router, metrics-server."""
    major, minor = VERSION.removeprefix("v").split(".")[:2]
    stamps = {"gitVersion": VERSION, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    where = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    packages = (
        *("./cmd/kube", "./cmd/pause", f"{_ROUTER}/cmd/kube-router"),
        "sigs.k8s.io/metrics-server/cmd/metrics-server",
    )
    flags = " ".join(f"-X {package}.{name}={value}" for package in where for name, value in stamps.items())
    return golang.programs(
        sources, "go/kubernetes", IMAGES / "node", packages, ldflags=flags, seconds=400, stand_ins=_NO_CLOUD
    )


def local_path(sources: Sources) -> Step:
    """local-path-provisioner; apart from the others, since it spells a module's name in another case than they do."""
    package, first = "github.com/rancher/local-path-provisioner", (programs(sources),)
    return golang.programs(sources, "go/local-path", IMAGES / "node", (package,), seconds=8, heavy=False, after=first)


def containerd(sources: Sources) -> Step:
    """containerd, its shim and client, and the network plugins."""
    packages = (
        *(f"github.com/containerd/containerd/v2/cmd/{name}" for name in _CONTAINERD),
        *(f"github.com/containernetworking/plugins/plugins/{name}" for name in _CNI),
    )
    tags, first = "no_btrfs,no_devmapper,no_zfs,no_aufs", (programs(sources),)
    return golang.programs(
        sources, "go/containerd", IMAGES / "containerd", packages, tags=tags, seconds=45, after=first
    )


def etcd(sources: Sources) -> Step:
    """etcd; the program is called `server`, after its package."""
    package, first = "go.etcd.io/etcd/server/v3", (programs(sources),)
    return golang.programs(sources, "go/etcd", IMAGES / "etcd", (package,), seconds=15, heavy=False, after=first)


def coredns(sources: Sources) -> Step:
    """CoreDNS with the plugins that a cluster uses."""
    first = (programs(sources),)
    return golang.programs(sources, "go/coredns", IMAGES / "coredns", (".",), seconds=15, heavy=False, after=first)


def tools_image(sources: Sources) -> Step:
    """A small Debian with iptables, ipset, ip and a shell: kube-proxy and kube-router stand on it, and volumes' helper
    pods run it."""
    packages = ("iptables", "ipset", "iproute2", "conntrack", "kmod", "dash", "coreutils", "grep", "base-files")
    root = debian.root(sources, "debian/tools", packages, variant="extract", seconds=8)
    folder = IMAGES / "tools"

    def make(work: Work) -> None:
        context = work.context(folder, work.result(root))
        work.image(context, (folder / "Dockerfile").read_text())

    return sources.once(
        "image/tools",
        lambda: Step("image/tools", make, (folder,), needs=(root,), image="tools:1", seconds=6, arch=sources.arch),
    )


def program_image(
    sources: Sources, name: str, program: str, at: str, *, of: Step | None = None, base: Step | None = None
) -> Step:
    """An image with one static program.

    Args:
        name: the image's name:tag.
        program: its name in the folder that `of` made (the Kubernetes programs, if not given).
        at: its path in the image, which is also the entry point.
        base: an image step to stand on; nothing else is in the image without it.
    """
    made = of or programs(sources)
    needs = (made, *((base,) if base else ()))

    def make(work: Work) -> None:
        context = work.context()
        link(work.result(made) / program, context / program)
        start = base.ref if base else "scratch"
        work.image(context, f'FROM {start}\nCOPY {program} {at}\nENTRYPOINT ["{at}"]\n')

    step = f"image/{name.rpartition('/')[2].partition(':')[0]}"
    return sources.once(
        step, lambda: Step(step, make, (name, at, program), needs=needs, image=name, seconds=4, arch=sources.arch)
    )


def kube_image(sources: Sources) -> Step:
    """The image behind the names of all four parts that run in pods: one binary, one link per part."""
    made, base = programs(sources), tools_image(sources)

    def make(work: Work) -> None:
        programs = work.context() / "bin"
        programs.mkdir()
        link(work.result(made) / "kube", programs / "kube")
        for part in IN_PODS:
            (programs / part).symlink_to("kube")
        work.image(programs.parent, f"FROM {base.ref}\nCOPY bin /usr/local/bin\n")

    return sources.once(
        "image/kube",
        lambda: Step("image/kube", make, IN_PODS, needs=(made, base), image=f"kube:{VERSION}", arch=sources.arch),
    )


def metrics_server_image(sources: Sources) -> Step:
    """metrics-server, with the published image's entry point."""
    name = str(pin("images.metrics-server.name"))
    return program_image(sources, name, "metrics-server", "/metrics-server")


def local_path_image(sources: Sources) -> Step:
    """The provisioner of local volumes."""
    made = local_path(sources)
    name = "local-path-provisioner"
    return program_image(sources, f"{name}:1", name, f"/usr/bin/{name}", of=made)
