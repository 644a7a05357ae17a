"""Linux boards that are reached by SSH: the agent is brought to them and started there."""

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from devices import lease as leases
from devices.agent.lease import boot
from devices.agent.protocol import ProtocolError
from devices.device import AttachedDevice
from devices.families import edgetpu, linux
from devices.inventory import LOCAL
from devices.runtimes.agent import AgentClient
from devices.runtimes.agent_launch import ANY_ROUTE, Route
from devices.runtimes.edgetpu_ops import edgetpu_op_table
from devices.runtimes.litert_ops import op_table
from devices.runtimes.owner import owner_of, tenure_words
from devices.transport.bundle import bundle_file, bundle_folder
from devices.transport.push import Delivery
from devices.transport.ssh import SshTransport
from devices.transport.ssh_link import Patience
from devices.transport.transport import Lines
from devices.turns import machine_of, turn_on
from harness.core import digest
from harness.core.deadline import Deadline
from harness.core.device import Conditions, DeviceFacts, DeviceSpec
from harness.core.errors import DeviceError, DeviceLost, DeviceRefused
from harness.core.launch import LaunchOrder
from harness.core.units import Seconds

FOLDER = ".weighbridge"  # in the home directory of the board's user
_ASK_S: Seconds = 30.0  # an emulated or busy board starts a Python in seconds
_PYTHONS = ("python3", *(f"python3.{minor}" for minor in range(14, 6, -1)), "python")
_FIND_PYTHON = (
    'for p in "$@"; do "$p" -c "import sys; sys.exit(sys.version_info < (3, 7))" 2>/dev/null '
    '&& command -v "$p" && exit 0; done; exit 1'
)
# What tells a board from another. A board of ARM has a serial number of its own; the machine-id is made by the
# system's installation, and two boards from one image may share it, so it counts together with the host key.
_IDENTIFY = (
    "tr -d '\\0' </proc/device-tree/serial-number 2>/dev/null || cat /etc/machine-id 2>/dev/null "
    "|| cat /var/lib/dbus/machine-id 2>/dev/null || :"
)
# Which system runs there, for as long as it runs, and where its agents keep their lease: two names for one board have
# both in common, also where they show different host keys.
_SYSTEM = 'cat /proc/sys/kernel/random/boot_id 2>/dev/null && echo "$WEIGHBRIDGE_LEASES"'

MakeTransport = Callable[[], SshTransport]


def ssh_device(spec: DeviceSpec) -> AttachedDevice:
    """A board, ready to be entered. It is connected to once for its facts, without its lease. Raises DeviceError."""
    route = Route(runtime=spec.runtime, dispatch=str(spec.dispatch) if spec.dispatch else None)
    return attach(board_of(spec), spec.name, route, prepare=spec.prepare)


def edgetpu_board(spec: DeviceSpec) -> AttachedDevice:
    """The Edge TPU of a board; its leases are the board's and the accelerator's own. Raises DeviceError.

    One with the double of the tests says so in its name, as edgetpu_device does.
    """
    route = edgetpu.route_of(spec)
    assert route.delegate is not None
    return attach(board_of(spec), edgetpu.name_of(spec.name, route.delegate), route, prepare=spec.prepare)


def attach(board: "Board", name: str, route: Route = ANY_ROUTE, *, prepare: bool = False) -> AttachedDevice:
    """A board as a device. prepare: what makes measuring steadier is switched on there, and restored."""
    facts, _ = board_state(board, name, route)
    return AttachedDevice(
        facts=facts,
        connect=board.connect,
        lease=_lease_of(name, facts.machine or name, route),
        map_ops=edgetpu_op_table if route.delegate else op_table,
        route=route,
        deliver=board.deliver,
        give_up=board.close,
        prepare=prepare,
        turn=turn_on(facts.machine or name),
    )


def _lease_of(name: str, machine: str, route: Route) -> edgetpu.Lease:
    """That of this host on a board, with the accelerator's where the device is one; the board itself keeps another."""
    folder = leases.lease_folder()
    board = partial(leases.lease, name, machine, folder)
    if route.delegate is None:
        return board
    key = edgetpu.accelerator_key(machine, route.delegate)
    return edgetpu.with_accelerator(board, partial(leases.lease, name, key, folder))


def board_of(spec: DeviceSpec, patience: Patience | None = None) -> "Board":
    """The board that a specification names, not connected to yet."""
    address = spec.ssh
    assert address is not None, "a board has an address"
    python = str(spec.python) if spec.python else None
    return Board(spec.name, lambda: SshTransport(spec.name, address, patience), python)


def board_state(board: "Board", name: str, route: Route = ANY_ROUTE) -> tuple[DeviceFacts, Conditions]:
    """A board's facts and its conditions now. Works while somebody else measures on it. Raises DeviceError."""
    with closing(board.look()) as connection:
        client = AgentClient(name, connection, op_table)
        client.greet()
        try:
            told, delegate = client.facts(), route.delegate
            facts = linux.facts_of(name, told, board.python, route.runtime, route.dispatch, delegate)
            facts = edgetpu.facts_of(facts, delegate) if delegate else facts
            own = replace(facts, machine=board.machine, serial=facts.serial or board.identity)
            return own, client.conditions()
        except ProtocolError as exc:
            raise DeviceError(name, f"the agent's facts make no sense: {exc}") from exc


