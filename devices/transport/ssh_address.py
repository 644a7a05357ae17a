"""From an address as a configuration has it to the servers on the way, as OpenSSH's own configuration resolves them."""

import getpass
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko

from harness.core.device import SshAddress
from harness.core.errors import DeviceRefused

_SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
_SYSTEM_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")
_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
_MOST_HOPS = 8
_JUMP = re.compile(r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?P<host>\[[^]]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One server on the way, the board being the last.

    name is under what known_hosts has it, files are those, the first being the one to add to. keys are tried in turn;
    only_keys: the agent's others are not. direct: it is reached without a server in between. password_env names the
    environment variable of its password.
    """

    host: str
    port: int
    user: str
    name: str
    files: tuple[Path, ...]
    keys: tuple[Path, ...]
    only_keys: bool
    direct: bool
    password_env: str | None = None

    def __str__(self) -> str:
        return f"{self.user}@{self.host}" + ("" if self.port == paramiko.config.SSH_PORT else f":{self.port}")


def route_to(device: str, address: SshAddress) -> tuple[Hop, ...]:
    """The servers to go through. Raises DeviceRefused for a configuration that cannot be followed."""
    config = _read(device, address.ssh_config)
    words = _lookup(device, config, address.host)
    jumps = _jumps(device, config, address.jump or words.get("proxyjump"))
    if not jumps and "proxycommand" in words:
        raise DeviceRefused(device, f"ssh_config has a ProxyCommand for {address.host}; write it as ProxyJump")
    before = tuple(_hop(words, jump, direct=place == 0) for place, (words, jump) in enumerate(jumps))
    return (*before, _hop(words, address, direct=not jumps))


def _read(device: str, path: Path | None) -> "paramiko.SSHConfig":
    """Those of the user and the system, or the one that is named, as with `ssh -F`."""
    config = paramiko.SSHConfig()
    own = [Path.home() / ".ssh/config", _SYSTEM_CONFIG]
    for file in [path] if path else [each for each in own if each.is_file()]:
        try:
            with file.open(encoding="utf-8", errors="replace") as stream:
                config.parse(stream)
        except (OSError, paramiko.ConfigParseError) as exc:
            raise DeviceRefused(device, f"{file} cannot be read: {exc}") from exc
    return config


def _lookup(device: str, config: "paramiko.SSHConfig", host: str) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = config.lookup(host)
    except (paramiko.SSHException, ImportError) as exc:  # ImportError: `Match exec` needs a package of its own
        raise DeviceRefused(device, f"ssh_config cannot be followed for {host}: {exc}") from exc
    return found


def _jumps(
    device: str, config: "paramiko.SSHConfig", text: str | None, depth: int = 0
) -> list[tuple[Mapping[str, Any], SshAddress]]:
    """The servers in between, in order; the first of them may itself be reached through others."""
    if text is None or text == "none":
        return []
    if depth >= _MOST_HOPS:
        raise DeviceRefused(device, f"ProxyJump leads through more than {_MOST_HOPS} servers, or in a circle")
    found = []
    for place, part in enumerate(text.split(",")):
        jump = _parse(device, part.strip())
        words = _lookup(device, config, jump.host)
        if place == 0:
            found += _jumps(device, config, words.get("proxyjump"), depth + 1)
        found.append((words, jump))
    return found


def _parse(device: str, text: str) -> SshAddress:
    match = _JUMP.fullmatch(text)
    if match is None:
        raise DeviceRefused(device, f"jump is {text}, not [user@]host[:port]")
    return SshAddress(
        host=match["host"].strip("[]"), user=match["user"], port=int(match["port"]) if match["port"] else None
    )


def _hop(words: Mapping[str, Any], address: SshAddress, *, direct: bool) -> Hop:
    host, port = str(words["hostname"]), address.port or int(words.get("port", paramiko.config.SSH_PORT))
    known_as = str(words.get("hostkeyalias", host))
    is_usual = port == paramiko.config.SSH_PORT or "hostkeyalias" in words
    only = address.key is not None or words.get("identitiesonly") == "yes"
    return Hop(
        host=host,
        port=port,
        user=address.user or words.get("user") or getpass.getuser(),
        name=known_as if is_usual else f"[{known_as}]:{port}",
        files=(address.known_hosts,) if address.known_hosts else _known_hosts(words),
        keys=(address.key,) if address.key else _keys(words),
        only_keys=only,
        direct=direct,
        password_env=address.password_env,
    )


def _known_hosts(words: Mapping[str, Any]) -> tuple[Path, ...]:
    user = str(words.get("userknownhostsfile", "~/.ssh/known_hosts")).split()
    system = str(words.get("globalknownhostsfile", _SYSTEM_KNOWN_HOSTS)).split()
    return tuple(Path(os.path.expanduser(file)) for file in (*user, *system) if file != "none")


def _keys(words: Mapping[str, Any]) -> tuple[Path, ...]:
    """Those that are there: as with OpenSSH, ssh_config may name others (`none` is one)."""
    named = [Path(os.path.expanduser(file)) for file in words.get("identityfile", ())]
    usual = [Path.home() / ".ssh" / name for name in _DEFAULT_KEYS]
    return tuple(key for key in named or usual if key.is_file())
