"""Files in folders where every user may write: /run/lock, /tmp. Nothing that another user planted there is followed.

Sources: open(2), fs.protected_symlinks, fs.protected_hardlinks and fs.protected_regular in proc_sys_fs(5).
"""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# Not tempfile.gettempdir(): that is each user's own on macOS, and each service's own with systemd's PrivateTmp.
PLACES = ("/run/lock", "/tmp")


def lease_folder(places: Sequence[str] = PLACES) -> str:
    """Where leases lie: the same for all users and processes of this machine, whatever TMPDIR they have.

    In the first of places that everybody may write to, else in the last: what only root may write to would part root
    from the others. WEIGHBRIDGE_LEASES names it where neither will do; all users of the machine need the same.
    """
    chosen = os.environ.get("WEIGHBRIDGE_LEASES")
    if chosen:
        return os.path.abspath(chosen)
    shared = (place for place in places if is_for_all(place))
    return os.path.join(next(shared, places[-1]), "weighbridge-leases")


def is_for_all(place: str) -> bool:
    """Whether everybody may write to a folder, we too."""
    try:
        return bool(os.stat(place).st_mode & stat.S_IWOTH) and os.access(place, os.W_OK)
    except OSError:
        return False


def make_folder(folder: str, for_all: bool | None = None) -> None:
    """A folder where it is not there; for_all: every user may add files to it. None: where all share its parent.

    Raises OSError, also where it is a link that another user has put into a folder of all.
    """
    shared = is_for_all(os.path.dirname(folder))
    if shared and os.path.islink(folder) and os.lstat(folder).st_uid not in (0, os.getuid()):
        raise OSError(errno.ELOOP, "it is a link of another user", folder)
    if os.path.isdir(folder):
        return
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if shared if for_all is None else for_all:
        os.chmod(folder, 0o1777)


def open_shared(path: str) -> int:
    """Open for reading and writing, made where it is not there; in a folder of all it is for all. Raises OSError."""
    # Without O_CREAT first: Linux refuses it for another user's file in a shared folder (fs.protected_regular).
    try:
        return open_planted(path, os.O_RDWR)
    except FileNotFoundError:
        pass
    mode = 0o666 if os.stat(os.path.dirname(path)).st_mode & stat.S_IWOTH else 0o600
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:  # somebody else was first
        return open_planted(path, os.O_RDWR)
    os.fchmod(descriptor, mode)  # whatever the umask is
    return descriptor


def open_planted(path: str, flags: int) -> int:
    """Open what lies at a place where others may put things: a file with one name, or OSError.

    A link leads to a file of the user who opens it, and so does a hard link; opening a pipe would wait for ever.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_nlink <= 1:
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EPERM, "it is no file of its own, but a link, a pipe or a folder", path)


def has_open(pid: int, file: os.stat_result) -> bool:
    """Whether a process has a file open: a note that others may write proves nothing.

    Raises FileNotFoundError where it has ended, PermissionError where it is another user's.
    """
    folder = "/proc/{}/fd".format(pid)
    for name in os.listdir(folder):
        try:
            if os.path.samestat(file, os.stat(os.path.join(folder, name))):
                return True
        except FileNotFoundError:
            pass  # closed meanwhile
    return False
