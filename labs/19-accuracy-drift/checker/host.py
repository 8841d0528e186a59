"""The process that the learner's detector runs in: reads calls as lines of JSON, makes them, and says what came back.

    python3 host.py READ WRITE      the numbers of the two pipes' ends

Nothing that is said here is a verdict: who reads it knows where the drift is, and this process does not. Each test gets
a fork of its own, so the detector's imports are paid for once.
"""

import json
import os
import resource
import sys
import traceback

MEMORY = 512 << 20  # bytes of data; more raises MemoryError, rather than ending the whole pod
WRITTEN = 16 << 20  # bytes in a file
IMPORT_SECONDS = 60  # of CPU


def bound(kind, most):
    """Set a limit that can't be raised again."""
    resource.setrlimit(kind, (most, most))


def wrong(trouble):
    """An exception in a few words, and the last lines of the learner's own part of its traceback."""
    text = " ".join("".join(traceback.format_exception_only(trouble)).split())[:300]
    frames = [each for each in traceback.extract_tb(trouble.__traceback__) if each.filename.endswith("detector.py")]
    lines = [f"detector.py, line {each.lineno}, in {each.name}: {(each.line or '')[:120]}" for each in frames[-3:]]
    return {"raised": text, "lines": lines}


def feed(detector, events):
    """Make calls until one alarms: how many were made, and whether the last one did."""
    for number, (call, *values) in enumerate(events, 1):
        if call == "predicted":
            detector.predicted(*values)
        elif call == "replaced":
            detector.replaced()
        else:
            said = detector.labelled(*values)
            if type(said).__name__ not in ("bool", "bool_"):
                return {"returned": repr(said)[:80], "kind": type(said).__name__}
            if said:
                return {"made": number, "alarm": True}
    return {"made": len(events), "alarm": False}


def serve(asked, answer, module):
    """Answer until told to end."""
    detector = None
    for line in asked:
        asks = json.loads(line)
        try:
            if asks["do"] == "end":
                return
            if asks["do"] == "new":
                detector = module.Detector()
                answer({"made": 0, "alarm": False})
            else:
                answer(feed(detector, asks["events"]))
        except BaseException as trouble:
            answer(wrong(trouble))
            return


def main():
    """Import the detector, then fork for each test."""
    asked, answers = os.fdopen(int(sys.argv[1]), "rb"), os.fdopen(int(sys.argv[2]), "wb", buffering=0)

    def answer(what):
        answers.write(json.dumps(what).encode() + b"\n")

    bound(resource.RLIMIT_DATA, MEMORY)
    bound(resource.RLIMIT_FSIZE, WRITTEN)
    bound(resource.RLIMIT_CORE, 0)
    resource.setrlimit(resource.RLIMIT_CPU, (IMPORT_SECONDS, resource.RLIM_INFINITY))
    try:
        import detector as module

        if not hasattr(module, "Detector"):
            raise AttributeError("detector.py has no class Detector")
    except BaseException as trouble:
        answer(wrong(trouble))
        return
    answer({"ready": True})
    for line in asked:
        seconds = json.loads(line)["seconds"]
        child = os.fork()
        if child == 0:
            bound(resource.RLIMIT_CPU, seconds)
            answer({"pid": os.getpid()})
            serve(asked, answer, module)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        answer({"ended": os.waitstatus_to_exitcode(status)})


main()
