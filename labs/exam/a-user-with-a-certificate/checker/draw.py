"""What this task draws."""

from dataclasses import dataclass
from random import Random

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mlops_lab.tasks.drawing import words


@dataclass(frozen=True)
class Drawn:
    """Names of the user, of her request and of a pod; her private key and her request as PEM."""

    user: str
    csr: str
    pod: str
    key: str
    request: str


def draw(random: Random) -> Drawn:
    """Draw them. The key is worth nothing: whoever has the seed has it."""
    user, pod = words(random, 2)
    key = ec.derive_private_key(random.randrange(1, 2**255), ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = request.sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Drawn(
        user, f"{user}-of-{pod}", f"{pod}-worker", private.decode().strip(), signed.public_bytes(pem).decode().strip()
    )
