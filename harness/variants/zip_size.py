"""How large an artefact is to download: zipped, as app stores do."""

import shutil
import tempfile
import zipfile
from pathlib import Path

from harness.core import digest
from harness.core.units import Bytes

_CHUNK = 1 << 20


def zip_size(path: Path) -> Bytes:
    """Bytes of a zip archive of a file or of all files of a folder, deflated at level 6. Raises OSError.

    The same files give the same size, wherever they are: entries are in order, without dates, under a fixed name.
    """
    files = digest.files_in(path) if path.is_dir() else [path]
    root = Path(f"model{path.suffix}")
    with tempfile.TemporaryFile() as archive:
        with zipfile.ZipFile(archive, "w") as writer:
            for file in files:
                _add(writer, file, (root / file.relative_to(path)).as_posix())
        return archive.tell()


def _add(writer: zipfile.ZipFile, file: Path, name: str) -> None:
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED  # at zlib's default level, which is 6
    entry.file_size = file.stat().st_size
    with file.open("rb") as source, writer.open(entry, "w") as target:
        shutil.copyfileobj(source, target, _CHUNK)
