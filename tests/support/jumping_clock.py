"""A wall clock that can be set, for one program and what it starts. The monotonic clocks stay as they are."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

_SOURCE = Path(__file__).with_suffix(".c")


class JumpingClock:
    """Set by jump. variables are what a program has to see in its environment."""

    def __init__(self, folder: Path) -> None:
        library = folder / "jumping_clock.so"
        words = ("cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(_SOURCE))
        subprocess.run(words, check=True, capture_output=True, timeout=60)
        self._offset = folder / "clock_offset"
        self.jump(0)
        self.variables: Mapping[str, str] = {"LD_PRELOAD": str(library), "JUMPING_CLOCK": str(self._offset)}

    def jump(self, seconds: int) -> None:
        """Let it be off by so much."""
        part = self._offset.with_suffix(".part")
        part.write_text(str(seconds))
        part.replace(self._offset)
