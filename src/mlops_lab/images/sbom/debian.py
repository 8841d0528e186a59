"""Debian packages, from dpkg's own records in a root.

A package's licences stand in its copyright file, in machine-readable form
(https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/) or, in older ones, as the names of the common
licences that it points to. What a package says in prose only is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from email.parser import HeaderParser

from mlops_lab.images.sbom.package import Package

STATUS = re.compile(r"var/lib/dpkg/(status|status\.d/[^/]+)")
COPYRIGHT = re.compile(r"usr/share/doc/([^/]+)/copyright")
_COMMON = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9+])")
_LICENSE = re.compile(r"^License:[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)

Record = dict[str, str]


def records(text: str) -> Iterator[Record]:
    """The packages that are installed, as fields by their names, from a status file or one of `status.d`."""
    for paragraph in re.split(r"\n[ \t]*\n", text.strip()):
        fields = dict(HeaderParser().parsestr(paragraph).items())
        if fields.get("Status", "install ok installed").endswith(" installed") and {"Package", "Version"} <= {*fields}:
            yield fields


def licences(copyright_file: str) -> tuple[str, ...]:
    """The short names that a copyright file gives, each once, in its order."""
    found = (_LICENSE if copyright_file.startswith("Format:") else _COMMON).findall(copyright_file)
    return tuple(dict.fromkeys(found))


def packages(
    found: Sequence[tuple[Record, str]], system: Mapping[str, str], copyrights: Mapping[str, tuple[str, ...]]
) -> list[Package]:
    """The packages of a root.

    Args:
        found: each one's record, and the path of the file that it stands in.
        system: what the root's os-release says.
        copyrights: licences by the name of the package whose copyright file states them. A package without a file of
            its own has those of a sibling from the same source, whose folder it links to.
    """
    siblings = {
        _source(record): copyrights[record["Package"]] for record, _ in found if record["Package"] in copyrights
    }
    release = system.get("VERSION_CODENAME") or system.get("VERSION_ID") or ""
    return [
        Package(
            "deb",
            record["Package"],
            record["Version"],
            namespace=system.get("ID", "debian"),
            licences=copyrights.get(record["Package"]) or siblings.get(_source(record), ()),
            places=(place,),
            qualifiers=_given(arch=record.get("Architecture", ""), distro=release),
            source=_source(record) if _source(record) != record["Package"] else "",
        )
        for record, place in found
    ]


def _source(record: Record) -> str:
    return record.get("Source", record["Package"]).partition(" ")[0]


def _given(**qualifiers: str) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, value in qualifiers.items() if value)
