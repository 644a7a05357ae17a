"""The adb server that phones are reached through, and which of them is meant.

A phone on USB belongs to one server alone, so two servers fight over it. So: the port that is configured; else the
user's own server on 5037 where one runs and speaks our adb's protocol; else one of ours on a port of its own, which
stays running. No server is ever killed, and no call may start one on another port behind our back.
"""

import importlib.resources
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from devices.transport.adb_errors import lost_server, refuse, too_slow, unreachable
from harness.core.deadline import Deadline
from harness.core.device import AdbAddress
from harness.core.errors import DeviceError, DeviceLost, DeviceRefused
from harness.core.units import Seconds

if TYPE_CHECKING:
    from adbutils import AdbClient, AdbConnection

T = TypeVar("T")

USERS_PORT = 5037
OUR_PORT = 5038
_START_S: Seconds = 20.0
_ASK_S: Seconds = 5.0
CONNECT_S: Seconds = 10.0  # as long as the server itself tries
_PROTOCOL = 41  # ADB_SERVER_VERSION of every adb since platform-tools 28.0.2; another one would restart the server
_LOCALHOST = "127.0.0.1"


def bundled_adb() -> Path:
    """The program that adbutils brings."""
    return Path(str(importlib.resources.files("adbutils.binaries") / "adb"))


class AdbServer:
    """One server, on one port of this machine. device names the phone in errors.

    connect_s: how long it may take to connect to a phone by TCP.
    """

    def __init__(self, device: str, address: AdbAddress, connect_s: Seconds = CONNECT_S) -> None:
        self.device = device
        self.program = str(address.adb or bundled_adb())
        self.port = address.server_port or choose_port()
        self._address = address
        self._connect_s = connect_s

    @property
    def environment(self) -> Mapping[str, str]:
        """Of every process: without the port an adb starts a second server on 5037."""
        return {**os.environ, "ANDROID_ADB_SERVER_PORT": str(self.port)}

    def argv(self, serial: str, *words: str) -> tuple[str, ...]:
        """A call of adb for one phone."""
        return (self.program, "-P", str(self.port), "-s", serial, *words)

    def ensure(self) -> None:
        """Start the server where none answers. Raises DeviceError."""
        if (protocol := _protocol_of(self.port)) is not None:
            self._check_protocol(protocol)
            return
        argv = (self.program, "-P", str(self.port), "start-server")
        quiet = subprocess.DEVNULL  # a pipe would be the daemon's too, and never end
        try:
            subprocess.run(argv, env=self.environment, timeout=_START_S, stdin=quiet, stdout=quiet, stderr=quiet)
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise DeviceError(self.device, f"{self.program} start-server: {exc}; see that it is a working adb") from exc
        if _protocol_of(self.port) is None:
            raise DeviceError(self.device, f"no adb server answers on port {self.port}; set server_port to a free one")

    def _check_protocol(self, protocol: int) -> None:
        """An adb of another version restarts a server that it meets, with all that others do by it."""
        if protocol != _PROTOCOL and self._address.adb is None:
            words = f"the adb server on port {self.port} is of version {protocol}, the bench's adb of {_PROTOCOL}"
            raise DeviceError(self.device, f"{words}, which would restart it; set server_port to a free port, or adb")

    def ask(
        self, question: "Callable[[AdbClient], T]", patience_s: Seconds = _ASK_S, late: DeviceLost | None = None
    ) -> T:
        """Ask the server by adbutils, within a time. late is raised past it, None for what is to be said of adb.

        Raises DeviceLost, and what an answer of failure means.
        """
        from adbutils import AdbError, AdbTimeout

        self.ensure()
        try:
            return question(_bounded(self.port, patience_s))
        except (AdbTimeout, TimeoutError) as exc:
            raise late or too_slow(self.device, patience_s) from exc
        except AdbError as exc:
            raise refuse(self.device, str(exc)) from exc
        except (OSError, EOFError, ValueError) as exc:
            raise lost_server(self.device, exc) from exc

    def states(self) -> dict[str, str]:
        """Every phone that the server knows, with its state (`device`, `offline`, `unauthorized`)."""
        found = self.ask(lambda client: {info.serial: info.state for info in client.list()})
        # adbutils takes the first word of `no permissions (user in plugdev group; are your udev rules wrong?); see ...`
        return {serial: "no permissions" if state == "no" else state for serial, state in found.items()}

    def choose(self) -> str:
        """The serial that the address means, connected to. Raises DeviceRefused, DeviceLost that say what is there."""
        wanted = self._address.serial or self._address.address
        if self._address.address is not None:
            self.connect(self._address.address)
        states = self.states()
        if wanted is None:
            if len(states) > 1:
                found = ", ".join(sorted(states))
                raise DeviceRefused(
                    self.device, f"more than one phone is attached ({found}); set serial to one of them"
                )
            if not states:
                raise unreachable(self.device, "no phone is attached", states)
            wanted = next(iter(states))
        self.check(wanted, states)
        return wanted

    def check(self, serial: str, states: Mapping[str, str] | None = None) -> None:
        """Raises where a phone cannot be used, after it was reconnected once where it is offline."""
        known = self.states() if states is None else states
        if serial not in known and serial == self._address.address:
            self.connect(serial)
            known = self.states()
        if known.get(serial) == "offline":
            self.reconnect(serial)
            known = {serial: "offline", **self._settled(serial)}  # the server may have dropped it
        state = known.get(serial)
        if state is None:
            raise unreachable(self.device, f"{serial} is not attached", known)
        if state == "offline":
            words = f"{serial} is offline, also after it was reconnected; plug it in again, or restart it"
            raise DeviceLost(self.device, words)
        if state != "device":
            raise refuse(self.device, f"{serial} is {state}", state)

    def _settled(self, serial: str) -> dict[str, str]:
        """The states once a reconnected phone has made up its mind."""
        deadline = Deadline(_ASK_S)
        while True:
            states = self.states()
            if states.get(serial) not in (None, "offline", "connecting", "authorizing") or deadline.expired:
                return states
            time.sleep(0.1)

    def connect(self, address: str) -> None:
        """Have the server connect to a phone by TCP. Raises DeviceLost."""
        advice = "see that the phone listens there (`adb tcpip 5555`)"
        late = DeviceLost(self.device, f"{address} did not answer in {self._connect_s:g} s; {advice}")
        said = self.ask(lambda client: client.connect(address, timeout=self._connect_s), self._connect_s, late)
        if "connected to" not in said and "authenticate" not in said:
            raise DeviceLost(self.device, f"{said.strip()}; {advice}")

    def reconnect(self, serial: str) -> None:
        """Connect one phone anew, and no other: the server goes on."""
        if serial == self._address.address:
            self.ask(lambda client: client.disconnect(serial))
            self.connect(serial)
            return
        self.ask(lambda client: _say(client, f"host-serial:{serial}:reconnect"))


