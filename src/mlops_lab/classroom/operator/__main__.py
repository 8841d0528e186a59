"""`python -m mlops_lab.classroom.operator SETTINGS ALIVE`: runs in a pod until it gets SIGTERM."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.operator import settings
from mlops_lab.classroom.operator.operator import Operator, log
from mlops_lab.kube.inside import connect_inside


def main() -> int:
    """Run the operator; the exit code is an error's own."""
    try:
        operator = Operator(connect_inside(), settings.read(Path(sys.argv[1])), Path(sys.argv[2]))
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, operator.stop)
        operator.run()
    except LabError as trouble:
        log(f"{trouble.message}; {trouble.hint}")
        return int(trouble.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
