"""A package that was found in an image, whatever kind it is of, and several finds of the same one put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Package:
    """One version of a package.

    Attributes:
        kind: `deb`, `pypi` or `golang`, as package URLs have it.
        namespace: what stands before the name in its package URL: `debian`, `github.com/google`; may be empty.
        licences: as the package itself states them, each an SPDX expression or a name; empty if it says nothing.
        places: paths in the image that it was read from; `!` stands between an archive and a path in it.
        qualifiers: the package URL's, such as `arch`.
        source: for a Debian package, the source package that it was built from, where that has another name.
    """

    kind: str
    name: str
    version: str
    namespace: str = ""
    licences: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    qualifiers: tuple[tuple[str, str], ...] = ()
    source: str = field(default="", compare=False)

    @property
    def full_name(self) -> str:
        """The name that people use: with the namespace for a Go module, without for a Debian package."""
        return f"{self.namespace}/{self.name}" if self.kind == "golang" and self.namespace else self.name


def merged(found: Iterable[Package]) -> list[Package]:
    """Each version of a package once, with all its places, by kind and name."""
    whole: dict[tuple[object, ...], Package] = {}
    for each in found:
        key = (each.kind, each.namespace, each.name, each.version, each.qualifiers)
        before = whole.get(key, replace(each, licences=(), places=()))
        whole[key] = replace(
            before,
            licences=tuple(dict.fromkeys((*before.licences, *each.licences))),
            places=tuple(sorted({*before.places, *each.places})),
        )
    return sorted(whole.values(), key=lambda each: (each.kind, each.full_name, each.version, each.qualifiers))
