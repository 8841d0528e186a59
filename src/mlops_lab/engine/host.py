"""Facts of this host that decide how an engine and a cluster are set up; read from the host, never guessed."""

from __future__ import annotations

import os
import platform
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.base.processes import run

# By bit number: linux/capability.h.
_CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"),
    *("SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"),
    "CHECKPOINT_RESTORE",
)

# From this major version on, the engine gives a privileged container what its own bounding set holds.
_ASKS_THE_KERNEL = 23

_apt = threading.Lock()


def is_linux() -> bool:
    """Linux, so /proc and cgroups can be looked at (WSL2 counts)."""
    return platform.system() == "Linux"


def is_wsl() -> bool:
    """A distribution in WSL2, where Docker Desktop's engine stands beside it."""
    return "microsoft" in platform.release().lower()


def missing_capabilities(status: Path = Path("/proc/self/status"), last: Path | None = None) -> tuple[str, ...]:
    """Capabilities that the kernel knows and this process's bounding set lacks, such as CAP_SYS_RESOURCE."""
    try:
        found = re.search(r"^CapBnd:\s*([0-9a-f]+)$", status.read_text(), re.MULTILINE)
        newest = int((last or Path("/proc/sys/kernel/cap_last_cap")).read_text())
    except FileNotFoundError:
        return ()
    held = int(found.group(1), 16) if found else ~0
    return tuple(f"CAP_{name}" for bit, name in enumerate(_CAPABILITIES[: newest + 1]) if not held >> bit & 1)


def capabilities_to_drop(engine_version: str, missing: tuple[str, ...]) -> tuple[str, ...]:
    """What a privileged container of this engine must do without, since the engine itself would insist on it."""
    major = re.match(r"\d+", engine_version)
    return missing if major and int(major.group()) < _ASKS_THE_KERNEL else ()


def cgroup_version() -> int:
    """2 where the unified hierarchy is mounted, else 1."""
    return 2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1


def has_systemd() -> bool:
    """Was this host booted with systemd?"""
    return Path("/run/systemd/system").is_dir()


def can_install() -> bool:
    """Root, with apt: packages can be installed."""
    return is_linux() and os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt_install(*packages: str, say: Callable[[str], None] = lambda _: None) -> None:
    """Install Debian packages.

    Raises:
        LabError: not root, no apt, or apt failed.
    """
    names = " ".join(packages)
    if not can_install():
        raise LabError(f"{names} is not installed", f"as root, on Debian or Ubuntu: apt-get install {names}")
    with _apt:  # apt has one lock of its own, and two steps may ask at once
        say(f"installing {names} (apt)")
        env = {"DEBIAN_FRONTEND": "noninteractive"}
        wait = ["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"]
        hint = "check that the package mirror answers (apt-get update) and try again"
        run(["dpkg", "--configure", "-a"], within=600, env=env, check=False)  # an interrupted run's leftovers
        install = ["apt-get", *wait, "install", "-y", "--no-install-recommends", *packages]
        if run(install, within=900, env=env, check=False).code != 0:
            run(["apt-get", *wait, "update"], within=300, env=env, hint=hint)
            run(install, within=900, env=env, hint=hint)


def memory() -> float:
    """The host's memory in bytes; infinite where it can't be known."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError):
        return float("inf")
