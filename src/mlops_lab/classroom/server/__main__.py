"""Runs the server until it is told to end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from mlops_lab.base.errors import LabError
from mlops_lab.classroom.server.server import service_of, serving
from mlops_lab.classroom.server.settings import from_environment


async def run() -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = from_environment(os.environ)
    over = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, over.set)
    async with serving(service_of(settings)) as ports:
        logging.info("%s: listening on %s, %s and %s", settings.klass.name, *ports)
        await over.wait()


def main() -> None:
    """The program."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(run())
    except LabError as trouble:
        sys.exit(f"{trouble.message}\nnext: {trouble.hint}")


if __name__ == "__main__":
    main()
