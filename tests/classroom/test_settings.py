"""What the server is told, and the program itself: with TLS, from its start to its end."""

from __future__ import annotations

import http.client
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mlops_lab.base.errors import UsageError
from mlops_lab.classroom.server.__main__ import main
from mlops_lab.classroom.server.settings import from_environment, read_class
from tests.classroom.made_up import KEY
from tests.classroom.served import PATIENCE, TEACHER


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Settings of a class at this machine's own address."""
    monkeypatch.setenv("MLOPS_LAB_HOME", str(tmp_path / "home"))
    (tmp_path / "key.pem").write_text(KEY.pem)
    (tmp_path / "teacher").write_text(f"{TEACHER}\n")
    (tmp_path / "grader").write_text("g" * 24)
    yield {
        "CLASS_DATABASE": f"sqlite:///{tmp_path}/class.db", "CLASS_KEY": str(tmp_path / "key.pem"),
        "CLASS_TEACHER_TOKEN_FILE": str(tmp_path / "teacher"), "CLASS_GRADER_TOKEN_FILE": str(tmp_path / "grader"),
    }  # fmt: skip


def certificate(folder: Path) -> dict[str, str]:
    """A certificate for 127.0.0.1, as variables."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "class")])
    begin = datetime.now(UTC) - timedelta(minutes=5)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(begin + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "tls.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "tls.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
    return {"CLASS_CERTIFICATE": str(folder / "tls.crt"), "CLASS_CERTIFICATE_KEY": str(folder / "tls.key")}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"CLASS_DATABASE": ""}, "CLASS_DATABASE is not set"),
        ({"CLASS_LISTEN": "0.0.0.0:8443"}, "speaks TLS"),
        ({"CLASS_LISTEN_INSIDE": "[::]:8444"}, "speaks TLS"),
        ({"CLASS_LISTEN": "everywhere"}, "no address and port"),
        ({"CLASS_CERTIFICATE": "x"}, "belong together"),
        ({"CLASS_TEACHER_TOKEN_FILE": "/nowhere"}, "can't be read"),
        ({"CLASS_GRADER_TOKEN_FILE": os.devnull}, "too short"),
        ({"CLASS_FILE": "/nowhere"}, "no description of a class"),
    ],
)
def test_what_is_wrong_is_said(environment: dict[str, str], change: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        from_environment({**environment, **change})


def test_settings_are_read_and_no_token_is_shown(environment: dict[str, str], tmp_path: Path) -> None:
    more = {"CLASS_HOSTS": "Class.example, ,b", "CLASS_LISTEN": "0.0.0.0:1", **certificate(tmp_path)}
    found = from_environment({**environment, **more})
    assert found.hosts == ("class.example", "b") and found.teacher == TEACHER and found.tls
    assert TEACHER not in repr(found) and "g" * 24 not in repr(found) and len(found.klass.labs) > 15
    assert not found.klass.labs.keys() & found.klass.others.keys() and found.lti is None


def test_labs_that_files_can_not_be_graded_in_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "class.toml"
    file.write_text('labs = ["04", "13", "20"]')
    found = read_class(file)
    assert list(found.labs) == ["04"] and "a node is drained" in found.others["13"] and found.others["20"]


def test_learning_platforms_are_let_in_by_an_address_over_tls(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "platforms.toml"
    names = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
    ends = "".join(f'{name} = "https://school.example"\n' for name in names)
    file.write_text(f'[[platform]]\n{ends}client_id = "c"\ndeployments = ["1"]\n')
    own = {**environment, "CLASS_LTI_PLATFORMS": str(file), "CLASS_LTI_ADDRESS": "https://Class.example:443/"}
    found = from_environment(own)
    assert found.lti and found.lti.address == "https://class.example" and found.hosts == ("class.example",)
    assert [each.client_id for each in found.lti.platforms] == ["c"]
    for wrong in ("http://class.example", "https://class.example/lti", "class.example"):
        with pytest.raises(UsageError, match="no https address"):
            from_environment({**own, "CLASS_LTI_ADDRESS": wrong})


def test_a_class_has_its_own_labs_and_days(tmp_path: Path) -> None:
    file = tmp_path / "class.toml"
    file.write_text(
        'name = "A"\nlabs = ["10", "04"]\n[due]\n"10" = 2026-11-06T18:00:00+01:00\n"04" = 2026-11-06T18:00:00\n'
    )
    found = read_class(file)
    assert list(found.labs) == ["04", "10"] and found.name == "A" and found.labs["10"]
    assert found.due == {number: datetime(2026, 11, 6, hour, tzinfo=UTC) for number, hour in (("10", 17), ("04", 18))}
    file.write_text('[due]\n"10" = 2026-11-06T18:00+01:00  # Friday\n04 = 2026-11-06 18:00Z\r\n"12"=2026-11-06T18:30\n')
    hours = {"10": (17, 0), "04": (18, 0), "12": (18, 30)}
    assert read_class(file).due == {number: datetime(2026, 11, 6, *at, tzinfo=UTC) for number, at in hours.items()}
    for text, said in (('[due]\n"10" = 2026-11-06T18:00:', "class.toml"), ('labs = ["99"]', "no lab '99'"),
                       ('labs = ["04"]\n[due]\n"10" = 2026-01-01T00:00:00', "'10'"),
                       ("lab = 1", "lab"), ("labs = [", "class.toml")):  # fmt: skip
        file.write_text(text)
        with pytest.raises(UsageError, match=said):
            read_class(file)


def test_the_program_speaks_tls_and_ends_when_it_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    own = {**environment, **certificate(tmp_path), "CLASS_LISTEN": "127.0.0.1:0", "CLASS_LISTEN_INSIDE": "127.0.0.1:0",
           "CLASS_LISTEN_METRICS": "127.0.0.1:0"}  # fmt: skip
    log = tmp_path / "log"
    with log.open("wb") as out:
        program = subprocess.Popen(
            [sys.executable, "-m", "mlops_lab.classroom.server"], env={**os.environ, **own}, stderr=out
        )  # fmt: skip
    try:
        end = time.monotonic() + PATIENCE
        while "listening on" not in log.read_text():
            assert time.monotonic() < end and program.poll() is None, log.read_text()
            time.sleep(0.05)
        port = int(log.read_text().partition("listening on ")[2].split(",")[0])
        trusted = ssl.create_default_context(cafile=own["CLASS_CERTIFICATE"])

        def ask(method: str, path: str, body: str | None = None) -> http.client.HTTPResponse:
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=trusted)
            form = {"Origin": f"https://127.0.0.1:{port}", "Content-Type": "application/x-www-form-urlencoded"}
            connection.request(method, path, body, form)
            answer = connection.getresponse()
            answer.read()
            return answer

        assert ask("GET", "/healthz").status == 200
        while (answer := ask("POST", "/login", urlencode({"token": TEACHER}))).status == 503:
            assert time.monotonic() < end
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-class=") and "Secure" in cookie and "HttpOnly" in cookie
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with pytest.warns(DeprecationWarning):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(OSError):
            http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=old).request("GET", "/healthz")
        with pytest.raises((OSError, http.client.HTTPException)):
            plain = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            plain.request("GET", "/healthz")
            plain.getresponse()
    finally:
        program.send_signal(signal.SIGTERM)
    assert program.wait(PATIENCE) == 0
    assert TEACHER not in log.read_text()


def test_the_program_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith("CLASS_")]:
        monkeypatch.delenv(name)
    with pytest.raises(SystemExit, match="CLASS_DATABASE is not set\nnext: "):
        main()