def _say(client: "AdbClient", command: str) -> None:
    with client.make_connection() as connection:
        connection.send_command(command)
        connection.check_okay()


def choose_port(users: int = USERS_PORT, ours: int = OUR_PORT) -> int:
    """The user's server where it speaks our adb's protocol: a phone on USB is there already. Else ours."""
    return users if _protocol_of(users) == _PROTOCOL else ours


def running_server() -> int | None:
    """The port of the server that would be used and runs already; None where one would be started."""
    port = choose_port()
    return port if _protocol_of(port) is not None else None


def _protocol_of(port: int) -> int | None:
    """The version that a server on the port speaks; None where none answers."""
    try:
        with socket.create_connection((_LOCALHOST, port), timeout=_ASK_S) as link:
            link.sendall(b"000chost:version")
            answer = b""
            while piece := link.recv(64):
                answer += piece
        return int(answer[8:], 16) if answer.startswith(b"OKAY") else None
    except (OSError, ValueError):
        return None


def _bounded(port: int, patience_s: Seconds) -> "AdbClient":
    """adbutils' client, whose every connection has a time limit and never starts a server of its own."""
    from adbutils import AdbClient, AdbTimeout

    class Bounded(AdbClient):  # type: ignore[misc]
        def make_connection(self, timeout: float | None = None) -> "AdbConnection":
            if _protocol_of(port) is None:  # adbutils would start one, on 5037
                raise AdbTimeout("the adb server went away")
            return super().make_connection(timeout=min(timeout or patience_s, patience_s))

    return Bounded(host=_LOCALHOST, port=port, socket_timeout=patience_s)
