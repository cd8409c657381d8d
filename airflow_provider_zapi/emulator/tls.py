"""Create a certificate for the emulator, and the authority that clients must trust. Both are new at each start."""

import os
import ssl
import tempfile
from collections.abc import Iterable
from pathlib import Path

__all__ = ["server_context"]


def server_context(authority_file: Path, names: Iterable[str]) -> ssl.SSLContext:
    """Return a server's TLS context with a fresh certificate, and write the authority's certificate.

    The private keys stay in memory, so that nobody can use the authority for anything else later.

    :param authority_file: the file for the authority's certificate, in PEM, for ``REQUESTS_CA_BUNDLE``
    :param names: the host names and IP addresses of the certificate
    :raises OSError: the file cannot be written
    """
    # This import is not at the top, because only `--tls` needs it.
    import trustme

    authority = trustme.CA(organization_name="Z-API emulator")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*dict.fromkeys(names)).configure_cert(context)
    number, name = tempfile.mkstemp(dir=authority_file.parent, prefix=f".{authority_file.name}.")
    with open(number, "wb") as file:
        file.write(authority.cert_pem.bytes())
    # The file is not secret, and processes of other users must be able to read it.
    os.chmod(name, 0o644)
    os.replace(name, authority_file)
    return context
