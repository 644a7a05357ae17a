"""Which face of the runtime runs a model: the compiled model, and the Interpreter for what that refuses."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from harness.core.compute_unit import ComputeUnit
from harness.core.launch import Api, FailureKind, LaunchFailure, LaunchOrder, LaunchOutcome, LaunchRecord, WeightCache

_FROM_OUTSIDE = (129, 130, 137, 143)  # SIGHUP, SIGINT, SIGKILL, SIGTERM: somebody else's, or the kernel's for memory
_NO_MEMORY = re.compile(r"out of memory|bad_alloc|MemoryError")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of one launch. api is the face that it said to use, None where it never came to that."""

    outcome: LaunchOutcome
    api: Api | None


Try = Callable[[LaunchOrder, Api | None], Tried]
_Key = tuple[str, str | None, ComputeUnit]


class Faces:
    """Sends what the compiled model refuses to the Interpreter, and remembers what came of it.

    Remembered by variant, signature and unit: what ran through the compiled model is never sent elsewhere, so that one
    cell has one face; what ran through the Interpreter goes straight there; what neither runs is tried once each time,
    not twice. What an order says of the face that its cell went through before, maybe on another day, stands above it.
    """

    def __init__(self) -> None:
        self._compiled: set[_Key] = set()
        self._fallbacks: dict[_Key, str] = {}  # the compiled model's words
        self._hopeless: dict[_Key, str] = {}  # the Interpreter's words

    def launch(self, order: LaunchOrder, once: Try) -> LaunchOutcome:
        """The outcome of the order, by the face that runs it. once does one launch; None: the agent's choice."""
        if order.api is not None:
            return _after(order.fallback, once(order, order.api).outcome)
        key = (order.variant_digest, order.signature, order.unit)
        if key in self._fallbacks:
            return _after(self._fallbacks[key], once(order, Api.INTERPRETER).outcome)
        first = once(order, None)
        if isinstance(first.outcome, LaunchRecord):
            if first.api is Api.COMPILED_MODEL:
                self._compiled.add(key)
            return first.outcome
        if key in self._compiled or not _may_fall_back(order, first.outcome, first.api):
            return first.outcome
        if key in self._hopeless:
            return _both(first.outcome, self._hopeless[key])
        return self._fall_back(key, order, first.outcome, once)

    def _fall_back(self, key: _Key, order: LaunchOrder, refusal: LaunchFailure, once: Try) -> LaunchOutcome:
        second = once(order, Api.INTERPRETER).outcome
        if isinstance(second, LaunchRecord):
            self._fallbacks[key] = refusal.message
            return _after(refusal.message, second)
        if second.kind is FailureKind.LOST:
            return second
        if second.kind is FailureKind.DEADLINE or _is_of_the_model(second):
            self._hopeless[key] = second.message
        return _both(refusal, second.message)


def _may_fall_back(order: LaunchOrder, failure: LaunchFailure, api: Api | None) -> bool:
    """Whether the Interpreter might run what the compiled model did not. It has the CPU alone, and no weight cache."""
    if order.unit.kind != "cpu" or order.weight_cache is not WeightCache.OFF:
        return False
    if not _is_of_the_model(failure):
        return False
    if failure.kind is FailureKind.CRASH:
        return api is not Api.INTERPRETER
    return failure.kind is FailureKind.ERROR and api is Api.COMPILED_MODEL


def _is_of_the_model(failure: LaunchFailure) -> bool:
    """Whether it would fail again: not where it was killed from outside, nor where memory ran out, which may pass."""
    words = f"{failure.message}\n{failure.stderr_tail}"
    return failure.exit_code not in _FROM_OUTSIDE and not _NO_MEMORY.search(words)


def _after(refusal: str | None, outcome: LaunchOutcome) -> LaunchOutcome:
    if refusal is None or not isinstance(outcome, LaunchRecord):
        return outcome
    return replace(outcome, fallback=refusal)


def _both(refusal: LaunchFailure, words: str) -> LaunchFailure:
    if words == refusal.message:
        return refusal
    told = words.removeprefix("Interpreter: ")
    return replace(refusal, message=f"compiled model: {refusal.message}; interpreter: {told}")
