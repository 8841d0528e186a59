"""Python distributions: what stands in site-packages, and wheels that lie in an image as files."""

from __future__ import annotations

import re
import zipfile
from email.message import Message
from email.parser import HeaderParser
from typing import IO

from mlops_lab.images.sbom.package import Package

METADATA = re.compile(r"(?:.*/)?[^/]+\.(?:dist-info/METADATA|egg-info/PKG-INFO|egg-info)")
_INSIDE = re.compile(r"[^/]+\.dist-info/METADATA")
_CLASSIFIER = "License :: "


def distribution(metadata: str, place: str) -> Package | None:
    """The distribution that a METADATA or PKG-INFO file describes; None if it names none."""
    fields = HeaderParser().parsestr(metadata)
    name, version = fields.get("Name"), fields.get("Version")
    if not name or not version:
        return None
    plain = re.sub(r"[-_.]+", "-", name).lower()
    return Package("pypi", plain, version, licences=_licences(fields), places=(place,))


def wheel(file: IO[bytes], place: str) -> Package | None:
    """The distribution in a wheel; None if it is none."""
    try:
        with zipfile.ZipFile(file) as archive:
            inside = next((name for name in archive.namelist() if _INSIDE.fullmatch(name)), None)
            return distribution(archive.read(inside).decode(errors="replace"), place) if inside else None
    except zipfile.BadZipFile:
        return None


def _licences(fields: Message) -> tuple[str, ...]:
    """An SPDX expression, else the older field where it is a name and no whole text, else the classifiers."""
    if expression := fields.get("License-Expression"):
        return (expression.strip(),)
    stated = (fields.get("License") or "").strip()
    if stated and "\n" not in stated and stated.upper() not in ("UNKNOWN", "NONE"):
        return (stated,)
    classified = (str(each) for each in fields.get_all("Classifier") or () if str(each).startswith(_CLASSIFIER))
    names = (each.rpartition(" :: ")[2].strip() for each in classified)
    return tuple(dict.fromkeys(name for name in names if name != "OSI Approved"))