class Board:
    """A board and the way to it. One connection carries the agent's lines, the files and the questions.

    make opens a way to it, anew after each loss. python is a path there, None for the first that is new enough.
    options are further words for its supervisor (docs/agent-protocol.md).
    """

    def __init__(self, name: str, make: MakeTransport, python: str | None = None, options: Sequence[str] = ()) -> None:
        self._name = name
        self._options = options
        self._make = make
        self._pythons = _PYTHONS if python is None else (python,)
        self._python: str | None = None
        self._lock = threading.Lock()
        self._transport: SshTransport | None = None
        self._delivery: Delivery | None = None
        self._identity: str | None = None

    def look(self) -> Lines:
        """Start the agent's supervisor there to ask it, while somebody else may measure. Raises DeviceError."""
        return self._start(lambda: ())

    def connect(self) -> Lines:
        """Start the agent's supervisor there, which takes the board's lease. Raises DeviceError."""
        return self._start(self._tenure)

    def _start(self, more: Callable[[], Sequence[str]]) -> Lines:
        transport = self._renew()
        try:
            self._check_identity(transport)
            agent = self.delivery.bring(self._bundle())
            return _OwnLines(transport.start((self.python, agent, "supervise", *self._options, *more())), self)
        except BaseException:
            self.close()
            raise

    def deliver(self, order: LaunchOrder) -> LaunchOrder:
        """Bring an order's files; the order with their places on the board."""
        return self.delivery.deliver(order)

    def ask(self, mode: str) -> bytes:
        """What the agent says there in a mode that answers once and ends. Raises DeviceError."""
        transport = self.transport()
        if transport.is_lost:
            transport = self._renew()
        agent = self.delivery.bring(self._bundle())
        done = transport.run((self.python, agent, mode), Deadline(_ASK_S))
        if done.exit_code:
            raise DeviceError(self._name, f"its agent does not answer: {done.words}")
        return done.stdout

    @property
    def folder(self) -> str:
        """What the bench leaves there lies in it."""
        return f"{self._home(self.transport())}/{FOLDER}"

    @property
    def delivery(self) -> Delivery:
        """Brings files to it."""
        if self._delivery is None:
            self._delivery = Delivery(self._name, self._carrier, self.folder)
        return self._delivery

    @property
    def identity(self) -> str:
        """What tells it from other boards, whatever it is called and wherever it stands."""
        if self._identity is None:
            self._identity = self._identify(self.transport())
        return self._identity

    @property
    def machine(self) -> str:
        """What the machine is called, which other devices of this process may be too.

        A board that does not tell which system runs on it is known by its identity alone.
        """
        done, name = self.transport().run(("sh", "-c", _SYSTEM), Deadline(_ASK_S)), f"board {self.identity}"
        if done.exit_code:
            return name
        here = f"{boot()}\n{os.environ.get('WEIGHBRIDGE_LEASES', '')}\n"
        system = done.stdout.decode("utf-8", "replace")
        return machine_of(system, LOCAL if system == here else name)

    @property
    def python(self) -> str:
        """The interpreter that runs the agent there."""
        if self._python is None:
            self._python = self._find_python(self.transport())
        return self._python

    def transport(self) -> SshTransport:
        """The way that is open now."""
        with self._lock:
            if self._transport is None:
                self._transport = self._make()
            return self._transport

    def _carrier(self) -> SshTransport:
        """The way that is open, and no other: an agent is gone with its own, and after leaving none is opened."""
        with self._lock:
            if self._transport is None or self._transport.is_lost:
                raise DeviceLost(self._name, "the connection is gone")
            return self._transport

    def close(self) -> None:
        """Give the way up; the next use opens another."""
        with self._lock:
            transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def _renew(self) -> SshTransport:
        self.close()
        return self.transport()

    def _tenure(self) -> tuple[str, ...]:
        """By which the supervisor takes the board's lease, and ends what this host left there."""
        return tenure_words("auto", owner_of(self._name, self.identity), None)

    def _bundle(self) -> Path:
        folder = bundle_folder()
        try:
            return bundle_file(folder)
        except OSError as exc:
            words = f"the agent cannot be put into {folder}: {exc.strerror}; set XDG_CACHE_HOME"
            raise DeviceLost(self._name, words) from exc

    def _home(self, transport: SshTransport) -> str:
        done = transport.run(("sh", "-c", "cd && pwd"), Deadline(_ASK_S))
        home = done.stdout.decode("utf-8", "replace").rstrip("\n")
        if done.exit_code or not home.startswith("/"):
            raise DeviceError(self._name, f"its user has no home directory: {done.words}")
        return home

    def _check_identity(self, transport: SshTransport) -> None:
        found = self._identify(transport)
        if self._identity not in (None, found):
            words = "another board answers at its address now; put it back, or give the new one a name of its own"
            raise DeviceRefused(self._name, words)
        self._identity = found

    def _identify(self, transport: SshTransport) -> str:
        done = transport.run(("sh", "-c", _IDENTIFY), Deadline(_ASK_S))
        return digest.of_content({"board": done.stdout.decode("utf-8", "replace").strip(), "key": transport.host_key})[
            :16
        ]

    def _find_python(self, transport: SshTransport) -> str:
        done = transport.run(("sh", "-c", _FIND_PYTHON, "sh", *self._pythons), Deadline(_ASK_S))
        if done.exit_code:
            words = f"no Python of 3.7 or later is there (tried {', '.join(self._pythons)})"
            raise DeviceError(self._name, f"{words}; install one, or name it as the device's python")
        return done.stdout.decode("utf-8", "replace").split("\n")[0]


class _OwnLines:
    """An agent's lines, and with their end that of the connection which carried them."""

    def __init__(self, lines: Lines, board: Board) -> None:
        self._lines = lines
        self._board = board
        self.send = lines.send
        self.receive = lines.receive

    def close(self) -> None:
        self._lines.close()
        self._board.close()
