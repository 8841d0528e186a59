"""The sheet of scores as JUnit XML: a suite for each task."""

from __future__ import annotations

from xml.etree import ElementTree

from mlops_lab.checks import report
from mlops_lab.exam.sheet import Sheet, results_of


def junit(sheet: Sheet) -> str:
    """The whole document."""
    whole = ElementTree.Element("testsuites", name=f"exam {sheet.number} {sheet.exam}")
    for task in sheet.tasks:
        one = report.junit(f"exam.{task.task}", task.title, results_of(task))
        whole.append(ElementTree.fromstring(one.encode()))
    ElementTree.indent(whole)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(whole, encoding="unicode") + "\n"
