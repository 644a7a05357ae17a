"""A device that was asked for and does not answer: it offers nothing, and the others go on."""

from types import TracebackType

from harness.core.compute_unit import KINDS
from harness.core.device import ABSENT, Canary, Conditions, DeviceFacts, Exclusion
from harness.core.errors import DeviceError, DeviceLost
from harness.core.launch import LaunchOrder, LaunchOutcome
from harness.core.limits import Limits
from harness.core.ports import Waiting
from harness.core.units import Seconds


class AbsentDevice:
    """Holds the place of a device in a plan, so that each of its cells has the reason why it was not measured."""

    def __init__(self, name: str, reason: str) -> None:
        self.reason = reason
        self._error: DeviceError = DeviceLost(name, reason)
        excluded = tuple(Exclusion(what=kind, reason=reason) for kind in KINDS)
        self._facts = DeviceFacts(name=name, family=ABSENT, simulated=False, exclusions=excluded)

    @classmethod
    def known(cls, facts: DeviceFacts, error: DeviceError) -> "AbsentDevice":
        """In place of a device that said what it is, and could not be entered: its cells are planned and wait."""
        made = cls(facts.name, error.reason)
        made._facts, made._error = facts, error
        return made

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
        raise self._gone()

    def canary(self) -> Canary:
        raise self._gone()

    def make_fit(self, limits: Limits, waiting: Waiting) -> Seconds:  # noqa: ARG002 (the port's)
        raise self._gone()

    def rest(self, seconds: Seconds) -> None:  # noqa: ARG002 (the port's)
        raise self._gone()

    def launch(self, order: LaunchOrder) -> LaunchOutcome:  # noqa: ARG002 (the port's)
        raise self._gone()

    def _gone(self) -> DeviceError:
        return type(self._error)(self._error.device, self._error.reason)
