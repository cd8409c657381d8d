"""Certificates, good and bad, for servers on 127.0.0.1."""

from __future__ import annotations

import datetime
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

HOSTS = ("127.0.0.1", "localhost")
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Certificates:
    """Server contexts for ``FaultServer(tls=...)``, and the authority that signed the good one."""

    #: The PEM file of the authority, for REQUESTS_CA_BUNDLE.
    ca_file: Path
    good: ssl.SSLContext
    #: Contexts that a client refuses if it trusts ``ca_file``. The names say why.
    bad: dict[str, ssl.SSLContext]


def certificates(folder: Path) -> Certificates:
    """Make an authority and its certificates, and write the authority's PEM file to ``folder``."""
    now = datetime.datetime.now(datetime.UTC)
    ca = trustme.CA()
    ca_file = folder / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    issued = {
        "good": ca.issue_cert(*HOSTS),
        "expired": ca.issue_cert(*HOSTS, not_before=now - 3 * DAY, not_after=now - DAY),
        "not_yet_valid": ca.issue_cert(*HOSTS, not_before=now + DAY, not_after=now + 3 * DAY),
        "wrong_host": ca.issue_cert("other.example"),
        "unknown_ca": trustme.CA().issue_cert(*HOSTS),
    }
    contexts = {name: _context(certificate) for name, certificate in issued.items()}
    contexts["self_signed"] = _self_signed(folder, now)
    return Certificates(ca_file, contexts.pop("good"), contexts)


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def _self_signed(folder: Path, now: datetime.datetime) -> ssl.SSLContext:
    """Return a self-signed certificate, which trustme cannot make."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "self-signed")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - DAY, now + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "self-signed.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
