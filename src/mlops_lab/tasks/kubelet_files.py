"""Which files a node's kubelet is started from, and whether they are there after the machine's next start."""

from __future__ import annotations

from mlops_lab.checks import Observation, holds
from mlops_lab.tasks.lab import TaskLab

_EMPTIED = ("/tmp/", "/run/", "/var/run/", "/dev/")  # when the machine starts
# Prints the files that the kubelet's service is started from, and where links lead: unit, files of variables, settings,
# and the authority that they trust.
_FILES = r"""
pid=$(systemctl show kubelet --property=MainPID --value)
told=$(tr '\0' '\n' <"/proc/$pid/cmdline" | sed '/^--[a-z-]*$/{N;s/\n\([^-]\)/=\1/;P;D}') # as --name=value
given=$(echo "$told" | sed -n 's/^--\(config\|config-dir\|kubeconfig\|client-ca-file\)=//p')
config=$(echo "$told" | sed -n 's/^--config=//p')
folder=$(echo "$told" | sed -n 's/^--config-dir=//p')
more=${folder:+$(find "$folder/" -name '*.conf')}
ca=$(cat "$config" $more | sed -n 's/^ *clientCAFile: *//p' | tr -d "\"'")
unit=$(systemctl show kubelet --property=FragmentPath,DropInPaths --value | tr ' ' '\n' | grep /kubelet)
variables=$(systemctl show kubelet --property=EnvironmentFiles --value | sed 's/ (ignore_errors=.*//')
for each in $variables; do # some are read if they are there, and others may be meant by a pattern
  [ -e "$each" ] && there="$there $each"
done
for each in $given $more $ca $unit $there; do
  echo "$each"
  readlink -m "$each"
done
"""


async def outlasts(lab: TaskLab, node: str) -> Observation:
    """Is what the kubelet is started from there after the machine's next start?"""
    done = await lab.machines.run(node, "sh", "-c", _FILES)
    gone = sorted({each for each in done.stdout.split() if f"{each}/".startswith(_EMPTIED)})
    return holds(
        not gone, "what the kubelet is started from outlasts a start of the machine",
        f"gone after the machine's next start: {', '.join(gone)}",
    )  # fmt: skip
