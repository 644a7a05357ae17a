"""Files brought to a device, each once: they lie there under the digest of their content.

Nothing of a file's or a model's own name goes to the device but a suffix of letters and digits.
"""

import hashlib
import posixpath
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from devices.transport.transport import Completed, Sent, Transport, unheard
from harness.core import digest
from harness.core.deadline import Deadline
from harness.core.errors import DeviceError, DeviceFull, DeviceLost
from harness.core.launch import LaunchOrder
from harness.core.units import Bytes, Seconds

_ASK_S: Seconds = 30.0
_SLOWEST: Bytes = 256 * 1024  # bytes a second that a link carries or a device reads: below that a file is late
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,12}")
_NAME = re.compile(r"\.?[0-9a-f]{64}(?:\.d/[A-Za-z0-9_.+-]{1,120}|[.A-Za-z0-9-]{0,40})")
_DIGEST = re.compile(r"\\?([0-9a-f]{64})\b")
_BATCH = 50  # names in one command

# By the first program that works. openssl goes first: it uses the processor's own instructions, coreutils may not.
_SUM = (
    'sum() { openssl dgst -sha256 -r "$1" 2>/dev/null || sha256sum "$1" 2>/dev/null '
    '|| shasum -a 256 "$1" 2>/dev/null || python3 -c "import hashlib, sys; '
    'print(hashlib.sha256(open(sys.argv[1], \'rb\').read()).hexdigest())" "$1"; }; '
)
_PREPARE = 'umask 077; mkdir -p "$1/files" && chmod 700 "$1" "$1/files"'
# What is there is touched, so that it is not taken for old.
_FIND = _SUM + 'cd "$1/files" || exit 1; [ -f "$2" ] || exit 0; touch -c "$2"; sum "$2"'
_KEEP = (
    _SUM + 'cd "$1/files" || exit 1; s=$(sum "$2") || exit 1; case "$s" in "$3"*) mv -f "$2" "$4";; *) exit 9;; esac'
)
_OLD = 'cd "$1/files" 2>/dev/null || exit 0; shift; find . -type f "$@" -exec stat -c "%s %n" {} +'
_REMOVE = 'cd "$1/files" || exit 1; shift; rm -f "$@"'
_OTHER_CONTENT = 9


@dataclass(slots=True)
class Pushed:
    """What has been sent so far."""

    files: int = 0
    bytes: Bytes = 0


