"""Train the network on the flights of the days that are not held out, and write it as a model's folder.

    python -m network.train --days FOLDER --out FOLDER

Writes `metadata.json`, which also says how a flight becomes numbers, and `model.pt`, the network's weights. As for the
forest (images/flight-delay/train.py) every fifth day is held out as a whole. The same packages on the same kind of
processor give the same weights.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import time
from datetime import date
from pathlib import Path
from typing import Any

import torch
from server.features import CATEGORIES, FLIGHT, encode
from sklearn.metrics import roc_auc_score

from network.layers import Network

VERSION = "v1-pytorch"
SEED = 13
EPOCHS, BATCH, RATE, DECAY = 3, 1024, 0.003, 0.01
HELD_OUT_EVERY = 5  # days
Row = dict[str, Any]


def read(days: Path) -> list[tuple[Row, float, bool]]:
    """Each flight, whether it was late (1 or 0), and whether its day is held out."""
    flights = []
    for file in sorted(days.glob("*.csv.gz")):
        day = date.fromisoformat(file.name.removesuffix(".csv.gz"))
        held_out = day.timetuple().tm_yday % HELD_OUT_EVERY == 0
        with gzip.open(file, "rt", newline="") as lines:
            for row in csv.DictReader(lines):
                numbers = {name: row[name] if name in CATEGORIES else float(row[name]) for name in FLIGHT}
                flights.append((numbers, float(row["late"]), held_out))
    return flights


def statistics(rows: list[Row], late: list[float]) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """The number for each category, and the defaults, of training rows alone; rates are shrunk by 50 flights."""
    share = sum(late) / len(late)
    categories: dict[str, dict[str, float]] = {}
    for field in CATEGORIES:
        counts: dict[str, list[float]] = {}
        for row, was_late in zip(rows, late, strict=True):
            count = counts.setdefault(row[field], [0.0, 0.0])
            count[0] += was_late
            count[1] += 1
        categories[field] = {name: (some + 50 * share) / (all_ + 50) for name, (some, all_) in sorted(counts.items())}
    middles = {name: sorted(row[name] for row in rows)[len(rows) // 2] for name in FLIGHT if name not in CATEGORIES}
    return categories, {**middles, **dict.fromkeys(CATEGORIES, share)}


def fitted(numbers: torch.Tensor, late: torch.Tensor) -> Network:
    """A network that was trained on some flights."""
    torch.manual_seed(SEED)
    network = Network(list(FLIGHT))
    network.mean, network.scale = numbers.mean(dim=0), numbers.std(dim=0)
    steps = EPOCHS * -(-len(late) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    slower = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    loss = torch.nn.BCEWithLogitsLoss()
    for _ in range(EPOCHS):
        for some in torch.randperm(len(late)).split(BATCH):
            optimizer.zero_grad()
            loss(network(numbers[some]), late[some]).backward()
            optimizer.step()
            slower.step()
    network.eval()
    return network


def train(days: Path, out: Path) -> dict[str, Any]:
    """Train and write; the result is the metadata."""
    began, flights = time.monotonic(), read(days)
    learn = [(row, late) for row, late, held_out in flights if not held_out]
    test = [(row, late) for row, late, held_out in flights if held_out]
    categories, defaults = statistics([row for row, _ in learn], [late for _, late in learn])

    def tensors(some: list[tuple[Row, float]]) -> tuple[torch.Tensor, torch.Tensor]:
        numbers = encode([row for row, _ in some], FLIGHT, categories, defaults)
        return torch.tensor(numbers, dtype=torch.float32), torch.tensor([late for _, late in some])

    network = fitted(*tensors(learn))
    numbers, late = tensors(test)
    with torch.inference_mode():
        auc = float(roc_auc_score(late.tolist(), network(numbers).tolist()))
    metadata = {
        "model_version": VERSION, "auc": auc, "features": FLIGHT, "rows_trained": len(learn), "rows_tested": len(test),
        "held_out": f"every {HELD_OUT_EVERY}th day of the year", "seed": SEED, "epochs": EPOCHS,
        "made_with": {"torch": torch.__version__}, "categories": categories, "defaults": defaults,
    }  # fmt: skip
    out.mkdir(parents=True)
    torch.save(network.state_dict(), out / "model.pt")
    (out / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
    print(f"{VERSION}: AUC {auc:.4f} on {len(test)} flights, {time.monotonic() - began:.1f} s")
    return metadata


def main() -> None:
    """Read the arguments and train."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--days", type=Path, required=True, help="the folder with a file for each day")
    arguments.add_argument("--out", type=Path, required=True, help="the model's folder, which is made")
    chosen = arguments.parse_args()
    train(chosen.days, chosen.out)


if __name__ == "__main__":
    main()
