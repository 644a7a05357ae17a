"""What a format's builder answers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import ChangedNothing, ModelUnreadable
from harness.core.model import Model
from harness.core.variant import Variant, VariantSpec
from harness.variants.job import CHANGED, BuildJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An artefact as it lies in the job's scratch: checked against its recipe, loaded once where this host can, not
    scored. unscored says why this host cannot run it as a reference, None where it can."""

    variant: Variant
    unscored: str | None = None


def check_prebuilt(spec: VariantSpec, path: Path, found: str, model: Model) -> None:
    """Raises ModelUnreadable where a variant built elsewhere is not what was ordered any more, ChangedNothing where it
    is the source. found is the digest of what lies at path now."""
    if spec.prebuilt_digest not in (None, found):
        raise ModelUnreadable(path, CHANGED)
    if found == model.digest:
        raise ChangedNothing(spec.recipe, f"{path} is the source itself, byte for byte")


# Builds and checks one variant. Raises RecipeError, ModelUnreadable, DataUnreadable or what the tools raise; may end
# its process or hang.
Build = Callable[[BuildJob], Built]
