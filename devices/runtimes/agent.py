"""The host's end of the agent's language: typed requests, typed answers. See docs/agent-protocol.md."""

import itertools
import json
import statistics
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from devices.agent import protocol
from devices.agent.protocol import ProtocolError
from devices.runtimes import agent_launch
from devices.runtimes.agent_launch import ANY_ROUTE, Ending, MapOps, Message, Route
from devices.runtimes.faces import Tried
from devices.runtimes.owner import holder_in_words
from devices.transport.transport import Lines
from harness.core.deadline import Deadline
from harness.core.device import Canary, Conditions
from harness.core.errors import DeviceBusy, DeviceLost, DeviceRefused
from harness.core.launch import Api, LaunchOrder
from harness.core.units import Seconds

_START_S: Seconds = 30.0  # a board starts Python slowly
_ANSWER_S: Seconds = 15.0
_OVERTIME_S: Seconds = 30.0  # the supervisor keeps the deadline; the dead may take a while to give back their memory


class AgentClient:
    """Speaks with one supervisor. Every wait has a deadline; DeviceLost where the agent is gone or talks nonsense."""

    def __init__(self, device: str, lines: Lines, map_ops: MapOps, route: Route = ANY_ROUTE) -> None:
        self._device = device
        self._lines = lines
        self._map_ops = map_ops
        self._route = route
        self._numbers = itertools.count(1)
        self._sending = threading.Lock()  # a keep-alive thread sends too
        self.took_over: Message | None = None

    def greet(self) -> Message:
        """Wait for the agent's first words, which settle that both ends speak the same version.

        took_over is then what it said of an earlier one that it put an end to. Raises DeviceBusy where the device's
        lease is held, DeviceRefused where it cannot be taken.
        """
        deadline = Deadline(_START_S)
        while (message := self._next(deadline))["say"] != "hello":
            match message["say"]:
                case "busy":
                    raise DeviceBusy(self._device, self._holder(self._said(message)))
                case "refused":
                    raise DeviceRefused(self._device, f"its agent ends at once: {message.get('error')}")
                case "took_over":
                    self.took_over = self._said(message)
                    self._checked("owner", self.took_over["owner"], protocol.OWNER)
        return self._said(message)

    def _holder(self, busy: Message) -> str:
        if busy["owner"] is not None:
            self._checked("owner", busy["owner"], protocol.OWNER)
        return holder_in_words(busy)

    def keep(self) -> None:
        """Let the agent know that this host lives. There is no answer. Any thread may say so."""
        self._send("keep")

    def prepare(self, wishes: Mapping[str, str]) -> Message:
        """Have things switched on for measuring: `settings` as read back, `refused` with reasons, texts by name."""
        message = self._ask("prepare", wishes=dict(wishes))
        for key in ("settings", "refused"):
            self._checked(f"prepared.{key}", message[key], dict.fromkeys(message[key], str))
        return message

    def facts(self) -> Message:
        """The device's own facts, checked against the table of the protocol."""
        facts = self._ask("facts")["facts"]
        return self._checked("facts", facts, protocol.FACTS)

    def conditions(self) -> Conditions:
        """The device's state now."""
        return self._conditions(self._ask("conditions")["conditions"])

    def canary(self) -> Canary:
        """Time of the fixed workload."""
        message = self._ask("canary")
        with self._making_sense():
            samples = agent_launch.integers(message, "samples_ns")
            if not samples or min(samples) < 1:
                raise ProtocolError(f"canary: samples_ns is {list(samples)}")
        return Canary(median_ns=statistics.median(samples), samples_ns=samples)

    def launch(self, order: LaunchOrder, api: Api | None = None) -> Tried:
        """Have one launch done, through that face of the runtime; None: as the route has it.

        A bad launch is a LaunchFailure; DeviceLost where the agent itself went.
        """
        route = self._route if api is None else replace(self._route, api=api)
        identity = self._send("launch", order=agent_launch.encode(order, route))
        deadline = Deadline(order.deadline_s + _OVERTIME_S)
        said: list[Message] = []
        before: Conditions | None = None
        while True:
            message = self._reply_to(identity, deadline)
            match message["say"]:
                case "refused":
                    return Tried(outcome=agent_launch.refused(order, str(message.get("error"))), api=None)
                case "started":
                    before = self._conditions(self._said(message)["before"])
                case "ended":
                    outcome = agent_launch.outcome(order, said, self._ending(message, before), self._map_ops)
                    return Tried(outcome=outcome, api=agent_launch.face_of(said))
                case _:
                    said.append(message)

    def _ending(self, message: Message, before: Conditions | None) -> Ending:
        fields = self._said(message)
        after = None if fields["after"] is None else self._conditions(fields["after"])
        return Ending(
            exit_code=fields["exit_code"],
            reason=fields["reason"],
            message=fields["message"],
            wall_s=fields["wall_s"],
            stderr_tail=fields["stderr_tail"],
            before=before,
            after=after,
        )

    def _conditions(self, given: object) -> Conditions:
        fields = self._checked("conditions", given, protocol.CONDITIONS)
        with self._making_sense():
            for key, kinds in protocol.READINGS.items():
                protocol.check("conditions", fields[key], dict.fromkeys(fields[key], kinds))
        return Conditions(**fields)

    def _ask(self, kind: str, **fields: object) -> Message:
        message = self._reply_to(self._send(kind, **fields), Deadline(_ANSWER_S))
        if message["say"] == "refused":
            raise DeviceLost(self._device, f"the agent refused {kind}: {message.get('error')}")
        return self._said(message)

    def _send(self, kind: str, **fields: object) -> str:
        identity = str(next(self._numbers))
        request: Mapping[str, object] = {"v": protocol.VERSION, "id": identity, "do": kind, **fields}
        line = json.dumps(request, separators=(",", ":"), allow_nan=False).encode()
        with self._sending:
            self._lines.send(line)
        return identity

    def _reply_to(self, identity: str, deadline: Deadline) -> Message:
        """The next message about a request. What is about an older one is a leftover."""
        while True:
            message = self._next(deadline)
            if message["say"] != "heartbeat" and message.get("id") == identity:
                return message

    def _next(self, deadline: Deadline) -> Message:
        line = self._lines.receive(deadline)
        with self._making_sense():
            message = protocol.parse(line)
            if not isinstance(message.get("say"), str):
                raise ProtocolError(f"says nothing: {line[:80]!r}")
        return message

    def _said(self, message: Message) -> Message:
        with self._making_sense():
            return protocol.check_said(message, protocol.SUPERVISOR_SAYS)

    def _checked(self, what: str, given: object, fields: dict[str, object]) -> Message:
        with self._making_sense():
            return protocol.check(what, given, fields)

    @contextmanager
    def _making_sense(self) -> Iterator[None]:
        try:
            yield
        except ProtocolError as exc:
            raise DeviceLost(self._device, f"the agent's words make no sense: {exc}") from exc
