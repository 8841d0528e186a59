"""The catalog: labs by number and name, and broken ones named by file, line and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_lab.base.errors import ExitCode, LabError, UsageError
from mlops_lab.labs import catalog
from mlops_lab.labs.catalog import about, abouts, exercises, resolve
from mlops_lab.labs.checker import checks

TOML = 'title = "A"\nlevel = "B"\nminutes = 5\nsummary = "Do it."\nneeds = ["cluster"]\n'
CHECKS = '''
from mlops_lab.checks import Lab, check

@check(points=2)
async def first(lab: Lab) -> None:
    """First."""

@check(points=1, needs=first)
async def second(lab: Lab) -> None:
    """Second."""
'''


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))


def lab(root: Path, slug: str, toml: str = TOML, code: str = CHECKS) -> Path:
    folder = root / slug
    (folder / "checker").mkdir(parents=True)
    (folder / "lab.toml").write_text(toml)
    (folder / "checker/__init__.py").write_text(code)
    return folder


@pytest.mark.parametrize("text", ["4", "04", "survive", "04-survive", "04-survive/", "04-SURVIVE"])
def test_a_lab_is_found_by_number_name_or_folder(tmp_path: Path, text: str) -> None:
    lab(tmp_path, "04-survive")
    lab(tmp_path, "10-autoscale")
    found = resolve(text, tmp_path)
    assert (found.number, found.name, found.slug, found.namespace) == ("04", "survive", "04-survive", "lab-04")


def test_an_unknown_lab_is_a_usage_error_that_names_the_nearest(tmp_path: Path) -> None:
    lab(tmp_path, "10-autoscale-on-cpu")
    lab(tmp_path, "12-rolling-update")
    with pytest.raises(UsageError, match="there is no lab 'autoscale-cpu'") as caught:
        resolve("autoscale-cpu", tmp_path)
    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.hint == "did you mean 10-autoscale-on-cpu?"
    with pytest.raises(UsageError) as other:
        resolve("zzz", tmp_path)
    assert "lab list" in other.value.hint


def test_the_add_ons_that_a_lab_needs_are_known_also_the_second_time(tmp_path: Path) -> None:
    lab(tmp_path, "04-a", TOML + 'addons = ["traefik"]\n')
    lab(tmp_path, "10-b")
    for _ in range(2):  # read from the file, and from what was kept of it
        assert [each.addons for each in abouts(exercises(tmp_path))] == [("traefik",), ()]


def test_labs_come_by_number_and_other_folders_are_none(tmp_path: Path) -> None:
    for slug in ("12-b", "04-a", "notes", "99-Upper"):
        lab(tmp_path, slug)
    assert [each.slug for each in exercises(tmp_path)] == ["04-a", "12-b"]
    assert exercises(tmp_path / "nowhere") == []
    lab(tmp_path, "04-other")
    with pytest.raises(UsageError, match="two labs have the number 04"):
        exercises(tmp_path)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (TOML.replace("minutes = 5", 'minutes = "5"'), r"lab.toml:3: field minutes: Expected `int`, got `str`"),
        (TOML.replace("minutes = 5", "minutes = 0"), r"lab.toml:3: field minutes: Expected `int` >= 1"),
        (TOML.replace('"B"', '"X"'), r"lab.toml:2: field level: Invalid enum value 'X'"),
        (TOML + "colour = 1\n", r"lab.toml:6: field colour: Object contains unknown field"),
        (TOML.replace('title = "A"\n', ""), r"lab.toml:1: field title: Object missing required field"),
        (TOML.replace('title = "A"', 'title = ""'), r"lab.toml:1: field title: Expected `str` of length >= 1"),
        (TOML.replace('["cluster"]', '["cluster", 3]'), r"lab.toml:5: field needs: Expected `str`, got `int`"),
        (TOML + 'addons = ["nginx"]\n', r"lab.toml:6: field addons: Invalid enum value 'nginx'"),
        (TOML + "needs = [\n", r"lab.toml:6: "),
        ("title = \n", r"lab.toml:1: Invalid value"),
    ],
)
def test_a_broken_lab_toml_is_named_by_file_line_and_field(tmp_path: Path, toml: str, said: str) -> None:
    lab(tmp_path, "04-a", toml)
    with pytest.raises(UsageError, match=said) as caught:
        about(resolve("04", tmp_path))
    assert caught.value.message.startswith(str(tmp_path))


def test_a_lab_without_lab_toml_says_so(tmp_path: Path) -> None:
    (tmp_path / "04-a").mkdir()
    with pytest.raises(UsageError, match=r"lab.toml: there is no such file"):
        about(resolve("04", tmp_path))


def test_descriptions_come_from_the_cache_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = lab(tmp_path, "04-a")
    known = exercises(tmp_path)
    assert abouts(known)[0].title == "A"
    with monkeypatch.context() as patched:
        patched.setattr("mlops_lab.labs.description.describe", lambda file: pytest.fail("read again"))
        assert abouts(known)[0].needs == ("cluster",)
    (folder / "lab.toml").write_text(TOML.replace('"A"', '"Changed"'))
    assert abouts(known)[0].title == "Changed"


def test_a_damaged_or_unwritable_cache_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab(tmp_path, "04-a")
    home = tmp_path / "home" / "cache"
    home.mkdir(parents=True)
    (home / "catalog.json").write_text("{")
    assert about(resolve("04", tmp_path)).title == "A"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "file"))
    assert about(resolve("04", tmp_path)).title == "A"


def test_checks_come_in_their_order(tmp_path: Path) -> None:
    lab(tmp_path, "04-a")
    assert [item.name for item in checks(resolve("04", tmp_path))] == ["first", "second"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = (\n", r"__init__.py:1: SyntaxError: '\(' was never closed"),
        ("\nimport nothing_of_that_name\n", r"__init__.py:2: ModuleNotFoundError: No module named"),
        ("\n\n1 / 0\n", r"__init__.py:3: ZeroDivisionError"),
        ("x = 1\n", r"__init__.py:1: no checks in it"),
        (CHECKS.replace('"""Second."""', "pass"), r"__init__.py:8: ValueError: check second has no docstring"),
    ],
)
def test_broken_checks_are_named_by_file_and_line(tmp_path: Path, code: str, said: str) -> None:
    lab(tmp_path, "04-a", code=code)
    with pytest.raises(LabError, match=said) as caught:
        checks(resolve("04", tmp_path))
    assert caught.value.exit_code == ExitCode.ENVIRONMENT


def test_the_labs_folder_may_be_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLOPS_LAB_LABS", str(tmp_path))
    assert catalog.labs_folder() == tmp_path
