"""Whether a server is the one that it was: its key against known_hosts, in the form of sshd(8)."""

import base64
import hashlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import paramiko

from devices.transport.ssh_address import Hop
from harness.core.errors import DeviceRefused

# What is negotiated for a key that known_hosts has as the left.
_NEGOTIATED = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A line of known_hosts that speaks of the host."""

    file: Path
    line: int
    kind: str
    key: str
    revoked: bool


class KnownHosts:
    """What is known of a server."""

    def __init__(self, hop: Hop) -> None:
        self._hop = hop
        self._entries = [entry for file in hop.files for entry in _entries(file, hop.name)]

    def order(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """The types of keys to ask for: those that are known first, so that the known one is shown."""
        kinds = [kind for entry in self._entries for kind in _NEGOTIATED.get(entry.kind, (entry.kind,))]
        known = [kind for kind in dict.fromkeys(kinds) if kind in offered]
        return (*known, *(kind for kind in offered if kind not in known))

    def check(self, device: str, key: "paramiko.PKey") -> None:
        """Raises DeviceRefused, with what would add it, where the key is not known, another, or revoked."""
        same = [entry for entry in self._entries if entry.key == key.get_base64()]
        if any(entry.revoked for entry in same):
            raise DeviceRefused(device, f"{self._hop.name}: its key {fingerprint(key)} is marked as revoked")
        if same:
            return
        known = next((entry for entry in self._entries if not entry.revoked), None)
        raise DeviceRefused(device, self._unknown(key) if known is None else self._changed(key, known))

    def _unknown(self, key: "paramiko.PKey") -> str:
        file = self._hop.files[0] if self._hop.files else Path("~/.ssh/known_hosts")
        return (
            f"the host key of {self._hop.name} is not in {file}: it is {_shown(key)}; compare that with what "
            f"`ssh-keygen -lf` says of its /etc/ssh/ssh_host_*_key.pub, then `{self._add(key, file)}`"
        )

    def _changed(self, key: "paramiko.PKey", known: _Entry) -> str:
        remove = shlex.join(("ssh-keygen", "-R", self._hop.name, "-f", str(known.file)))
        return (
            f"the host key of {self._hop.name} is another than in {known.file}, line {known.line}: it is {_shown(key)} "
            "now. It was installed anew, or is another board, or somebody stands in between. Once you know why, "
            f"`{remove}`, then `{self._add(key, known.file)}`"
        )

    def _add(self, key: "paramiko.PKey", file: Path) -> str:
        """ssh-keyscan sees only what is reached directly, and calls it by its address."""
        if self._hop.direct and self._hop.host in self._hop.name:
            return f"ssh-keyscan -p {self._hop.port} {shlex.quote(self._hop.host)} >> {shlex.quote(str(file))}"
        line = f"{self._hop.name} {key.get_name()} {key.get_base64()}"
        return f"echo {shlex.quote(line)} >> {shlex.quote(str(file))}"


def fingerprint(key: "paramiko.PKey") -> str:
    """As OpenSSH shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


def _shown(key: "paramiko.PKey") -> str:
    return f"{key.get_name()} {fingerprint(key)}"


def _entries(file: Path, name: str) -> Iterator[_Entry]:
    """The lines for the name. A file that is not there has none, one that cannot be read neither."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for number, line in enumerate(lines, 1):
        words = line.split()
        revoked = bool(words) and words[0] == "@revoked"
        if revoked:
            words = words[1:]
        if len(words) >= 3 and not words[0].startswith(("#", "@")) and _speaks_of(words[0], name):
            yield _Entry(file=file, line=number, kind=words[1], key=words[2], revoked=revoked)


def _speaks_of(names: str, name: str) -> bool:
    if names.startswith("|1|"):
        return _is_hash_of(names, name)
    given = names.split(",")
    if any(_matches(name, each[1:]) for each in given if each.startswith("!")):
        return False
    return any(_matches(name, each) for each in given if not each.startswith("!"))


def _matches(name: str, pattern: str) -> bool:
    """With `*` and `?` alone: brackets stand for themselves, as in `[host]:port`."""
    return fnmatchcase(name.lower(), pattern.lower().replace("[", "[[]"))


def _is_hash_of(hashed: str, name: str) -> bool:
    try:
        return bool(paramiko.HostKeys.hash_host(name, hashed) == hashed)
    except (ValueError, AssertionError):
        return False
