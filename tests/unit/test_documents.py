"""README and docs/ say what is so: their links lead somewhere, and their tables name what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlops_lab.base.paths import project
from mlops_lab.base.versions import pin
from mlops_lab.labs.catalog import LEVELS, Exercise, about, exercises
from mlops_lab.labs.checker import checks
from mlops_lab.proof.form import links

ROOT = project()
PLACES = ("*.md", "docs/*.md", "changes/README.md", "charts/*/README.md", "components/**/README.md")
DOCUMENTS = sorted(file for place in PLACES for file in ROOT.glob(place))
_HOURS = ("an", "two", "three", "four", "five", "six")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SOURCE = "\n".join(path.read_text() for path in sorted((ROOT / "src").rglob("*.py")))


def anchors(file: Path) -> set[str]:
    """The anchors of a Markdown file's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", file.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead(file: Path) -> list[str]:
    """Links to files that are not there, or to headings that their file does not have."""
    found = links(file)
    for target in _LINK.findall(re.sub(r"```.*?```", "", file.read_text(), flags=re.DOTALL)):
        path, _, anchor = target.partition("#")
        there = file.parent / path if path else file
        if anchor and "://" not in target and there.suffix == ".md" and there.exists() and anchor not in anchors(there):
            found.append(f"{file.name}: {target} has no such heading")
    return found


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_somewhere(file: Path) -> None:
    assert dead(file) == []


def test_a_link_to_nowhere_is_seen(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# One `two`, three\n\n```sh\n# no heading\n```\n")
    (tmp_path / "a.md").write_text(
        "# A\n[1](b.md) [2](b.md#one-two-three) [3](#a) [4](c.md) [5](b.md#no-heading) [6](#b) [7](https://kubernetes.io/a#b)\n"
    )
    assert dead(tmp_path / "a.md") == [
        "a.md: there is no c.md", "a.md: b.md#no-heading has no such heading", "a.md: #b has no such heading",
    ]  # fmt: skip


def test_each_document_is_linked_from_readme_or_another() -> None:
    reached = {
        (file.parent / target.partition("#")[0]).resolve()
        for file in DOCUMENTS
        for target in _LINK.findall(file.read_text())
        if "://" not in target and not target.startswith("#")
    }
    readme = ROOT / "README.md"
    assert [str(file.relative_to(ROOT)) for file in DOCUMENTS if file != readme and file.resolve() not in reached] == []


def test_readmes_table_has_each_lab_and_no_other() -> None:
    rows = re.findall(r"^\| (\d\d) \| ([a-z0-9-]+) \| (\w+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    labs = [(each.number, each.name, LEVELS[about(each).level]) for each in exercises(ROOT / "labs")]
    assert rows == labs, "the row of a lab in README.md is its number, its folder's name and its level"


def in_minutes(text: str) -> float:
    """A time as READMEs say it: `40 minutes`, `an hour`, `two and a half hours`."""
    if minutes := re.fullmatch(r"(\d+) minutes", text):
        return int(minutes[1])
    hours = re.fullmatch(rf"({'|'.join(_HOURS)})( and a half)? hours?", text)
    assert hours, f"{text!r} is no time as READMEs say it"
    return 60 * (_HOURS.index(hours[1]) + 1 + 0.5 * bool(hours[2]))


@pytest.mark.parametrize("lab", exercises(ROOT / "labs"), ids=lambda each: each.slug)
def test_a_labs_readme_says_what_the_lab_says_of_itself(lab: Exercise) -> None:
    """Title, level, time, and the checks with their points, in the report's order."""
    text, its = (lab.folder / "README.md").read_text(), about(lab)
    assert text.startswith(f"# {lab.number} {its.title}\n")
    level, minutes = re.findall(r"^(Beginner|Intermediate|Exam practice|Senior), about (.*?)\.", text, re.MULTILINE)[0]
    assert level.partition(" ")[0].lower() == LEVELS[its.level]
    assert in_minutes(minutes) == its.minutes, minutes
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", text, re.MULTILINE)
    assert rows == [(each.name, str(each.points)) for each in checks(lab)]


def test_readme_names_the_clusters_kubernetes() -> None:
    minor = str(pin("kubernetes.version")).removeprefix("v").rpartition(".")[0]
    assert f"# Kubernetes {minor}: one control plane" in (ROOT / "README.md").read_text()


def test_the_kits_table_has_each_module_and_no_other() -> None:
    page = (ROOT / "docs" / "add-a-check.md").read_text()
    cells = re.findall(r"^\| ([^|]+) \|", page.partition("\n## The kit\n")[2].partition("\n## ")[0], re.MULTILINE)
    told = [name for cell in cells[1:] for name in re.findall(r"`(\w+)`", cell)]
    kit = ROOT / "src" / "mlops_lab" / "kit"
    there = {each.stem for each in kit.iterdir() if each.suffix == ".py" or (each / "__init__.py").is_file()}
    assert sorted(told) == sorted(there - {"__init__"})


def test_settings_names_each_variable_that_lab_reads_and_no_other() -> None:
    told = re.findall(r"^\| `(MLOPS_LAB_\w+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE)
    read = re.findall(r"environ(?:\.get\(|\[)\"(MLOPS_LAB_\w+)\"", _SOURCE)
    assert sorted(told) == sorted(set(read)) != []


def test_trouble_quotes_what_lab_prints() -> None:
    rows = re.findall(r"^\|([^|]+)\|", (ROOT / "docs" / "trouble.md").read_text(), re.MULTILINE)
    quotes = [quote for row in rows for quote in re.findall(r"`([^`]+ [^`]+)`", row)]
    assert len(quotes) >= 7
    for quote in quotes:
        # Dots and the port stand for what differs; the words around them are the program's.
        for piece in re.split(r"\.\.\.|5001", quote):
            assert piece in _SOURCE, f"lab does not print {piece!r}"
