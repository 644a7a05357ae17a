"""A real sshd of the tests' own: its own host key, its own client key, one folder, this machine alone.

It runs as the tests do; commands run as the tests' user, with a home directory below the folder.
"""

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.core.device import SshAddress

_SSHD = "/usr/sbin/sshd"  # sshd wants to be started by its whole path
_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/client.pub
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PermitRootLogin prohibit-password
StrictModes no
UseDNS no
PrintMotd no
PrintLastLog no
LogLevel VERBOSE
MaxStartups 100
MaxSessions 100
SetEnv HOME={home} WEIGHBRIDGE_LEASES={leases}{variables}
{sftp}
{extra}
"""
_SFTP = "Subsystem sftp internal-sftp"
_WAIT_S = 20.0


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def make_key(path: Path, passphrase: str = "") -> Path:
    """A fresh key; its public half lies beside it."""
    if not path.exists():
        words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", path.name, "-f", str(path))
        subprocess.run(words, check=True, capture_output=True, timeout=60)
    return path


class Sshd:
    """Started on creation, ended by stop. extra are further lines of its configuration.

    home is where commands find $HOME. A board's Python finds packages by variables (`PYTHONPATH`). sftp False: a board
    without. of is another server of the same board, which has a home and leases already.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sftp: bool = True,
        variables: Sequence[str] = (),
        extra: str = "",
        port: int | None = None,
        of: "Sshd | None" = None,
    ) -> None:
        self.folder = folder
        self.home: Path = of.home if of else folder / "home"
        self.leases: Path = of.leases if of else folder / "leases"
        for place in (folder, self.home):
            place.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.client_key = make_key(folder / "client")
        make_key(folder / "host")
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.write_text(self.known_line())
        config = _CONFIG.format(
            port=self.port,
            folder=folder,
            home=self.home,
            leases=self.leases,
            variables="".join(f" {each}" for each in variables),
            sftp=_SFTP if sftp else "",
            extra=extra,
        )
        self._config = folder / "sshd_config"
        self._config.write_text(config)
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where sshd wants to be alone while it checks who comes
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def known_line(self) -> str:
        """What known_hosts has of it."""
        kind, key = (self.folder / "host.pub").read_text().split()[:2]
        return f"[127.0.0.1]:{self.port} {kind} {key}\n"

    @property
    def user(self) -> str:
        return pwd.getpwuid(os.getuid()).pw_name

    @property
    def address(self) -> SshAddress:
        """How it is reached; nothing of this machine's own configuration takes part."""
        return self.through(self.port)

    def through(self, port: int) -> SshAddress:
        """The same by another port of this machine, such as a proxy's."""
        empty = self.folder / "ssh_config"
        empty.touch()
        kind, key = (self.folder / "host.pub").read_text().split()[:2]
        known = self.folder / f"known_hosts_{port}"
        known.write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
        return SshAddress(
            host="127.0.0.1", port=port, user=self.user, key=self.client_key, known_hosts=known, ssh_config=empty
        )

    def become_another(self) -> None:
        """Have another host key from the next start on, which those who know this server have accepted too."""
        for name in ("host", "host.pub"):
            (self.folder / name).unlink()
        make_key(self.folder / "host")
        kind, key = (self.folder / "host.pub").read_text().split()[:2]
        for known in self.folder.glob("known_hosts_*"):
            port = known.name.rpartition("_")[2]
            with known.open("a") as stream:
                stream.write(f"[127.0.0.1]:{port} {kind} {key}\n")

    @property
    def log(self) -> str:
        return (self.folder / "sshd.log").read_text(errors="replace")

    def start(self) -> None:
        """Listen, on the same port as before."""
        with (self.folder / "sshd.log").open("ab") as log:
            words = (_SSHD, "-D", "-e", "-f", str(self._config))
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        ends = time.monotonic() + _WAIT_S
        while time.monotonic() < ends:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.01)
        raise RuntimeError(f"sshd does not start: {self.log}")

    def sessions(self) -> list[int]:
        """The process of each live connection."""
        assert self._process is not None
        return _children(self._process.pid)

    def drop_sessions(self) -> None:
        """Kill every live connection and go on listening. What runs in them is not killed."""
        for pid in self.sessions():
            for each in (*_children(pid), pid):
                if _is_sshd(each):
                    _signal(each, signal.SIGKILL)

    def freeze(self) -> None:
        """Stop every live connection: the kernel still acknowledges, nobody reads."""
        self._signal_sessions(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_sessions(signal.SIGCONT)

    def stop(self) -> None:
        """End it and its connections."""
        if self._process is None:
            return
        self.thaw()
        self.drop_sessions()
        self._process.kill()
        self._process.wait(_WAIT_S)
        self._process = None

    def _signal_sessions(self, number: int) -> None:
        for pid in self.sessions():
            for each in (pid, *_children(pid)):
                if _is_sshd(each):
                    _signal(each, number)


@contextmanager
def sshd(folder: Path, **options: object) -> Iterator[Sshd]:
    """One for the duration."""
    server = Sshd(folder, **options)  # type: ignore[arg-type]
    try:
        yield server
    finally:
        server.stop()


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _is_sshd(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().startswith("sshd")
    return False


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
