"""A device that was asked for and does not answer: it offers nothing, and the others go on."""

from types import TracebackType

from harness.core.compute_unit import KINDS
from harness.core.device import Canary, Conditions, DeviceFacts, Exclusion
from harness.core.errors import DeviceLost
from harness.core.launch import LaunchOrder, LaunchOutcome


class AbsentDevice:
    """Holds the place of a device in a plan, so that each of its cells has the reason why it was not measured."""

    def __init__(self, name: str, reason: str) -> None:
        self.reason = reason
        excluded = tuple(Exclusion(what=kind, reason=reason) for kind in KINDS)
        self._facts = DeviceFacts(name=name, family="unknown", simulated=False, exclusions=excluded)

    @property
    def facts(self) -> DeviceFacts:
        return self._facts

    def __enter__(self) -> "AbsentDevice":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def conditions(self) -> Conditions:
        raise DeviceLost(self._facts.name, self.reason)

    def canary(self) -> Canary:
        raise DeviceLost(self._facts.name, self.reason)

    def launch(self, order: LaunchOrder) -> LaunchOutcome:  # noqa: ARG002 (the port's)
        raise DeviceLost(self._facts.name, self.reason)
