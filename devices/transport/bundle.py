"""The agent as one file that a device's own Python can run."""

import io
import os
import zipfile
from pathlib import Path

from harness.core import digest
from harness.core.files import keep

_AGENT = Path(__file__).parents[1] / "agent"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # zip's first day: the same sources give the same bytes everywhere
_START = "import sys\n\nfrom agent.__main__ import main\n\nsys.exit(main())\n"


def bundle(sources: Path = _AGENT) -> bytes:
    """A zipapp of the agent's package, byte for byte the same for the same sources.

    Written with zipfile in the form of the standard library's zipapp, which takes over times and modes of files.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py", _EPOCH), _START)
        for path in sorted(sources.glob("*.py")):
            archive.writestr(zipfile.ZipInfo(f"agent/{path.name}", _EPOCH), path.read_bytes())
    return content.getvalue()


def bundle_file(folder: Path, sources: Path = _AGENT) -> Path:
    """The zipapp as a file in folder, named by its digest; written once. Raises OSError as writing does."""
    content = bundle(sources)
    return keep(folder / f"agent-{digest.of_bytes(content)[:16]}.pyz", content)


def bundle_folder() -> Path:
    """Where agents are kept on this machine: the user's cache, as the XDG base directory specification has it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "weighbridge"
