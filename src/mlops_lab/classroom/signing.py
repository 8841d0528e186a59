"""The key of a class: Ed25519, both halves as text: the private one in a Secret, the public one for people to paste.

A key's id is its thumbprint by RFC 7638, as in the `kid` of what is signed with it.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mlops_lab.base import entries
from mlops_lab.base.errors import UsageError

_LARGEST = 64 << 10  # bytes of a key's file


@dataclass(frozen=True)
class PublicKey:
    """Checks signatures."""

    raw: bytes

    @property
    def id(self) -> str:
        """Its thumbprint by RFC 7638 over the members that RFC 8037 names, base64url."""
        jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{_base64url(self.raw)}"}}'
        return _base64url(hashlib.sha256(jwk.encode()).digest())

    @property
    def pem(self) -> str:
        """The key as text."""
        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def verifies(self, signature: bytes, content: bytes) -> bool:
        """Whether this is the key's signature of the content."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, content)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class PrivateKey:
    """Signs; whoever has it can write any grade."""

    raw: bytes = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """The half that checks."""
        key = Ed25519PrivateKey.from_private_bytes(self.raw).public_key()
        return PublicKey(key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))

    @property
    def pem(self) -> str:
        """The key as text (PKCS #8, not encrypted), such as for a Secret."""
        key = Ed25519PrivateKey.from_private_bytes(self.raw)
        return key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def sign(self, content: bytes) -> bytes:
        """The signature of a content; the same each time."""
        return Ed25519PrivateKey.from_private_bytes(self.raw).sign(content)


def private_from_pem(content: str, where: str, hint: str) -> PrivateKey:
    """The key in a text.

    Args:
        where: what the text is, for the error.
        hint: what to do if it is none.

    Raises:
        UsageError: it is no Ed25519 key.
    """
    try:
        key = serialization.load_pem_private_key(content.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as broken:
        raise UsageError(f"{where} holds no private key", hint) from broken
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{where} holds a key of another kind than Ed25519", hint)
    return PrivateKey(
        key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    )


def public_key(file: Path) -> PublicKey:
    """The public key in a file.

    Raises:
        UsageError: it can't be read, or is no Ed25519 key; also if it is the private one.
    """
    hint = "name the class's public key (PEM), which the teacher gives to everybody"
    return public_from_pem(_content(file, hint), str(file), hint)


def public_from_pem(content: str, where: str, hint: str) -> PublicKey:
    """The public key in a text; raises as `private_from_pem`."""
    if "PRIVATE KEY" in content:
        raise UsageError(f"{where} holds a private key, which must not leave its place", hint)
    try:
        key = serialization.load_pem_public_key(content.encode())
    except (ValueError, UnsupportedAlgorithm) as broken:
        raise UsageError(f"{where} holds no public key", hint) from broken
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{where} holds a key of another kind than Ed25519", hint)
    return PublicKey(key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))


def _content(file: Path, hint: str) -> str:
    try:
        return entries.text(file, _LARGEST)
    except OSError as trouble:
        raise UsageError(f"the key {file} can't be read: {trouble.strerror or trouble}", hint) from trouble
    except UnicodeDecodeError as broken:
        raise UsageError(f"{file} holds no key: it is no text", hint) from broken


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
