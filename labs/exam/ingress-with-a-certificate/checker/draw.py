"""What this task draws."""

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """The Services and their port, Secret, Ingress and host; the certificate for it and its key, as PEM."""

    app: str
    neighbour: str
    port: int
    secret: str
    ingress: str
    host: str
    certificate: str
    key: str


def draw(random: Random) -> Drawn:
    """Draw them. The key is worth nothing: whoever has the seed has it."""
    app, neighbour, ingress = words(random, 3)
    host = f"{app}-pay.example.org"
    key = ec.derive_private_key(random.randrange(1, 2**255), ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), random.randrange(1, 2**63))
        .not_valid_before(datetime(2024, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2048, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Drawn(
        f"{app}-pay", f"{neighbour}-pay", random.choice([80, 8080, 9000]), f"{app}-tls", f"{ingress}-entry", host,
        made.public_bytes(pem).decode().strip(), private.decode().strip(),
    )  # fmt: skip
