"""What the chart tells the operator."""

from __future__ import annotations

from pathlib import Path

import msgspec

from mlops_lab.base.errors import UsageError


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The file `settings.json` of the chart; its values say what each is.

    Attributes:
        namespace: the class's own, by which all that the operator makes is labelled.
        labs: the class's labs; none for all that can be graded.
        address: of the API server, as learners reach it.
        certificate: what this address is trusted by, as PEM; empty for what the operator's own pod trusts.
        keep_hours: for which namespaces of learners whose time is over stay.
        shared_parts: parts of the platform that learners' pods may talk to.
        hold_seconds: for which a namespace is held at the longest while it is graded in place.
    """

    namespace: str
    registry: str
    address: str
    quota: dict[str, str]
    requests: dict[str, str]
    limits: dict[str, str]
    dns: dict[str, str]
    labs: list[str] = []
    certificate: str = ""
    keep_hours: float = 24
    resync_seconds: float = 300
    token_hours: float = 12
    labs_at_once: int = 2
    shared_parts: list[str] = []
    hold_seconds: float = 4800
    dns_addresses: list[str] = []

    @property
    def accounts(self) -> str:
        """The namespace of the learners' accounts and kits."""
        return f"{self.namespace}-accounts"


def read(file: Path) -> Settings:
    """The settings in a file.

    Raises:
        UsageError: it can't be read, or something in it is wrong or unknown.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=Settings)
    except (OSError, msgspec.MsgspecError) as wrong:
        raise UsageError(
            f"{file} is not what the chart writes: {wrong}", "install chart and image of one version"
        ) from wrong
