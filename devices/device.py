"""A device with an agent on it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import TypeVar

from devices.runtimes.agent import AgentClient
from devices.runtimes.agent_launch import MapOps
from devices.transport.local import LocalTransport
from harness.core.device import Canary, Conditions, DeviceFacts
from harness.core.errors import DeviceLost
from harness.core.launch import FailureKind, LaunchFailure, LaunchOrder, LaunchOutcome

T = TypeVar("T")


class AttachedDevice:
    """Runs launches through an agent, which is started on entering and started again where it went away.

    connect starts an agent and answers the connection to it. lease is held while the device is entered.
    """

    def __init__(
        self,
        facts: DeviceFacts,
        connect: Callable[[], LocalTransport],
        lease: Callable[[], AbstractContextManager[None]],
        map_ops: MapOps,
    ) -> None:
        self._facts = facts
        self._connect = connect
        self._lease = lease
        self._map_ops = map_ops
        self._held = ExitStack()
        self._connection: LocalTransport | None = None
        self._client: AgentClient | None = None

    @property
    def facts(self) -> DeviceFacts:
        return self._facts

    def __enter__(self) -> "AttachedDevice":
        """Take the lease and start the agent. Raises DeviceBusy, DeviceLost."""
        self._held.enter_context(self._lease())
        try:
            self._attached()
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._detach()
        self._held.close()

    def conditions(self) -> Conditions:
        """The device's state. Raises DeviceLost where a new agent does not answer either."""
        return self._ask(AgentClient.conditions)

    def canary(self) -> Canary:
        """Time of the agent's fixed workload. Raises DeviceLost as conditions does."""
        return self._ask(AgentClient.canary)

    def launch(self, order: LaunchOrder) -> LaunchOutcome:
        """Do one launch. Where the agent went away during it, the launch is LOST and the next call starts a new one."""
        client = self._attached()
        try:
            return client.launch(order)
        except DeviceLost as exc:
            self._detach()
            return LaunchFailure(
                attempt=order.attempt, pass_=order.pass_, kind=FailureKind.LOST, message=exc.reason, exit_code=None
            )

    def _ask(self, question: Callable[[AgentClient], T]) -> T:
        try:
            return question(self._attached())
        except DeviceLost:
            self._detach()
            return question(self._attached())

    def _attached(self) -> AgentClient:
        if self._client is None:
            connection = self._connect()
            client = AgentClient(self._facts.name, connection, self._map_ops)
            try:
                client.greet()
            except BaseException:
                connection.close()
                raise
            self._connection, self._client = connection, client
        return self._client

    def _detach(self) -> None:
        self._client = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
