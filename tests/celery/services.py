"""PostgreSQL and Redis from Debian, each with its own folder and port on loopback.

pytest-postgresql does not fit, because it cannot start a server if the tests run as root, as they do in containers.
"""

import os
import pwd
import socket
import subprocess
from pathlib import Path

from scripts.background import BackgroundError, BackgroundProcess, clean_environment, free_ports
from tests.celery.parts import Part
from tests.programs import program

#: PostgreSQL refuses to run as root. Debian's package creates this user for it.
POSTGRES_USER = "postgres"
POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # The data does not have to survive the run.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


def postgresql(folder: Path, log: Path) -> tuple[Part, str]:
    """Create a PostgreSQL server. Return it and the address of its empty database, without a scheme.

    :param folder: an empty folder, which a user other than root must be able to access
    """
    programs = program("/usr/lib/postgresql/*/bin/initdb").parent
    port = free_ports(1)[0]
    # Run it from a folder that every user can access. Each of these commands replaces itself with the next one.
    run = ["env", "--chdir=/"]
    if os.geteuid() == 0:
        user = pwd.getpwnam(POSTGRES_USER)
        os.chown(folder, user.pw_uid, user.pw_gid)
        run += ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    initdb = [*run, str(programs / "initdb"), "-D", str(folder), "-U", "airflow", "-A", "trust", "-E", "UTF8"]
    made = subprocess.run([*initdb, "--no-sync"], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise BackgroundError(f"PostgreSQL's folder could not be created:\n{made.stderr}")
    settings = [f"--{name}={value}" for name, value in POSTGRES_SETTINGS.items()]
    process = BackgroundProcess(
        "PostgreSQL",
        [*run, str(programs / "postgres"), "-D", str(folder), "-p", str(port), *settings],
        env=clean_environment(os.environ),
        log=log,
        grace=10,
    )
    probe = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "airflow", "-d", "postgres"]
    return (
        Part(process, lambda: subprocess.run(probe, check=False).returncode == 0),
        f"airflow@127.0.0.1:{port}/postgres",
    )


def redis(folder: Path, log: Path) -> tuple[Part, str]:
    """Create a Redis server that does not save data. Return it and its address."""
    server = program("/usr/bin/redis-server")
    port = free_ports(1)[0]
    command = [str(server), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    process = BackgroundProcess(
        "Redis",
        [*command, "--save", "", "--appendonly", "no"],
        env=clean_environment(os.environ),
        log=log,
        grace=5,
    )
    return Part(process, lambda: _pong(port)), f"redis://127.0.0.1:{port}/0"


def _pong(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith(b"+PONG")
