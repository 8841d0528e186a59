"""The image `classroom:1`: what lies in it is enough to run, and no solution is in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

from mlops_lab.images.catalog import CATALOG, sources
from mlops_lab.images.recipes import classroom

_RUN = """
import importlib, pkgutil
import mlops_lab.classroom as package
from mlops_lab.classroom.server import server, settings, templates
for each in pkgutil.walk_packages(package.__path__, "mlops_lab.classroom."):
    # Migrations are run by Alembic, and what sends is for learners.
    if not each.name.endswith((".env", "0001_begin", ".sending")):
        importlib.import_module(each.name)
templates.prepare()
styles = (server._FAMILY / "page.css", server._FAMILY / "icon.svg", server._DESK / "desk.css")
assert all(each.is_file() for each in styles)
print(package.__file__, len(settings.read_class(None).labs))
"""


def test_what_lies_in_the_image_is_all_that_its_programs_import(tmp_path: Path) -> None:
    classroom.lay(tmp_path)
    found = sorted(str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*") if each.is_file())
    assert not [each for each in found if each.startswith("labs/") and not each.endswith("/lab.toml")]
    assert not [each for each in found if "solution" in each.lower() or each.endswith(".pyc")]
    paths = [str(tmp_path / "src"), *{sysconfig.get_path("purelib"), *(each for each in sys.path if "site" in each)}]
    done = subprocess.run(
        [sys.executable, "-S", "-c", _RUN], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
        env={"PYTHONPATH": os.pathsep.join(paths), "MLOPS_LAB_HOME": str(tmp_path), "PATH": os.environ["PATH"]},
    )  # fmt: skip
    labs = len(list(Path(classroom._FOLDER.parents[1] / "labs").glob("[0-9][0-9]-*/lab.toml")))
    assert done.stdout.split() == [str(tmp_path / "src/mlops_lab/classroom/__init__.py"), str(labs)], done.stderr


def test_the_image_is_built_in_every_mode_and_changes_with_the_programs(tmp_path: Path) -> None:
    assert CATALOG[classroom.NAME].served and not CATALOG[classroom.NAME].published
    step = sources("build", "amd64").image(classroom.NAME)
    assert {each.name for each in step.needs} == {"pypi/classroom", "image/python"}
    inputs = {Path(each).name for each in step.inputs if isinstance(each, Path)}
    assert inputs >= {"server", "operator", "chain.py", "lab.toml", "Dockerfile"}
    assert "teacher" not in inputs, "what a teacher's machine runs makes no other image"


def test_what_only_a_server_has_is_imported_nowhere_else() -> None:
    source = Path(classroom._PACKAGE)
    own = source / "classroom" / "server"
    wanted = re.compile(r"^\s*(?:from|import) (?:sqlalchemy|alembic|psycopg|prometheus_client)\b", re.MULTILINE)
    found = [each for each in source.rglob("*.py") if wanted.search(each.read_text(encoding="utf-8"))]
    assert found and not [each for each in found if own not in each.parents]
