"""The CPU time that containers have used since they began, exact and at the moment of asking.

The kubelet's metrics are some seconds old, and too coarse for a load of a second. The kernel's own count stands in the
container's cgroup. A shell waits in each container and reads it when told to, with its own built-in `read`: a new exec
for each reading would use more CPU there than a fast server does for a hundred requests.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlops_lab.base.errors import LabError
from mlops_lab.kube.client import Kube, Object
from mlops_lab.kube.execs import ExecStream

# cgroup v2: microseconds, in the first line of cpu.stat (kernel docs, cgroup-v2.rst: usage_usec).
# cgroup v1: nanoseconds, in cpuacct.usage (kernel docs, cgroup-v1/cpuacct.rst).
SHELL = """
two=/sys/fs/cgroup/cpu.stat one=/sys/fs/cgroup/cpuacct/cpuacct.usage
[ -r $one ] || one=/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage
while read -r line; do
  if [ -r $two ]; then read -r name n < $two; echo "1000000 $n"
  elif [ -r $one ]; then read -r n < $one; echo "1000000000 $n"
  else echo 0 0; fi
done
"""
_WITHIN = 20.0  # s for one answer
_HINT = "see what is wrong with the cluster: lab status"


class CpuClock:
    """The CPU time of all containers of some pods that stay, sidecars too, together; they need a shell, `sh`.

    Args:
        pods: as they run now.
    """

    def __init__(self, kube: Kube, pods: Sequence[Object]) -> None:
        self._kube = kube
        self._places = [
            (pod["metadata"]["namespace"], pod["metadata"]["name"], container["name"])
            for pod in pods
            for container in running(pod)
        ]
        self._shells: list[tuple[str, ExecStream]] = []

    def open(self) -> None:
        """Start the shells.

        Raises:
            LabError: one of them does not answer.
        """
        for namespace, pod, container in self._places:
            stream = self._kube.exec(pod, namespace, ["sh", "-c", SHELL], container)
            self._shells.append((f"container {container} of pod {pod}", stream))
        self.seconds()

    def seconds(self) -> float:
        """The seconds of CPU time that the containers have used until now.

        Raises:
            LabError: one of them does not say, as it has ended or its cgroup is not there.
        """
        for what, stream in self._shells:
            if stream.code is not None:
                raise LabError(f"the CPU time of {what} can't be read any more: it has ended", _HINT)
            stream.write("now\n")
        return sum(_read(what, stream) for what, stream in self._shells)

    def close(self) -> None:
        """End the shells."""
        for _, stream in self._shells:
            stream.close()


def running(pod: Object) -> list[Object]:
    """The containers that run as long as their pod: also init containers that are restarted always, the sidecars.

    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
    """
    sidecars = [each for each in pod["spec"].get("initContainers") or [] if each.get("restartPolicy") == "Always"]
    return [*pod["spec"]["containers"], *sidecars]


def _read(what: str, stream: ExecStream) -> float:
    for line in stream.lines(within=_WITHIN):
        if line:
            return seconds(line, what)
    raise LabError(f"the CPU time of {what} can't be read", _HINT, stream.stderr()[-500:])


def seconds(line: str, what: str) -> float:
    """The shell's answer in seconds.

    Raises:
        LabError: there is no such file in that container.
    """
    words = line.split()
    if len(words) != 2 or not all(re.fullmatch("[0-9]{1,19}", word) for word in words) or words[0] == "0":
        raise LabError(
            f"the CPU time of {what} can't be read: there is none in its /sys/fs/cgroup ({line[:60]!r})", _HINT
        )
    return int(words[1]) / int(words[0])
