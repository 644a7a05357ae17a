"""One launch on the wire: the order as the agent reads it, and what was said made into an outcome."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from devices.agent import protocol
from devices.agent.protocol import ProtocolError
from devices.runtimes.borrowed_ops import table_of_tool
from devices.runtimes.edgetpu_advice import advice_on, crash_advice
from devices.runtimes.events import ProfileEvent
from devices.runtimes.evidence import adapter_of, backend_of, observed_unit, with_counts
from harness.core.device import Conditions
from harness.core.launch import (
    Api,
    Delegation,
    FailureKind,
    LaunchFailure,
    LaunchOrder,
    LaunchOutcome,
    LaunchRecord,
    LoadTimes,
    MemoryReading,
    OpTable,
    Pass,
)
from harness.core.model import Graph
from harness.core.units import Seconds

Message = dict[str, Any]
MapOps = Callable[[Graph, Sequence[ProfileEvent]], OpTable]

_KINDS = {"deadline": FailureKind.DEADLINE, "protocol": FailureKind.PROTOCOL, "cancelled": FailureKind.LOST}
_ERROR = re.compile(r"ERROR: (\[[^]]*\] )?(?P<words>.*)")
_LOG = re.compile(r"(INFO|WARNING|VERBOSE): |[IWEF]\d{4} ")
_LINES = 12  # of one error
_NO_GRAPH = "per-op unavailable: the order had no graph to key events to"
_WANTED = {
    Pass.LATENCY: ("samples",),
    Pass.OPS: ("samples", "profile"),
    Pass.MEMORY: ("samples", "memory"),
    Pass.COLD: ("samples",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the process ended. before is None where the agent never said `started`, after where it never got done."""

    exit_code: int
    reason: str
    message: str
    wall_s: Seconds
    stderr_tail: str
    before: Conditions | None
    after: Conditions | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegateLibrary:
    """A TensorFlow Lite external delegate: its path or name on the device, and the options that it is given."""

    library: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How a device runs its launches: through which face of which runtime, None for the agent's own choice.

    dispatch is the folder, on the device, of the vendor's dispatch library. delegate is the external delegate of the
    unit edgetpu.
    """

    api: Api | None = None
    runtime: str | None = None
    dispatch: str | None = None
    delegate: DelegateLibrary | None = None


ANY_ROUTE = Route()


def encode(order: LaunchOrder, route: Route = ANY_ROUTE) -> Message:
    """The order as docs/agent-protocol.md has it. Paths are absolute; the graph stays on the host."""
    if order.unit.kind != "npu":
        route = replace(route, dispatch=None)
    if order.unit.kind != "edgetpu":
        route = replace(route, delegate=None)
    return {
        "attempt": order.attempt,
        "variant": str(order.variant.absolute()),
        "variant_digest": order.variant_digest,
        "pass": str(order.pass_),
        "unit": asdict(order.unit),
        "settings": asdict(order.settings),
        "deadline_s": order.deadline_s,
        "inputs": [str(path.absolute()) for path in order.inputs],
        "seed": order.seed,
        "signature": order.signature,
        "weight_cache": str(order.weight_cache),
        **asdict(route),
    }


def refused(order: LaunchOrder, error: str) -> LaunchFailure:
    """The supervisor would not start it."""
    return LaunchFailure(attempt=order.attempt, pass_=order.pass_, kind=FailureKind.ERROR, message=error)


def face_of(said: Iterable[Message]) -> Api | None:
    """The face of the runtime that a launch said to use; None where it never came to that."""
    return next((Api(m["api"]) for m in said if m["say"] == "begun" and m.get("api") in tuple(Api)), None)


def outcome(order: LaunchOrder, said: Iterable[Message], ending: Ending, map_ops: MapOps) -> LaunchOutcome:
    """What came of a launch: its record if it got done, else why not, in words."""
    try:
        heard = {str(message.get("say")): protocol.check_said(message, protocol.LAUNCH_SAYS) for message in said}
        if (failure := _failure(order, heard, ending)) is not None:
            return failure
        return _record(order, heard, ending, map_ops)
    except ProtocolError as exc:
        return _failed(order, FailureKind.PROTOCOL, str(exc), ending)


def _failure(order: LaunchOrder, heard: dict[str, Message], ending: Ending) -> LaunchFailure | None:
    if ending.reason != "exit":
        kind = _KINDS.get(ending.reason, FailureKind.PROTOCOL)
        return _failed(order, kind, f"killed: {ending.message}", ending)
    if "error" in heard:
        words = "; ".join([heard["error"]["error"], *_errors(ending.stderr_tail)])
        return _failed(order, FailureKind.ERROR, _advised(words, advice_on(words)), ending)
    if ending.exit_code != 0:
        words = _death(ending.exit_code)
        return _failed(order, FailureKind.CRASH, _advised(words, crash_advice(order.unit, ending.exit_code)), ending)
    missing = [kind for kind in ("begun", "loaded", *_WANTED[order.pass_], "done") if kind not in heard]
    if missing:
        return _failed(order, FailureKind.PROTOCOL, f"it ended without saying {', '.join(missing)}", ending)
    return None


def _failed(order: LaunchOrder, kind: FailureKind, message: str, ending: Ending) -> LaunchFailure:
    return LaunchFailure(
        attempt=order.attempt,
        pass_=order.pass_,
        kind=kind,
        message="; ".join(line.strip() for line in message.splitlines() if line.strip()),
        exit_code=ending.exit_code,
        stderr_tail=ending.stderr_tail,
    )


def _advised(words: str, advice: str | None) -> str:
    return words if advice is None else f"{words}; {advice}"


def _death(exit_code: int) -> str:
    if exit_code > 128:
        return f"the process died by signal {exit_code - 128} (exit code {exit_code})"
    return f"the process ended with exit code {exit_code}"


def _errors(stderr: str) -> list[str]:
    """The runtime's own errors, `ERROR: [file.cc:27] words`, once each and without the place in its source.

    An error that ends with a colon goes on in the lines below it, until the next line of a log.
    """
    words: list[str] = []
    for line in stderr.splitlines():
        if found := _ERROR.match(line):
            words.append(found["words"].strip())
        elif words and _LOG.match(line):
            words.append("")
        elif words and words[-1].partition("\n")[0].endswith(":"):
            words[-1] += f"\n{line.strip()}"
    return [" ".join(error.split("\n")[:_LINES]) for error in dict.fromkeys(words) if error]


def _record(order: LaunchOrder, heard: dict[str, Message], ending: Ending, map_ops: MapOps) -> LaunchRecord:
    if ending.before is None or ending.after is None:
        raise ProtocolError("the conditions before and after it are missing")
    begun, loaded, samples = heard["begun"], heard["loaded"], heard["samples"]
    events = _events(heard)
    table, unavailable = _ops(order, heard, events, map_ops)
    delegation = with_counts(_delegation(loaded), table)
    backend = backend_of(order.unit, delegation, events, ending.stderr_tail)
    return LaunchRecord(
        attempt=order.attempt,
        pass_=order.pass_,
        started_at=begun["started_at"],
        wall_s=ending.wall_s,
        runtime=begun["runtime"],
        backend=backend,
        observed=observed_unit(order.unit, backend, delegation, is_bound(heard.get("bound"))),
        load=LoadTimes(
            environment_ns=loaded["environment_ns"], compile_ns=loaded["compile_ns"], first_ns=loaded["first_ns"]
        ),
        samples_ns=integers(samples, "wall_ns"),
        cpu_ns=integers(samples, "cpu_ns"),
        starts_ns=integers(samples, "starts_ns"),
        warmup_ns=integers(samples, "warmup_ns"),
        before=ending.before,
        after=ending.after,
        ops=table,
        ops_unavailable=unavailable,
        memory=MemoryReading(**heard["memory"]) if "memory" in heard else None,
        clock_ns=samples["clock_ns"],
        api=_api(begun),
        fallback=begun["fallback"],
        delegation=delegation,
        adapter=loaded["adapter"] or adapter_of(order.unit, ending.stderr_tail),
        weight_cache=order.weight_cache,
    )


def is_bound(told: Message | None) -> bool:
    """Whether a launch that was to be bound to cores could run on no other, as the kernel said when it was done."""
    if told is None:
        return False
    cores = set(integers(told, "cores"))
    return bool(cores) and cores <= set(integers(told, "asked"))


def _api(begun: Message) -> Api:
    try:
        return Api(begun["api"])
    except ValueError as exc:
        raise ProtocolError(f"begun: api is {begun['api']!r}") from exc


def _delegation(loaded: Message) -> Delegation | None:
    if loaded["delegation"] is None:
        return None
    told: Message = protocol.check("loaded.delegation", loaded["delegation"], protocol.DELEGATION)
    return Delegation(**told)


def _events(heard: dict[str, Message]) -> tuple[ProfileEvent, ...]:
    given = heard["profile"]["events"] if "profile" in heard else []
    checked = [protocol.check("profile.events", event, protocol.EVENT) for event in given]
    return tuple(
        ProfileEvent(
            tag=str(event["tag"]),
            type=_whole(event["type"]),
            first=_whole(event["first"]),
            second=_whole(event["second"]),
            elapsed_us=integers(event, "elapsed_us"),
        )
        for event in checked
    )


def _ops(
    order: LaunchOrder, heard: dict[str, Message], events: Sequence[ProfileEvent], map_ops: MapOps
) -> tuple[OpTable | None, str | None]:
    if "profile" not in heard:
        return None, None
    told = heard["profile"]
    if told["unavailable"] is not None and told["tool"] is None:
        return None, told["unavailable"]
    if order.graph is None:
        return None, _NO_GRAPH
    if told["tool"] is not None:
        return table_of_tool(order.graph, told["tool"], str(told["unavailable"]), map_ops)
    return map_ops(order.graph, events), None


def integers(message: Message, key: str) -> tuple[int, ...]:
    """A list of whole numbers in a message. Raises ProtocolError."""
    return tuple(_whole(value) for value in message[key])


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ProtocolError(f"{value!r} where a whole number is wanted")
    return value
