"""Where a bench keeps its files."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a bench keeps its files, below one directory."""

    root: Path

    @property
    def store(self) -> Path:
        return self.root / "bench.db"

    @property
    def variants(self) -> Path:
        return self.root / "variants"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def inputs(self) -> Path:
        return self.root / "inputs"

    @property
    def leases(self) -> Path:
        return self.root / "leases"

    @property
    def reports(self) -> Path:
        return self.root / "reports"
