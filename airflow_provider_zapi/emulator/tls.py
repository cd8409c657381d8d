"""A certificate for the emulator, and the authority that a client has to trust for it; both are new at each start."""

import os
import ssl
import tempfile
from collections.abc import Iterable
from pathlib import Path

__all__ = ["server_context"]


def server_context(authority_file: Path, names: Iterable[str]) -> ssl.SSLContext:
    """Return a server's TLS context with a fresh certificate, and write the authority's certificate.

    The private keys stay in memory, so that nobody can use the authority for anything else later.

    :param authority_file: where the authority's certificate goes, in PEM, for ``REQUESTS_CA_BUNDLE``
    :param names: host names and IP addresses that the certificate is for
    :raises OSError: the file cannot be written
    """
    # Here: only `--tls` needs it.
    import trustme

    authority = trustme.CA(organization_name="Z-API emulator")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*dict.fromkeys(names)).configure_cert(context)
    number, name = tempfile.mkstemp(dir=authority_file.parent, prefix=f".{authority_file.name}.")
    with open(number, "wb") as file:
        file.write(authority.cert_pem.bytes())
    # Another user's process has to read it, and it is not secret.
    os.chmod(name, 0o644)
    os.replace(name, authority_file)
    return context
