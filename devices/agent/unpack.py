"""Unpacks wheels on a device and puts them in place at once. Run by `setup` as a program of its own, with `python -c`.

Reads one JSON object from stdin: `staging` (a folder with the wheels in it), `target`, `link`, and `wheels`, digests
by name. Says one JSON object: `folder`, or `error` and `full`. The old target of the link stays, for what still
runs there.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
import time
import zipfile

_LONG_AGO_S = 86400.0
_FULL = (errno.ENOSPC, errno.EDQUOT)


def main() -> int:
    """Do it, say what came of it, leave no rubbish behind."""
    task = json.loads(sys.stdin.readline())
    try:
        said: dict[str, object] = {"folder": unpack(task["staging"], task["target"], task["link"], task["wheels"])}
    except (OSError, ValueError, zipfile.BadZipFile) as problem:
        full = isinstance(problem, OSError) and problem.errno in _FULL
        said = {"error": getattr(problem, "strerror", None) or str(problem), "full": full}
    finally:
        shutil.rmtree(task["staging"], ignore_errors=True)
    print(json.dumps(said))
    return 0


def unpack(staging: str, target: str, link: str, wheels: dict[str, str]) -> str:
    """The folder that the wheels are in now. Raises OSError, BadZipFile, ValueError for a wheel that is not whole."""
    content = os.path.join(staging, "content")
    for name, digest in sorted(wheels.items()):
        path = os.path.join(staging, name)
        if _digest(path) != digest:
            raise ValueError("{} arrived damaged".format(name))
        with zipfile.ZipFile(path) as archive:
            archive.extractall(content)
        os.unlink(path)
    os.sync()  # a board may lose its power; what the link leads to must be whole
    if not os.path.isdir(target):
        os.rename(content, target)
    before = os.path.basename(os.readlink(link)) if os.path.islink(link) else ""
    new = os.path.join(staging, "link")
    os.symlink(os.path.basename(target), new)
    os.replace(new, link)
    _remove_others(link, keep=(os.path.basename(target), before))
    return target


def _digest(path: str) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as stream:
        for piece in iter(lambda: stream.read(1 << 20), b""):
            found.update(piece)
    return found.hexdigest()


def _remove_others(link: str, keep: tuple[str, ...]) -> None:
    """What earlier setups left: all runtimes but the one before, and what broke off long ago."""
    folder, prefix = os.path.dirname(link), os.path.basename(link) + "-"
    for name in os.listdir(folder):
        broken = name.startswith(".new-") and time.time() - os.lstat(os.path.join(folder, name)).st_mtime > _LONG_AGO_S
        if broken or (name.startswith(prefix) and name not in keep):
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
