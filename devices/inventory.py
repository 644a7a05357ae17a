"""The devices that are there. For now: this machine."""

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from devices import lease as leases
from devices.agent.protocol import ProtocolError
from devices.device import AttachedDevice
from devices.families import edgetpu, linux
from devices.runtimes.agent import AgentClient
from devices.runtimes.agent_launch import ANY_ROUTE, Route
from devices.runtimes.edgetpu_ops import edgetpu_op_table
from devices.runtimes.litert_ops import op_table
from devices.runtimes.owner import Owner, owner_of, tenure_words
from devices.transport.bundle import bundle_file, bundle_folder
from devices.transport.local import SILENCE_S, ProcessLines
from devices.turns import turn_on
from harness.core.device import Conditions, DeviceFacts
from harness.core.errors import DeviceError, DeviceLost
from harness.core.units import Seconds

LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAgent:
    """How the agent of this machine is started.

    agents and leases None: this user's cache, this machine's lock files. python runs the agent, and measures with
    the packages that it has; None: this Python. search: where runtimes are looked for, instead of its path. root: where
    the system's files are. launch: what is started for a launch, instead of the agent itself. silence_s: how long the
    agent may say nothing.

    lease is the file of the lease on the device that the agent itself holds for owner, `auto` for the one that all its
    users share; None: it holds none, and may switch nothing on. patience_s: after so long without a word from its host
    it ends; None: its own choice.
    """

    agents: Path | None = None
    leases: Path | None = None
    python: Path | None = None
    search: Sequence[Path] = ()
    root: Path = Path("/")
    launch: Sequence[str] = ()
    silence_s: Seconds = SILENCE_S
    lease: Path | None = None
    owner: Owner | None = None
    patience_s: Seconds | None = None

    @property
    def interpreter(self) -> str:
        """What runs it."""
        return str(self.python or sys.executable)

    def connect(self, name: str) -> ProcessLines:
        """Start it. Raises DeviceLost where it cannot be written or started."""
        folder = self.agents or bundle_folder()
        try:
            file = bundle_file(folder)
        except OSError as exc:
            raise DeviceLost(
                name, f"the agent cannot be put into {folder}: {exc.strerror}; set XDG_CACHE_HOME"
            ) from exc
        search = [word for path in self.search for word in ("--search", str(path))]
        launch = ["--launch", json.dumps(list(self.launch))] if self.launch else []
        held = tenure_words(str(self.lease) if self.lease else None, self.owner, self.patience_s)
        argv = (self.interpreter, str(file), "supervise", "--root", str(self.root), *search, *launch, *held)
        return ProcessLines(name, argv, self.silence_s)


def local_device(
    name: str = LOCAL, agent: LocalAgent | None = None, route: Route = ANY_ROUTE, *, prepare: bool = False
) -> AttachedDevice:
    """This machine, ready to be entered. Its agent is asked for the facts once, without taking the lease.

    prepare: its governor is switched for measuring, where this user may, and restored. Devices of other names, Pythons
    and runtimes are still the same machine, and share its lease.
    """
    chosen = agent or LocalAgent()
    facts, _ = local_state(name, replace(chosen, lease=None, owner=None), route)
    if prepare and chosen.lease is None:
        chosen = replace(chosen, lease=Path("auto"), owner=owner_of(name, LOCAL))
    return AttachedDevice(
        facts=facts,
        connect=partial(chosen.connect, name),
        lease=partial(leases.lease, name, LOCAL, chosen.leases or leases.lease_folder()),
        map_ops=op_table,
        route=route,
        prepare=prepare,
        turn=turn_on(LOCAL) if chosen.lease else None,  # without the agent's lease agents do not mind one another
    )


def edgetpu_device(name: str, agent: LocalAgent, route: Route) -> AttachedDevice:
    """An Edge TPU of this machine. Its lease is the machine's and the accelerator's own.

    One with the double of the tests says so in its name, so that no table can take its times for an Edge TPU's.
    """
    assert route.delegate is not None
    name = edgetpu.name_of(name, route.delegate)
    facts, _ = local_state(name, agent, route)
    folder = agent.leases or leases.lease_folder()
    key = edgetpu.accelerator_key(LOCAL, route.delegate)
    return AttachedDevice(
        facts=edgetpu.facts_of(facts, route.delegate),
        connect=partial(agent.connect, name),
        lease=edgetpu.with_accelerator(
            partial(leases.lease, name, LOCAL, folder), partial(leases.lease, name, key, folder)
        ),
        map_ops=edgetpu_op_table,
        route=route,
    )


def local_facts(name: str = LOCAL, agent: LocalAgent | None = None) -> DeviceFacts:
    """What this machine is and offers. Works while somebody else measures on it."""
    return local_state(name, agent)[0]


def local_state(
    name: str = LOCAL, agent: LocalAgent | None = None, route: Route = ANY_ROUTE
) -> tuple[DeviceFacts, Conditions]:
    """This machine's facts and its conditions now. Raises DeviceError."""
    chosen = agent or LocalAgent()
    with closing(chosen.connect(name)) as connection:
        client = AgentClient(name, connection, op_table)
        client.greet()
        try:
            facts = linux.facts_of(
                name, client.facts(), chosen.interpreter, route.runtime, route.dispatch, route.delegate
            )
            return replace(facts, machine=LOCAL), client.conditions()
        except ProtocolError as exc:
            raise DeviceError(name, f"the agent's facts make no sense: {exc}") from exc
