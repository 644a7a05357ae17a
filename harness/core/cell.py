"""The unit of the matrix: one variant on one compute unit of one device."""

from dataclasses import asdict, dataclass
from typing import Any

from harness.core import digest
from harness.core.compute_unit import ComputeUnit
from harness.core.launch import MeasureSettings
from harness.core.target import Target
from harness.core.variant import OpSetting


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Variant x device x compute unit x settings. is_source marks the model at its own precision.

    prebuilt is the digest of the file where somebody else built the variant, else None. op_settings are the variant's
    own for single operators. signature is the one that runs, None for the model's first. target is the one asked for.
    """

    model: str
    model_digest: str
    format: str
    variant: str
    recipe: str
    device: str
    family: str
    unit: ComputeUnit
    settings: MeasureSettings
    is_source: bool
    prebuilt: str | None = None
    op_settings: tuple[OpSetting, ...] = ()
    signature: str | None = None
    target: Target | None = None

    @property
    def id(self) -> str:
        """16 hexadecimal digits of a digest of the content: the same cell has the same id in every campaign."""
        content: dict[str, Any] = {
            "model": self.model,
            "model_digest": self.model_digest,
            "variant": self.variant,
            "recipe": self.recipe,
            "device": self.device,
            "unit": str(self.unit),
            "prebuilt": self.prebuilt,
            "settings": asdict(self.settings),
        }
        if not self.settings.cold_starts:  # cells from before there were any keep their ids
            del content["settings"]["cold_starts"]
        if self.op_settings:
            content["op_settings"] = [asdict(setting) for setting in self.op_settings]
        if self.signature is not None:
            content["signature"] = self.signature
        if self.target is not None:
            content["target"] = str(self.target)
        return digest.of_content(content)[:16]
