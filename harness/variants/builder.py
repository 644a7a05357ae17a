"""What a format's builder answers."""

from collections.abc import Callable
from dataclasses import dataclass

from harness.core.variant import Variant
from harness.variants.job import BuildJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An artefact as it lies in the job's scratch: checked against its recipe, loaded once where this host can, not
    scored. unscored says why this host cannot run it as a reference, None where it can."""

    variant: Variant
    unscored: str | None = None


# Builds and checks one variant. Raises RecipeError, ModelUnreadable, DataUnreadable or what the tools raise; may end
# its process or hang.
Build = Callable[[BuildJob], Built]
