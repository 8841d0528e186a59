"""Let the detector see every stream that the seed draws, and say what it named after how many rows.

SEED=7 python3 trial.py draws the same streams as the checker's report of seed 7.
"""

import os
from itertools import zip_longest

from detector import Detector
from streams import Stream, draw


def described(stream: Stream, named: dict[str, int]) -> str:
    """What was to be seen, and what was."""
    truth = f"{stream.name}, from row {stream.begin}" if stream.feature else stream.name
    said = ", ".join(f"{name} at row {row}" for name, row in named.items())
    return f"  {truth:58} {said or 'nothing named'}"


def main() -> None:
    """Go through the streams; those of one check that belong together flow side by side."""
    seed = int(os.environ.get("SEED", "1"))
    reference, checks = draw(seed)
    print(f"seed {seed}: {len(reference)} rows of reference", flush=True)
    for check, streams in checks.items():
        print(check, flush=True)
        for group in [streams] if check == "keeps_streams_apart" else [[stream] for stream in streams]:
            references = [reference if stream.reference is None else stream.reference for stream in group]
            detectors = [Detector(each.copy()) for each in references]
            named: list[dict[str, int]] = [{} for _ in group]
            rows = [0] * len(group)
            for batches in zip_longest(*(stream.batches() for stream in group)):
                for place, batch in enumerate(batches):
                    if batch is None:
                        continue
                    rows[place] += len(batch)
                    for name in detectors[place].update(batch):
                        named[place].setdefault(name, rows[place])
            for stream, found in zip(group, named, strict=True):
                print(described(stream, found), flush=True)


main()