class Delivery:
    """Brings files into a folder of the device. transport is asked for before each use: it may be another by then.

    pushed counts what was sent. Raises DeviceLost, DeviceFull, DeviceError, and OSError for files of this machine.
    """

    def __init__(self, device: str, transport: Callable[[], Transport], folder: str, sent: Sent = unheard) -> None:
        self._device = device
        self._transport = transport
        self._folder = folder
        self._sent = sent
        self._writer = _writer(device)
        self._asked: Transport | None = None
        self._there: set[str] = set()
        self._digests: dict[tuple[Path, int, int], str] = {}
        self.pushed = Pushed()

    def deliver(self, order: LaunchOrder) -> LaunchOrder:
        """Bring an order's files; the order with their places there."""
        return replace(
            order,
            variant=Path(self.bring(order.variant)),
            inputs=tuple(Path(self.bring(path)) for path in order.inputs),
        )

    def forget(self) -> None:
        """Look at the device's folder again: after a loss it may be another one, or emptied."""
        self._asked = None

    def bring(self, file: Path) -> str:
        """Bring one file; its path there."""
        if file.is_dir():
            raise DeviceError(self._device, f"{file} is a folder; only single files can be brought to a device yet")
        sha256 = self._digest(file)
        name = sha256 + _suffix(file)
        transport = self._prepared()
        if name not in self._there:
            if not self._is_there(transport, name, sha256, file.stat().st_size):
                self._send(transport, file, name, sha256)
            self._there.add(name)
        return posixpath.join(self._folder, "files", name)

    def _digest(self, file: Path) -> str:
        found = file.stat()
        key = (file, found.st_size, found.st_mtime_ns)
        if key not in self._digests:
            self._digests[key] = digest.of_file(file)
        return self._digests[key]

    def _prepared(self) -> Transport:
        """The transport, with the folder made. Another than before may lead to a device that forgot: ask again."""
        transport = self._transport()
        if transport is not self._asked:
            self._there.clear()
            done = _shell(transport, _PREPARE, self._folder)
            if done.exit_code:
                raise _failed(self._device, f"{self._folder} cannot be made", done)
            self._asked = transport
        return transport

    def _is_there(self, transport: Transport, name: str, sha256: str, size: Bytes) -> bool:
        done = _shell(transport, _FIND, self._folder, name, size=size)
        if done.exit_code:
            raise _failed(self._device, f"the files in {self._folder} cannot be looked at", done)
        match = _DIGEST.match(done.stdout.decode("utf-8", "replace"))
        return match is not None and match[1] == sha256

    def _send(self, transport: Transport, file: Path, name: str, sha256: str) -> None:
        """Under a name that no other writes to; what breaks off is overwritten by the next try."""
        part = f".{sha256}.{self._writer}.part"
        size = file.stat().st_size
        try:
            transport.send_file(file, posixpath.join(self._folder, "files", part), _patience(size), self._sent)
            done = _shell(transport, _KEEP, self._folder, part, sha256, name, size=size)
        except DeviceFull:
            _shell(transport, _REMOVE, self._folder, part)
            raise
        if done.exit_code == _OTHER_CONTENT:
            _shell(transport, _REMOVE, self._folder, part)
            raise DeviceLost(self._device, f"{file.name!r} arrived damaged; check the device's disk and its cable")
        if done.exit_code:
            raise _failed(self._device, f"{file.name!r} cannot be kept in {self._folder}", done)
        self.pushed.files += 1
        self.pushed.bytes += size


def clean(transport: Transport, folder: str, older_than_days: int) -> tuple[int, Bytes]:
    """Remove the files that were not used for so many days, 0 for all; how many files and bytes went."""
    age = ("-mtime", f"+{older_than_days - 1}") if older_than_days > 0 else ()
    found = _sizes(_shell(transport, _OLD, folder, *age).stdout)
    names = sorted(found)
    for at in range(0, len(names), _BATCH):
        _shell(transport, _REMOVE, folder, *names[at : at + _BATCH])
    return len(names), sum(found.values())


def _sizes(listing: bytes) -> Mapping[str, Bytes]:
    """Of what we have put there, by name; anything else is left alone."""
    rows: Iterable[list[str]] = (line.split(" ./", 1) for line in listing.decode("utf-8", "replace").splitlines())
    return {row[1]: int(row[0]) for row in rows if len(row) == 2 and row[0].isdigit() and _NAME.fullmatch(row[1])}


def _shell(transport: Transport, script: str, *words: str, size: Bytes = 0) -> Completed:
    """A fixed text for the device's shell; what varies goes in as words."""
    return transport.run(("sh", "-c", script, "sh", *words), _patience(size))


def _patience(size: Bytes) -> Deadline:
    return Deadline(_ASK_S + size / _SLOWEST)


def _suffix(file: Path) -> str:
    return file.suffix if _SUFFIX.fullmatch(file.suffix) else ""


def _writer(device: str) -> str:
    """This host and its name for the device, of which it may have two: they may be asked for their facts at once."""
    return hashlib.sha256(f"{socket.gethostname()} {device}".encode()).hexdigest()[:8]


def _failed(device: str, what: str, done: Completed) -> DeviceError:
    if "No space left" in done.words:
        return DeviceFull(device, f"{what}: no space is left; `devices --clean` removes old files")
    return DeviceError(device, f"{what}: {done.words}")
