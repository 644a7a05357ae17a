"""What a build process is given."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.core.model import Model
from harness.core.units import Seconds
from harness.core.variant import Variant, VariantSpec

CHANGED = "changed since it was read; start again"
"""Why a source or a variant built elsewhere is not what the order is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildJob:
    """One variant to build. scratch is an empty directory on the cache's file system, this job's own.

    timeout_s bounds the build.
    """

    model: Model
    spec: VariantSpec
    scratch: Path
    timeout_s: Seconds = 60.0

    @property
    def output(self) -> Path:
        """Where the process's standard output and error go."""
        return self.scratch / "output.txt"


# Builds, checks and scores the variant; its file lies in the job's scratch. Raises; may end its process or hang.
BuildOne = Callable[[BuildJob], Variant]
