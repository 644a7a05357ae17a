"""The plan of a configuration on devices that have answered."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.building import RULES
from harness.core.device import DeviceFacts
from harness.core.errors import ConfigError
from harness.intake import Intake, wishes
from harness.plan import Plan, make_plan, select
from harness.quarantine import Quarantine, withhold

if TYPE_CHECKING:
    from harness.config import Config


def plan_of(
    config: "Config",
    intake: Intake,
    facts: Sequence[DeviceFacts],
    only: str | None,
    quarantined: Mapping[str, Quarantine],
) -> Plan:
    """All cells, or those that `only` matches; those of quarantined devices are skipped.

    Raises ConfigError where it matches none.
    """
    made = make_plan(wishes(config, intake), intake.models, facts, RULES)
    chosen = made if only is None else select(made, only)
    if made.cells and not chosen.cells:
        raise ConfigError(f"--only {only}: no cell matches; `run_bench.py plan` lists them")
    return withhold(chosen, quarantined)
