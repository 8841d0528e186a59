"""Which shared libraries a program or library asks for, read from the file itself (ELF, 64 bits, little-endian).

Debian's packages depend on more than a program loads; this finds what it does load. The format:
https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.dynamic.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_LOAD, _DYNAMIC = 1, 2  # kinds of program headers
_NEEDED, _STRINGS = 1, 5  # kinds of dynamic entries


def needed(file: Path) -> list[str]:
    """The names that a file asks the loader for; none where it is no ELF file, or is linked statically."""
    data = file.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        return []
    at, size, count = *struct.unpack_from("<Q", data, 32), *struct.unpack_from("<HH", data, 54)
    headers = [struct.unpack_from("<IIQQQQ", data, at + number * size) for number in range(count)]
    entries = [
        struct.unpack_from("<qQ", data, offset + begin)
        for kind, _, offset, _, _, length in headers
        if kind == _DYNAMIC
        for begin in range(0, length, 16)
    ]
    address = next((value for kind, value in entries if kind == _STRINGS), None)
    if address is None:
        return []
    strings = next(
        offset + address - virtual
        for kind, _, offset, virtual, _, length in headers
        if kind == _LOAD and virtual <= address < virtual + length
    )
    begins = [strings + value for kind, value in entries if kind == _NEEDED]
    return [data[begin : data.index(b"\0", begin)].decode() for begin in begins]


def closure(names: Iterable[str], libraries: Mapping[str, Path], given: Iterable[str] = ()) -> dict[str, Path]:
    """All libraries that some of them lead to, by the name that they are asked for.

    Args:
        names: those that it begins with.
        libraries: what there is, by name.
        given: names that come from elsewhere, and are not followed.

    Raises:
        FileNotFoundError: one is asked for and is not there.
    """
    found: dict[str, Path] = {}
    left, elsewhere = list(names), set(given)
    while left:
        name = left.pop()
        if name in found or name in elsewhere:
            continue
        if name not in libraries:
            raise FileNotFoundError(f"a library asks for {name}, which no package has")
        found[name] = libraries[name]
        left += needed(libraries[name])
    return found


def libraries(folders: Iterable[Path]) -> dict[str, Path]:
    """The shared libraries of some folders by their names; of two with one name that of the first folder."""
    return {path.name: path for folder in reversed(list(folders)) for path in _shared(folder)}


def _shared(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.glob("*.so*")) if path.is_file())
