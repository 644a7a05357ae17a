"""An SSH server that takes a password: sshd would need an account with one. paramiko plays the server here.

A double: it runs commands with /bin/sh, knows one user and no SFTP.
"""

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import paramiko

from harness.core.device import SshAddress
from tests.support.sshd import make_key

SECRET = "correct horse"
USER = "bench"
_CHUNK = 1 << 15


class _Door(paramiko.ServerInterface):  # type: ignore[misc]
    def __init__(self, home: Path) -> None:
        self._home = home

    def check_auth_password(self, username: str, password: str) -> int:
        known = (username, password) == (USER, SECRET)
        return int(paramiko.AUTH_SUCCESSFUL if known else paramiko.AUTH_FAILED)

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 (paramiko's signature)
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002 (paramiko's signature)
        return int(paramiko.OPEN_SUCCEEDED)

    def check_channel_exec_request(self, channel: "paramiko.Channel", command: bytes) -> bool:
        threading.Thread(target=_run, args=(channel, command, self._home), daemon=True).start()
        return True


def _run(channel: "paramiko.Channel", command: bytes, home: Path) -> None:
    pipe = subprocess.PIPE
    environment = {**os.environ, "HOME": str(home)}
    process = subprocess.Popen(
        ("/bin/sh", "-c", command),
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        bufsize=0,
        cwd=home,
        env=environment,
        start_new_session=True,
    )
    with process:
        threads = [
            threading.Thread(target=_feed, args=(channel, process.stdin), daemon=True),
            threading.Thread(target=_tell, args=(process.stderr, channel.sendall_stderr), daemon=True),
        ]
        for thread in threads:
            thread.start()
        _tell(process.stdout, channel.sendall)
        code = process.wait()
        threads[1].join(10)
        with contextlib.suppress(OSError, EOFError):  # whoever asked may have left
            channel.send_exit_status(code)
            channel.close()
        threads[0].join(10)


def _feed(channel: "paramiko.Channel", stream: IO[bytes] | None) -> None:
    assert stream is not None
    with contextlib.suppress(OSError), stream:
        while piece := channel.recv(_CHUNK):
            stream.write(piece)


def _tell(stream: IO[bytes] | None, say: Callable[[bytes], object]) -> None:
    assert stream is not None
    with contextlib.suppress(OSError):
        while piece := stream.read(_CHUNK):
            say(piece)


@contextmanager
def password_server(folder: Path) -> Iterator[SshAddress]:
    """One for the duration, and how it is reached with the password in BOARD_PASSWORD."""
    home = folder / "home"
    home.mkdir()
    host_key = paramiko.Ed25519Key.from_private_key_file(str(make_key(folder / "host")))
    server = socket.create_server(("127.0.0.1", 0))
    transports: list[paramiko.Transport] = []

    def serve() -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            while True:
                transport = paramiko.Transport(server.accept()[0])
                transports.append(transport)
                transport.add_server_key(host_key)
                transport.start_server(server=_Door(home))

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
