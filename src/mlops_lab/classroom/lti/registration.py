"""Platforms that may send people here, and the file that a teacher registers them with."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec

from mlops_lab.base.errors import UsageError
from mlops_lab.classroom.lti.outward import origin

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
_Url = Annotated[str, msgspec.Meta(max_length=1000)]


class Registration(msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """A platform, as it and the tool were made known to each other.

    Attributes:
        issuer: what the platform calls itself in messages.
        client_id: what it calls the tool.
        authorization_endpoint: where it says who its user is.
        token_endpoint: where it gives tokens for its services.
        jwks_uri: its public keys.
        deployments: the ids of the places where it has the tool; a message from another one is refused.
        name: for people.
        audience: what tokens are asked for of, where that is not `token_endpoint`.
        services: the origins of its services, where they are not those of the addresses above.
        courses: the ids of the courses that the class is for; empty: see `courses`.
        trust_email: the platform vouches for its users' e-mail addresses, and they can't change them.
    """

    issuer: _Text
    client_id: _Text
    authorization_endpoint: _Url
    token_endpoint: _Url
    jwks_uri: _Url
    deployments: tuple[_Text, ...]
    name: str = ""
    audience: str = ""
    services: tuple[_Url, ...] = ()
    trust_email: bool = False
    courses: tuple[_Text, ...] = ()

    @property
    def key(self) -> str:
        """What a store keeps it by."""
        return key(self.issuer, self.client_id)

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name or self.issuer

    @property
    def origins(self) -> frozenset[str]:
        """Who may be asked for this platform; addresses without https are of none."""
        ends = (self.authorization_endpoint, self.token_endpoint, self.jwks_uri, *self.services)
        return frozenset(filter(None, map(origin, ends)))

    @property
    def frames(self) -> tuple[str, ...]:
        """The origins whose pages may show the tool's in a frame."""
        ends = (self.issuer, self.authorization_endpoint)
        return tuple(sorted({each.removesuffix(":443") for each in map(origin, ends) if each}))

    def wrong(self) -> str:
        """Which of its addresses is no address over TLS; empty if all are."""
        named = {"issuer": self.issuer, "authorization_endpoint": self.authorization_endpoint,
                 "token_endpoint": self.token_endpoint, "jwks_uri": self.jwks_uri}  # fmt: skip
        named |= {f"services[{number}]": each for number, each in enumerate(self.services)}
        return next((f"{name}: {each!r} is no https address" for name, each in named.items() if not origin(each)), "")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    platform: list[Registration]


def key(*parts: str) -> str:
    """A key of 64 characters for these texts, which it does not show."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def read(path: Path) -> tuple[Registration, ...]:
    """The platforms of a file: TOML, with a table `[[platform]]` for each.

    Raises:
        UsageError: it can't be read, or is wrong; says where.
    """
    try:
        found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File).platform
    except OSError as trouble:
        raise UsageError(
            f"{path} can't be read: {trouble.strerror or trouble}", "name a file of platforms"
        ) from trouble
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as broken:
        raise UsageError(f"{path}: this is no TOML: {broken}", "correct it") from broken
    except msgspec.ValidationError as wrong:
        place = re.search(r"\$\.platform\[(\d+)\]", str(wrong))
        which = f"platform {int(place.group(1)) + 1}: " if place else ""
        raise UsageError(f"{path}: {which}{wrong}", "its fields are described in docs/lti.md") from wrong
    known: set[str] = set()
    for number, each in enumerate(found, 1):
        if each.wrong():
            raise UsageError(f"{path}: platform {number}: {each.wrong()}", "write it as https://NAME/PATH")
        if each.key in known:
            raise UsageError(
                f"{path}: platform {number} has the issuer and client_id of another one", "take one of them out"
            )
        known.add(each.key)
    return tuple(found)
