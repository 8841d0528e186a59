"""The node image that kind runs, built like kind's own: Debian with systemd, Kubernetes, preloaded images.

It behaves like kindest/node: its default network (kube-router here) and storage stand in /kind/manifests, where
`kind create cluster` finds them. metrics-server's image is in it too.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from string import Template

from mlops_lab.base.paths import project
from mlops_lab.base.versions import pin
from mlops_lab.images.recipes import debian, golang
from mlops_lab.images.recipes import kubernetes as k8s
from mlops_lab.images.sources import Image, Sources
from mlops_lab.images.steps import Step
from mlops_lab.images.work import Work

NAME = str(pin("images.node.name"))
_FOLDER = k8s.IMAGES / "node"
# kind's own address ranges (its pkg/apis/config/v1alpha4/default.go), which `lab up` leaves as they are.
_PODS, _SERVICES = "10.244.0.0/16", "10.96.0.0/16"
_CNI_MANIFEST = project() / "manifests" / "kube-router.yaml"
_PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "conntrack", "iptables", "nftables", "iproute2", "ethtool", "ebtables"),
    *("ipset", "socat", "kmod", "util-linux", "mount", "libseccomp2", "pigz", "ca-certificates", "curl", "jq"),
    *("procps", "e2fsprogs", "runc"),
)
_ON_NODE = ("kubelet", "kubeadm", "kubectl")
_RUNTIME = ("containerd", "ctr", "containerd-shim-runc-v2")
_STORAGE = re.compile(r"docker\.io/kindest/local-path-(provisioner|helper):[\w.-]+")


def build(sources: Sources) -> Step:
    """A node image of Kubernetes `kubernetes.version`, for the kind that `kind.version` names."""
    base, kind = _base(sources), _kind_files(sources)
    programs, runtime, carried = k8s.programs(sources), k8s.containerd(sources), _carried(sources)

    def make(work: Work) -> None:
        name = f"mlops-lab-build-{work.step.key}"
        storage = (work.result(kind) / "default-storage.yaml").read_text()
        wanted = {**carried, **{found.group(): _storage_image(found, sources) for found in _STORAGE.finditer(storage)}}
        router = golang.required(_FOLDER, "github.com/cloudnativelabs/kube-router/v2")
        network = Template(_CNI_MANIFEST.read_text()).substitute(
            image=f"docker.io/cloudnativelabs/kube-router:{router}", pods=_PODS, services=_SERVICES
        )
        top = work.out / "top"
        _lay_out(top, work.result(programs), work.result(runtime), storage, network)
        archive = work.out / "images.tar"
        work.run(["docker", "save", "-o", archive, *sorted({step.ref for step in wanted.values()})])
        work.docker.run("rm", "-f", "-v", name, check=False)  # an interrupted build's
        try:
            security = ("--security-opt", "seccomp=unconfined", "--network", "none")
            work.run(["docker", "run", "-d", "--name", name, *security, "--entrypoint", "sleep", base.ref, "infinity"])
            work.run(["docker", "cp", f"{top}/.", f"{name}:/"])
            work.run(["docker", "cp", _FOLDER / "preload", f"{name}:/preload"])
            pairs = [f"docker.io/{step.ref}={wanted_name}" for wanted_name, step in wanted.items()]
            work.run(["docker", "exec", "-i", name, "/preload", *pairs], stdin=archive)
            work.run(["docker", "exec", name, "rm", "/preload"])
            labels = [f"LABEL mlops-lab.step={work.step.name} mlops-lab.key={work.step.key}"]
            start = 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]'
            changes = [word for text in (*labels, start, "CMD []") for word in ("--change", text)]
            work.run(["docker", "commit", *changes, name, work.step.ref])
        finally:
            work.docker.run("rm", "-f", "-v", name, check=False)

    needs = (base, kind, programs, runtime, *dict.fromkeys(_all_carried(sources)))
    inputs: tuple[str | Path, ...] = (_FOLDER / "preload", _CNI_MANIFEST, *sorted(carried))
    return Step("image/node", make, inputs, needs=needs, image=NAME, seconds=60, arch=sources.arch)


def _lay_out(top: Path, programs: Path, runtime: Path, storage: str, network: str) -> None:
    """The files to copy over the base, in their places."""
    for folder in ("usr/bin", "usr/local/bin", "opt/cni/bin", "kind/manifests"):
        (top / folder).mkdir(parents=True)
    shutil.copy2(programs / "kube", top / "usr/bin/kube")
    for name in _ON_NODE:
        (top / "usr/bin" / name).symlink_to("kube")
    for program in runtime.iterdir():
        shutil.copy2(program, top / ("usr/local/bin" if program.name in _RUNTIME else "opt/cni/bin"))
    (top / "kind/version").write_text(k8s.VERSION)
    (top / "kind/manifests/default-cni.yaml").write_text(network)
    (top / "kind/manifests/default-storage.yaml").write_text(storage)


def _carried(sources: Sources) -> dict[str, Step]:
    """The images in the node image: the name that pods ask for -> the step that makes it."""
    tags = pin("kubernetes")
    etcd, coredns, pause = (f"{name}:{tags[name]}" for name in ("etcd", "coredns", "pause"))
    router = golang.required(_FOLDER, "github.com/cloudnativelabs/kube-router/v2")
    tools, dns = k8s.tools_image(sources), k8s.coredns(sources)
    return {
        **{f"registry.k8s.io/{part}:{k8s.VERSION}": k8s.kube_image(sources) for part in k8s.IN_PODS},
        f"registry.k8s.io/{etcd}": k8s.program_image(
            sources, etcd, "server", "/usr/local/bin/etcd", of=k8s.etcd(sources), base=tools
        ),
        f"registry.k8s.io/coredns/{coredns}": k8s.program_image(sources, coredns, "coredns", "/coredns", of=dns),
        f"registry.k8s.io/{pause}": k8s.program_image(sources, pause, "pause", "/pause"),
        f"docker.io/cloudnativelabs/kube-router:{router}": k8s.program_image(
            sources, f"kube-router:{router}", "kube-router", "/usr/local/bin/kube-router", base=tools
        ),
        str(pin("images.metrics-server.name")): k8s.metrics_server_image(sources),
    }


def _all_carried(sources: Sources) -> tuple[Step, ...]:
    return (*_carried(sources).values(), k8s.local_path_image(sources), k8s.tools_image(sources))


def _storage_image(found: re.Match[str], sources: Sources) -> Step:
    return k8s.local_path_image(sources) if found.group(1) == "provisioner" else k8s.tools_image(sources)


def _base(sources: Sources) -> Step:
    root = debian.root(sources, "debian/node", _PACKAGES, seconds=40)
    kind = _kind_files(sources)
    dockerfile = _FOLDER / "Dockerfile"

    def make(work: Work) -> None:
        context = work.context(work.result(root))
        shutil.copytree(work.result(kind) / "files", context / "files", symlinks=True)
        work.image(context, dockerfile.read_text(), "--network", "none")

    return sources.once(
        "image/node-base",
        lambda: Step(
            "image/node-base", make, (dockerfile,), needs=(root, kind), image="node-base:1", arch=sources.arch
        ),
    )


def _kind_files(sources: Sources) -> Step:
    """What kind's Go module carries for a node: scripts, units, settings, and the storage manifest."""
    folder = k8s.IMAGES / "kind"

    def make(work: Work) -> None:
        module = golang.module_folder(work, folder, "sigs.k8s.io/kind")
        files = work.out / "files"
        shutil.copytree(module / "images/base/files", files, symlinks=True)
        for path in files.rglob("*"):
            script = path.is_dir() or path.parent.name == "bin"
            path.chmod(0o755 if script else 0o644)
        config = files / "etc/containerd/config.toml"
        pause = f"registry.k8s.io/pause:{pin('kubernetes.pause')}"
        config.write_text(re.sub(r"registry\.k8s\.io/pause:[\d.]+", pause, config.read_text()))
        source = (module / "pkg/build/nodeimage/const_storage.go").read_text()
        (work.out / "default-storage.yaml").write_text(storage_manifest(source))

    inputs: tuple[str | Path, ...] = (folder, str(pin("kubernetes.pause")))
    return sources.once("kind/files", lambda: Step("kind/files", make, inputs, seconds=5, arch=sources.arch))


def storage_manifest(source: str) -> str:
    """The storage manifest out of kind's Go source: a constant put together from text and other constants."""
    constants = dict(re.findall(r'^const (\w+) = "([^"]+)"$', source, re.MULTILINE))
    whole = re.search(r"^const defaultStorageManifest = (`.*`)$", source, re.MULTILINE | re.DOTALL)
    if not whole:
        raise ValueError("kind's source no longer holds defaultStorageManifest")
    parts = re.findall(r"`([^`]*)`|(\w+)", whole.group(1))
    return "".join(text or constants[name] if (text or name) else "" for text, name in parts).lstrip()


IMAGES = (Image(NAME, build, digest=str(pin("images.node.digest")), published=True),)
