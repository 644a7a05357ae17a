"""Bench folders for tests."""

from pathlib import Path


def beside(built: Path, folder: Path) -> Path:
    """Make folder a bench where nothing was measured, with the variants and models that lie in built."""
    folder.mkdir()
    for name in ("variants", "models"):
        (built / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(built / name)
    return folder
