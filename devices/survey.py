"""Looks at devices without measuring on them: all at once, each within a time."""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devices import lease as leases
from devices.agent.look import may_set_governor
from devices.families import edgetpu
from devices.health import judge
from devices.inventory import LOCAL, LocalAgent, local_state
from devices.runtimes.agent_launch import Route
from devices.runtimes.owner import holder_in_words
from harness.core.deadline import Deadline
from harness.core.device import AdbAddress, Conditions, DeviceFacts, DeviceSpec
from harness.core.errors import DeviceError
from harness.core.limits import Limits
from harness.core.survey import Seen, Want
from harness.core.units import Seconds

_PATIENCE_S: Seconds = 60.0
_WORD_EVERY_S: Seconds = 5.0
_POLL_S: Seconds = 0.05
Waiting = Callable[[Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class _Told:
    facts: DeviceFacts
    now: Conditions
    held: str | None = None
    may_set_governor: bool | None = None


def survey(
    specs: Sequence[DeviceSpec],
    limits: Sequence[Limits],
    waiting: Waiting,
    check: Callable[[], None],
    patience_s: Seconds = _PATIENCE_S,
    word_every_s: Seconds = _WORD_EVERY_S,
) -> tuple[Seen, ...]:
    """Look at devices, in their order. One that does not answer says why.

    waiting is told every few seconds which have not answered yet; check may raise to end the wait.
    """
    seen: dict[str, Seen] = {}
    threads = {spec.name: _looking(spec, its, seen) for spec, its in zip(specs, limits, strict=True)}
    deadline, word = Deadline(patience_s), Deadline(word_every_s)
    while (late := [name for name, thread in threads.items() if thread.is_alive()]) and not deadline.expired:
        check()
        if word.expired:
            waiting(late)
            word = Deadline(word_every_s)
        time.sleep(_POLL_S)
    silent = f"it did not answer in {patience_s:g} s; see that it is awake and its link works"
    return tuple(seen.get(spec.name) or _absent(spec, silent) for spec in specs)


def _looking(spec: DeviceSpec, limits: Limits, into: dict[str, Seen]) -> threading.Thread:
    """One that hangs keeps nobody: the thread ends with the process."""

    def look() -> None:
        into[spec.name] = look_at(spec, limits)

    thread = threading.Thread(target=look, name=f"look at {spec.name}", daemon=True)
    thread.start()
    return thread


def look_at(spec: DeviceSpec, limits: Limits) -> Seen:
    """Look at one device."""
    try:
        told = _KINDS[spec.kind](spec)
    except DeviceError as error:
        return _absent(spec, error.reason)
    except OSError as error:
        return _absent(spec, f"{error.filename or 'this machine'}: {error.strerror}; check the path and its rights")
    verdict = judge(told.now, limits, told.facts)
    return Seen(
        name=spec.name,
        kind=spec.kind,
        remote=spec.ssh is not None,
        compiler=spec.edgetpu.compiler if spec.edgetpu else None,
        facts=told.facts,
        now=told.now,
        over=tuple(Want(what=str(excess), advice=excess.advice) for excess in verdict.excesses),
        unknown=verdict.unknown,
        held=told.held,
        may_set_governor=told.may_set_governor,
    )


def _absent(spec: DeviceSpec, problem: str) -> Seen:
    return Seen(name=spec.name, kind=spec.kind, remote=spec.ssh is not None, problem=problem)


def _look_here(spec: DeviceSpec, route: Route) -> _Told:
    facts, now = local_state(spec.name, LocalAgent(python=spec.python), route)
    held = leases.holder(LOCAL, leases.lease_folder())
    return _Told(facts, now, held, may_set_governor("/"))


def _look_at_board(spec: DeviceSpec, route: Route) -> _Told:
    from devices.boards import board_of, board_state  # brings paramiko, which this machine does without

    board = board_of(spec)
    try:
        facts, now = board_state(board, spec.name, route)
        told = _answer(spec.name, board.ask("look"))
    finally:
        board.close()
    return _Told(facts, now, told.held or _held_from_here(facts), told.may_set_governor)


@dataclass(frozen=True, slots=True)
class _Looked:
    held: str | None
    may_set_governor: bool | None


def _answer(name: str, said: bytes) -> _Looked:
    """What the agent's `look` says. Raises DeviceError."""
    try:
        told = json.loads(said)
        held = None if told["holder"] is None else holder_in_words(told["holder"])
        return _Looked(held, None if told["may_set_governor"] is None else bool(told["may_set_governor"]))
    except (ValueError, KeyError, TypeError) as exc:
        raise DeviceError(name, f"its agent says {said[:80]!r} where an answer was wanted") from exc


def _held_from_here(facts: DeviceFacts) -> str | None:
    return leases.holder(facts.machine or facts.name, leases.lease_folder())


def _look_at_edgetpu(spec: DeviceSpec) -> _Told:
    route = edgetpu.route_of(spec)
    assert route.delegate is not None
    told = (_look_at_board if spec.ssh else _look_here)(spec, route)
    return _Told(edgetpu.facts_of(told.facts, route.delegate), told.now, told.held, told.may_set_governor)


def _look_at_phone(spec: DeviceSpec) -> _Told:
    from devices.families import android_lease
    from devices.phone_facts import ask, conditions_of, facts_of
    from devices.transport.adb import AdbTransport

    transport = AdbTransport(spec.name, spec.adb or AdbAddress())
    told = ask(transport)
    facts, _ = facts_of(spec, transport.serial, told)
    held = android_lease.holder(transport, time.time())
    return _Told(facts, conditions_of(transport), held)


def _look_at_simulated(spec: DeviceSpec) -> _Told:
    from devices.opening import open_devices

    (device,) = open_devices([spec], dry_run=False)
    return _Told(device.facts, device.conditions())


def _route(spec: DeviceSpec) -> Route:
    return Route(runtime=spec.runtime, dispatch=_text(spec.dispatch))


def _text(path: Path | None) -> str | None:
    return str(path) if path else None


_KINDS: Mapping[str, Callable[[DeviceSpec], _Told]] = {
    "local": lambda spec: _look_here(spec, _route(spec)),
    "simulated": _look_at_simulated,
    "edgetpu": _look_at_edgetpu,
    "ssh": lambda spec: _look_at_board(spec, _route(spec)),
    "android": _look_at_phone,
}
