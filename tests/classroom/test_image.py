"""The image `classroom:1`: what lies in it is enough to run, and no solution is in it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import sysconfig
from importlib.metadata import packages_distributions
from pathlib import Path

from mlops_lab.images.catalog import CATALOG, sources
from mlops_lab.images.recipes import classroom
from mlops_lab.proof.imports import Imports

# Each of them is a program, or what a server mounts; migrations are found by Alembic.
_PROGRAMS = tuple(f"mlops_lab.classroom.{name}" for name in ("operator.__main__", "server.__main__"))
# Of these whole folders are taken, whatever is imported of them.
_WHOLE = ("base", "kube", "classroom/lti", "classroom/operator", "classroom/server")
_OF_A_LAB = re.compile(r"labs/[0-9]{2}-[a-z0-9-]+/(lab\.toml|start/seed\.yaml)")
_RUN = """
import importlib, pathlib, sys
here = pathlib.Path.cwd() / "src"
for each in sorted(here.rglob("*.py")):
    name = ".".join(each.relative_to(here).with_suffix("").parts).removesuffix(".__init__")
    if "migrations" not in name:  # Alembic runs them
        importlib.import_module(name)
from mlops_lab.classroom import gradable
from mlops_lab.classroom.server import server, settings, templates
from mlops_lab.labs.catalog import about, exercises
from mlops_lab.labs.parts import settings as told
templates.prepare()
styles = (server._FAMILY / "page.css", server._FAMILY / "icon.svg", server._DESK / "desk.css")
assert all(each.is_file() for each in styles)
there = exercises()
assert told("l-ada-lab-08", about(next(each for each in there if each.number == "08")).needs)["KFP_ENDPOINT"]
assert {each.number for each in there} == set(gradable.table()), "each lab has its place in the table"
print(server.__file__, len(there), sum((each.folder / "start" / "seed.yaml").is_file() for each in there))
"""


def test_what_lies_in_the_image_is_all_that_its_programs_import(tmp_path: Path) -> None:
    classroom.lay(tmp_path)
    found = sorted(str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*") if each.is_file())
    assert not [each for each in found if each.startswith("labs/") and not _OF_A_LAB.fullmatch(each)]
    assert not [each for each in found if "solution" in each.lower() or each.endswith(".pyc")]
    paths = [str(tmp_path / "src"), *{sysconfig.get_path("purelib"), *(each for each in sys.path if "site" in each)}]
    done = subprocess.run(
        [sys.executable, "-S", "-c", _RUN], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
        env={"PYTHONPATH": os.pathsep.join(paths), "HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]},
    )  # fmt: skip
    labs = classroom._FOLDER.parents[1] / "labs"
    numbers = [len(list(labs.glob(f"[0-9][0-9]-*/{name}"))) for name in ("lab.toml", "start/seed.yaml")]
    program = str(tmp_path / "src/mlops_lab/classroom/server/server.py")
    assert done.stdout.split() == [program, *map(str, numbers)], done.stderr


def test_just_what_is_imported_makes_another_image(tmp_path: Path) -> None:
    classroom.lay(tmp_path)
    there = {str(each.relative_to(tmp_path / "src/mlops_lab")) for each in (tmp_path / "src").rglob("*.py")}
    package, imports = classroom._PACKAGE, Imports(classroom._PACKAGE)
    behind = [imports.file(name) for name in imports.behind(_PROGRAMS)]
    wanted = {str(file.relative_to(package)) for file in behind if file}
    assert sorted(wanted - there) == [], "these are missing in the image"
    further = {each for each in there - wanted if not each.startswith(tuple(f"{name}/" for name in _WHOLE))}
    assert sorted(further) == [], "nothing in the image imports these"


def test_packages_of_others_are_locked_for_the_image(tmp_path: Path) -> None:
    classroom.lay(tmp_path)
    lock = (classroom._FOLDER / "requirements.lock").read_text("utf-8")
    locked = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))
    own, asked = {"mlops_lab", *sys.stdlib_module_names}, set[str]()
    for file in (tmp_path / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                asked |= {each.name.split(".")[0] for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                asked.add(node.module.split(".")[0])
    known = packages_distributions()
    missing = {
        each for each in asked - own if not {name.lower().replace("_", "-") for name in known.get(each, ())} & locked
    }
    assert "sqlalchemy" in asked and missing == set()


def test_the_image_is_built_in_every_mode_and_changes_with_the_programs(tmp_path: Path) -> None:
    assert CATALOG[classroom.NAME].served and not CATALOG[classroom.NAME].published
    step = sources("build", "amd64").image(classroom.NAME)
    assert {each.name for each in step.needs} == {"pypi/classroom", "image/python"}
    inputs = {Path(each).name for each in step.inputs if isinstance(each, Path)}
    assert inputs >= {"server", "operator", "lti", "chain.py", "lab.toml", "seed.yaml", "Dockerfile"}
    assert not inputs & {"teacher", "grader", "sending.py", "measure", "labs"}, "what others run makes no other image"


def test_what_only_a_server_has_is_imported_nowhere_else() -> None:
    source = Path(classroom._PACKAGE)
    own = source / "classroom" / "server"
    wanted = re.compile(r"^\s*(?:from|import) (?:sqlalchemy|alembic|psycopg|prometheus_client)\b", re.MULTILINE)
    found = [each for each in source.rglob("*.py") if wanted.search(each.read_text(encoding="utf-8"))]
    assert found and not [each for each in found if own not in each.parents]
