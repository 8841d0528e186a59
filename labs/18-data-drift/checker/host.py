"""The process in which a learner's detectors run: takes rows from the judge, gives their answers back.

Whatever happens here is the learner's doing and is answered, if it can be; the judge has its own limits for the rest.
"""

import itertools
import json
import pickle
import reprlib
import resource
import socket
import sys
import traceback
from pathlib import Path

MEGABYTE = 1 << 20
MEMORY, FILE = 600 * MEGABYTE, 16 * MEGABYTE
NAMES = 1000  # more than any frame has columns


def message(connection):
    """The next one from the judge; the end of the process when there is none."""
    size = int.from_bytes(whole(connection, 4), "big")
    return pickle.loads(whole(connection, size))


def whole(connection, size):
    """As many bytes."""
    data = bytearray()
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            sys.exit()
        data += more
    return bytes(data)


def names(answer):
    """What `update` returned, as a list of names."""
    if isinstance(answer, (str, bytes)) or not hasattr(answer, "__iter__"):
        raise TypeError(f"update returned {reprlib.repr(answer)}, which is no list of names")
    found = list(itertools.islice(answer, NAMES))
    for name in found:
        if not isinstance(name, str):
            raise TypeError(f"update returned a list with {reprlib.repr(name)} in it, which is no name")
    return [str(name)[:80] for name in found]


def told(trouble, folder):
    """An exception: what it is, and where in the learner's files it came from."""
    last = "".join(traceback.format_exception_only(trouble)).strip().splitlines()
    frames = [
        f"{Path(frame.filename).name}, line {frame.lineno}, in {frame.name}: {frame.line}"[:160]
        for frame in traceback.extract_tb(trouble.__traceback__)
        if Path(frame.filename).parent == folder
    ]
    if isinstance(trouble, SyntaxError):
        frames.append(
            f"{Path(trouble.filename or '').name}, line {trouble.lineno}: {(trouble.text or '').strip()}"[:160]
        )
    return {"error": (last[-1] if last else type(trouble).__name__)[:300], "lines": frames[-4:]}


def main():
    """Answer until the judge hangs up."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    folder = Path.cwd()
    sys.path[0] = str(folder)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
    detectors = {}
    while True:
        what, key, rows = message(connection)
        try:
            if what == "make":
                from detector import Detector

                detectors[key], answer = Detector(rows), {"names": []}
            else:
                answer = {"names": names(detectors[key].update(rows))}
        except BaseException as trouble:  # sys.exit() too
            answer = told(trouble, folder)
        connection.sendall(json.dumps(answer).encode() + b"\n")


main()
