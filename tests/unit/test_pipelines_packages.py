"""What the embedded engine takes as a pipeline: small files that would cost much are refused before they do."""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from embedded import ir
from embedded.errors import ApiError
from google.protobuf import json_format
from kfp import compiler

from tests.conformance import pipelines

SPEC: dict[str, Any] = json_format.MessageToDict(pipelines.two_steps.pipeline_spec)
MOST = 4 << 20


def text_of(**deployment: Any) -> str:
    """A good pipeline with something more in it, which the engine reads but nobody uses."""
    return yaml.safe_dump({**SPEC, "deploymentSpec": {**SPEC["deploymentSpec"], **deployment}})


def with_(words: str) -> bytes:
    return text_of(more="PLACE").replace("more: PLACE", words).encode()


def refused(content: bytes, name: str = "pipeline.yaml", within: float = 1.0) -> str:
    """Why a package is refused, which may not take long."""
    ir.read_package("pipeline.yaml", text_of().encode())  # what is loaded but once
    begin = time.process_time()
    with pytest.raises(ApiError) as caught:
        ir.read_package(name, content)
    assert time.process_time() - begin < within
    assert caught.value.status == 400
    return caught.value.message


def test_aliases_are_refused_before_anything_is_expanded() -> None:
    levels = ["    a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"    a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 6)]
    bomb = "\n".join(levels)
    assert len(bomb) < 518
    message = refused(with_("more:\n" + bomb))
    assert re.fullmatch(r"line \d+: the alias \*a0 is not supported; write out what it stands for", message)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("more: " + "[" * 500 + "]" * 500, "nested deeper than 100 levels"),
        ("more: [" + "[], " * 200_001 + "]", "more than 200000 values"),
        ("more: 1" + ":59" * 100_000, "a number of 300001 characters can't be read"),
        ("more: !!int '1" + ":59" * 100_000 + "'", "a number of 300001 characters can't be read"),
        ("more: 2026-99-99", "can't be read as a pipeline"),
        ("more: !!python/object:os.system {}", "can't be read as a pipeline"),
    ],
    ids=["deep", "wide", "number", "tagged", "date", "object"],
)
def test_yaml_that_would_cost_much_or_is_wrong_is_refused_in_words(words: str, why: str) -> None:
    assert why in refused(with_(words), within=2.0)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: [[] for _ in range(200_001)], "more than 200000 values"),
        (lambda: json.loads("[" * 500 + "]" * 500), "nested deeper than 100 levels"),
    ],
)
def test_json_is_bounded_the_same_way(made: Callable[[], Any], why: str) -> None:
    with pytest.raises(ApiError, match=why):
        ir.check({**SPEC, "deploymentSpec": {**SPEC["deploymentSpec"], "more": made()}})


def packed(content: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as package:
        about = tarfile.TarInfo("pipeline.yaml")
        about.size = len(content)
        package.addfile(about, io.BytesIO(content))
    return made.getvalue()


def zipped(content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("pipeline.yaml", content)
    return made.getvalue()


def test_packages_are_read() -> None:
    content = text_of().encode()
    plain = ir.read_package("pipeline.yaml", content)
    assert plain == ir.read_package("p.tar.gz", packed(content)) == ir.read_package("p.zip", zipped(content))


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("p.tar.gz", lambda: packed(b" " * (MOST + 1)), "unpacks to more than 4 MiB"),
        ("p.tar.gz", lambda: gzip.compress(bytes(64 << 20)), "unpacks to more than 4 MiB"),
        ("p.zip", lambda: zipped(b" " * (MOST + 1)), "holds 0 YAML files of at most 4 MiB"),
        ("p.tar.gz", lambda: packed(text_of().encode())[:-20], "can't be read as a pipeline"),
        ("p.tar.gz", lambda: packed(text_of().encode())[:20] + b"x" * 50, "can't be read as a pipeline"),
    ],
    ids=["large", "bomb", "zip", "short", "broken"],
)
def test_packages_that_unpack_to_too_much_or_not_at_all_are_refused(
    name: str, content: Callable[[], bytes], why: str
) -> None:
    assert why in refused(content(), name)


@pytest.mark.parametrize("name", [name for name, each in vars(pipelines).items() if hasattr(each, "pipeline_spec")])
def test_what_the_compiler_writes_has_no_aliases(name: str, tmp_path: Path) -> None:
    compiled = tmp_path / "pipeline.yaml"
    compiler.Compiler().compile(getattr(pipelines, name), str(compiled))
    assert ir.read_package("pipeline.yaml", compiled.read_bytes())["pipeline_spec"]["root"]
