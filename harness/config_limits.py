"""What a configuration may say of the state that devices must be in."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from harness.config_fields import Form
from harness.core.limits import NO_LIMITS, Limits

Degrees = Annotated[float, Field(gt=0, le=150)]
Share = Annotated[float, Field(gt=0, le=1)]
Wait = Annotated[float, Field(ge=0, le=86400)]


class LimitsForm(Form):
    """Limits of a device's state (docs/health.md). What is not given is as the kind of device has it; null turns a
    limit off."""

    soc_celsius: Degrees | None = None
    soc_peak_celsius: Degrees | None = None
    skin_celsius: Degrees | None = None
    accelerator_celsius: Degrees | None = None
    accelerator_peak_celsius: Degrees | None = None
    battery_celsius: Degrees | None = None
    thermal_status: Annotated[int, Field(ge=0, le=6)] | None = None
    battery_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    load_per_core: Annotated[float, Field(gt=0, le=1000)] | None = None
    neighbours: Annotated[float, Field(gt=0, le=1000)] | None = None
    clock_share: Share | None = None
    pinned_clocks: bool = False
    canary: Annotated[float, Field(gt=0, le=10)] | None = None
    wait_s: Wait = NO_LIMITS.wait_s
    cooldown_s: Wait = NO_LIMITS.cooldown_s
    campaign_wait_s: Wait = NO_LIMITS.campaign_wait_s

    def over(self, usual: Limits) -> Limits:
        """The usual limits with what was given in their place."""
        return replace(usual, **self.model_dump(exclude_unset=True))
