"""A device with an agent on it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

from devices.entered import EnteredDevice
from devices.runtimes.agent import AgentClient
from devices.runtimes.agent_launch import ANY_ROUTE, MapOps, Route
from devices.runtimes.faces import Faces, Tried
from devices.runtimes.keep_alive import KeepAlive
from devices.runtimes.owner import taken_over_in_words
from devices.transport.transport import Lines
from devices.turns import Turn
from harness.core.device import Canary, Conditions, DeviceFacts
from harness.core.errors import DeviceLost
from harness.core.launch import Api, FailureKind, LaunchFailure, LaunchOrder, LaunchOutcome
from harness.core.units import Seconds

T = TypeVar("T")
# What is switched on for measuring, where the agent may.
WISHES = {"governor": "performance"}
Deliver = Callable[[LaunchOrder], LaunchOrder]
_POLL_S: Seconds = 0.1


def as_it_is(order: LaunchOrder) -> LaunchOrder:
    """The delivery to a device whose files are this machine's."""
    return order


def at_once() -> None:
    """The giving up of a start that does not take long."""


@dataclass(frozen=True, slots=True, eq=False)
class _Agent:
    """One agent that runs; another start is another _Agent."""

    connection: Lines
    client: AgentClient
    alive: KeepAlive


class AttachedDevice(EnteredDevice):
    """Runs launches through an agent, which is started on entering and started again where it went away.

    connect starts an agent and answers the connection to it; give_up makes it fail soon, from another thread. lease is
    held while the device is entered. route goes with every launch. deliver brings an order's files to the device and
    answers the order with their places there; it may raise DeviceLost and DeviceFull. prepare: every agent is asked to
    switch on what makes measuring steadier, which it restores when it ends; what it could not is in the conditions.
    turn is that on its machine, where other devices of this process are the same: their agents run one after another,
    and whose was not there last is started anew.
    One thread at a time measures; any thread may leave. What was under way then, and every call until the device is
    entered again, raises DeviceLost: without the lease no agent may run.
    """

    def __init__(
        self,
        facts: DeviceFacts,
        connect: Callable[[], Lines],
        lease: Callable[[], AbstractContextManager[None]],
        map_ops: MapOps,
        route: Route = ANY_ROUTE,
        deliver: Deliver = as_it_is,
        *,
        give_up: Callable[[], None] = at_once,
        prepare: bool = False,
        turn: Turn | None = None,
    ) -> None:
        super().__init__(facts)
        self._connect = connect
        self._lease = lease
        self._map_ops = map_ops
        self._route = route
        self._deliver = deliver
        self._wishes = WISHES if prepare else {}
        self._give_up_start = give_up
        self._turn = turn or Turn()
        self._faces = Faces()
        self._held = ExitStack()
        self._starts = False
        self._agent: _Agent | None = None  # started and ended under the lock

    def __enter__(self) -> "AttachedDevice":
        """Take the lease and start the agent. Raises DeviceBusy, DeviceLost."""
        self._held.enter_context(self._lease())
        try:
            self._left.clear()
            self._is_open = True
            with self._in_turn():
                self._attached()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def conditions(self) -> Conditions:
        """The device's state now. Raises DeviceLost where a new agent does not answer either."""
        return self._ask(AgentClient.conditions)

    def canary(self) -> Canary:
        """Time of the agent's fixed workload. Raises DeviceLost where a new agent does not answer either."""
        return self._ask(AgentClient.canary)

    def launch(self, order: LaunchOrder) -> LaunchOutcome:
        """Do one launch. Where the agent went away during it, the launch is LOST and the next call starts a new one.

        A model that the runtime's compiled model refuses is sent again, through the Interpreter, unless the route
        names a face. Raises DeviceLost where no agent can be started, and where the device is closed or was closed
        meanwhile.
        """
        if self._route.api is not None:
            return self._launch_once(order).outcome
        return self._faces.launch(order, self._launch_once)

    def make_way(self) -> None:
        """End the agent, for another device of this machine; the next call starts one anew."""
        with self._lock:
            self._end_agent()

    def _launch_once(self, order: LaunchOrder, api: Api | None = None) -> Tried:
        with self._in_turn():
            agent = self._attached()
            try:
                return agent.client.launch(self._deliver(order), api)
            except DeviceLost as exc:
                self._give_up(agent)
                return _failed(order, FailureKind.LOST, exc.reason)

    def _ask(self, question: Callable[[AgentClient], T]) -> T:
        with self._in_turn():
            agent = self._attached()
            try:
                return question(agent.client)
            except DeviceLost:
                self._give_up(agent)
                return question(self._attached().client)

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Nothing is started, and no deadline of what is done runs, before the machine is free."""

        def waiting() -> None:
            if not self._is_open:
                raise self._closed()

        with self._turn.taken(self, waiting):
            yield

    def _attached(self) -> _Agent:
        with self._lock:
            if not self._is_open:
                raise self._closed()
            if self._agent is not None:
                return self._agent
            connection = self._start()
            client = AgentClient(self._facts.name, connection, self._map_ops, self._route)
            agent = self._agent = _Agent(connection, client, KeepAlive(client.keep))
        try:  # outside the lock, so that leaving does not wait for an agent that is slow to start
            agent.client.greet()
            if agent.client.took_over is not None:
                self.notices.append(taken_over_in_words(agent.client.took_over))
            if self._wishes:
                agent.client.prepare(self._wishes)
        except BaseException:
            self._give_up(agent)
            raise
        return agent

    def _start(self) -> Lines:
        self._starts = True
        try:
            return self._connect()
        finally:
            self._starts = False

    def _give_up(self, agent: _Agent) -> None:
        """End an agent that went away. Raises DeviceLost where it did because the device was closed."""
        with self._lock:
            if self._agent is agent:
                self._end_agent()
                return
        raise self._closed()

    def _close(self) -> None:
        self._is_open = False
        self._left.set()
        while not self._lock.acquire(timeout=_POLL_S):
            if self._starts:
                self._give_up_start()  # again and again, since each only ends what had begun by then
        try:
            self._end_agent()
        finally:
            self._lock.release()
        self._held.close()

    def _end_agent(self) -> None:
        agent, self._agent = self._agent, None
        if agent is not None:
            agent.alive.stop()
            agent.connection.close()


def _failed(order: LaunchOrder, kind: FailureKind, reason: str) -> Tried:
    failure = LaunchFailure(attempt=order.attempt, pass_=order.pass_, kind=kind, message=reason)
    return Tried(outcome=failure, api=None)
