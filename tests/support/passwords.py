"""An SSH server that takes a password: sshd would need an account with one. paramiko plays the server here.

A double: it runs commands with /bin/sh, and knows one user.
"""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko

from harness.core.device import SshAddress
from tests.support.sshd import make_key

SECRET = "correct horse"
USER = "bench"


class _Door(paramiko.ServerInterface):  # type: ignore[misc]
    def check_auth_password(self, username: str, password: str) -> int:
        known = (username, password) == (USER, SECRET)
        return int(paramiko.AUTH_SUCCESSFUL if known else paramiko.AUTH_FAILED)

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 (paramiko's signature)
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002 (paramiko's signature)
        return int(paramiko.OPEN_SUCCEEDED)

    def check_channel_exec_request(self, channel: "paramiko.Channel", command: bytes) -> bool:
        threading.Thread(target=_run, args=(channel, command), daemon=True).start()
        return True


def _run(channel: "paramiko.Channel", command: bytes) -> None:
    done = subprocess.run(("/bin/sh", "-c", command), capture_output=True, timeout=30, check=False)
    with contextlib.suppress(OSError):
        channel.sendall(done.stdout)
        channel.sendall_stderr(done.stderr)
        channel.send_exit_status(done.returncode)
        channel.close()


@contextmanager
def password_server(folder: Path) -> Iterator[SshAddress]:
    """One for the duration, and how it is reached with the password in BOARD_PASSWORD."""
    host_key = paramiko.Ed25519Key.from_private_key_file(str(make_key(folder / "host")))
    server = socket.create_server(("127.0.0.1", 0))
    transports: list[paramiko.Transport] = []

    def serve() -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            while True:
                transport = paramiko.Transport(server.accept()[0])
                transports.append(transport)
                transport.add_server_key(host_key)
                transport.start_server(server=_Door())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    port = server.getsockname()[1]
    known, config = folder / "known", folder / "config"
    known.write_text(f"[127.0.0.1]:{port} {host_key.get_name()} {host_key.get_base64()}\n")
    config.write_text("IdentitiesOnly yes\nIdentityFile none\n")
    try:
        yield SshAddress(
            host="127.0.0.1",
            port=port,
            user=USER,
            password_env="BOARD_PASSWORD",
            known_hosts=known,
            ssh_config=config,
        )
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)
        for transport in transports:
            transport.close()
