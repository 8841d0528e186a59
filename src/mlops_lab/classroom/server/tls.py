"""TLS with the certificate that the server was given as files, and with each that takes its place while it serves."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from mlops_lab.base.errors import LabError

LOOK = 5.0  # s between two looks at the files
_log = logging.getLogger(__name__)


class Certificate:
    """A certificate and its key, as they lie in files that somebody may put others in place of.

    Attributes:
        context: for connections that come from now on. One that is made anew takes its place as a whole, so that no
            connection meets a certificate without its key, as while only one of the files has been replaced.

    Raises:
        LabError: they can't be used.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate, self._key = certificate, key
        self._taken = self._failed = self._seen()
        self.context = self._read()

    def renewed(self) -> bool:
        """Look at the files; is there a new context? What can't be used is said once, and the one before stays."""
        seen = self._seen()
        if seen == self._taken:
            return False
        try:
            self.context = self._read()
        except LabError as wrong:
            if seen != self._failed:
                _log.warning("%s; the one before it stays in use", wrong.message)
            self._failed = seen
            return False
        self._taken = self._failed = seen
        _log.info("the certificate %s was renewed, and is in use", self._certificate)
        return True

    def _seen(self) -> list[tuple[int, int, int] | None]:
        found: list[tuple[int, int, int] | None] = []
        for file in (self._certificate, self._key):
            try:
                is_now = file.stat()
            except OSError:
                found.append(None)
            else:
                found.append((is_now.st_ino, is_now.st_mtime_ns, is_now.st_size))
        return found

    def _read(self) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            made.load_cert_chain(self._certificate, self._key)
        except OSError as wrong:  # ssl.SSLError is one
            raise LabError(
                f"the certificate {self._certificate} can't be used: {wrong}",
                "put a certificate and its key there, both in PEM: CLASS_CERTIFICATE, CLASS_CERTIFICATE_KEY",
            ) from wrong
        return made
