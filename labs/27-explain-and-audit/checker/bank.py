"""The bank's own numbers and scores, as the learner has them in start/; and who of its staff has which token."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mlops_lab.kit.given import in_manifests
from mlops_lab.kube.client import Object

START = Path(__file__).parents[1] / "start"


def _given() -> Any:
    """start/bank.py as a module."""
    spec = importlib.util.spec_from_file_location("lab_27_bank", START / "bank.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GIVEN = _given()
FEATURES: tuple[str, ...] = GIVEN.FEATURES


def numbers_of(application: Object, at: str) -> dict[str, float]:
    """The features of an application at a moment."""
    row: dict[str, float] = GIVEN.features(application, at)
    return row


def score(model: Object, row: Mapping[str, float]) -> float:
    """The log-odds that the loan is not paid back."""
    return float(GIVEN.score(model, row))


def probability(log_odds: float) -> float:
    """Of log-odds."""
    return 1 / (1 + math.exp(-log_odds))


class Member(NamedTuple):
    """One of the staff."""

    token: str
    name: str
    role: str


def staff(role: str) -> list[Member]:
    """All who have a role, in the order of the lab's Secret."""
    known = json.loads(in_manifests(START, "Secret", "staff")["stringData"]["staff.json"])
    return [Member(token, each["name"], each["role"]) for token, each in known.items() if each["role"] == role]
