"""Letting ourselves in: keys, the agent, a password from the environment."""

from collections.abc import Iterator
from pathlib import Path

import paramiko

from devices.transport.ssh_address import Hop
from harness.core.errors import DeviceRefused
from harness.core.secrets import secret


def log_in(device: str, transport: "paramiko.Transport", hop: Hop) -> None:
    """Try the keys, the agent's, then the password. Raises DeviceRefused in words, and what paramiko raises."""
    password = _password(device, hop)
    tried: list[str] = []
    locked: list[Path] = []
    for name, key in _offers(device, hop, locked):
        tried.append(name)
        try:
            transport.auth_publickey(hop.user, key)
        except paramiko.AuthenticationException:
            continue
        if transport.is_authenticated():
            return
    if password is not None:
        tried.append(f"the password in {hop.password_env}")
        try:
            transport.auth_password(hop.user, password)
        except paramiko.AuthenticationException as exc:
            raise DeviceRefused(device, _refusal(hop, tried, locked)) from exc
        if transport.is_authenticated():
            return
    raise DeviceRefused(device, _refusal(hop, tried, locked))


def _password(device: str, hop: Hop) -> str | None:
    if hop.password_env is None:
        return None
    password = secret(hop.password_env)
    if not password:
        raise DeviceRefused(device, f"the environment variable {hop.password_env} is not set; it holds the password")
    return password


def _offers(device: str, hop: Hop, locked: list[Path]) -> Iterator[tuple[str, "paramiko.PKey"]]:
    """Keys in the order of trying. locked takes those that have a passphrase and are not in the agent."""
    agent = paramiko.Agent()
    try:
        held = {key.asbytes(): key for key in agent.get_keys()}
        for path in hop.keys:
            key = _load(device, path, held)
            if key is None:
                locked.append(path)
                continue
            held.pop(key.asbytes(), None)
            yield str(path), key
        if not hop.only_keys:
            yield from ((f"{key.comment or key.get_name()} of the agent", key) for key in held.values())
    finally:
        agent.close()


def _load(device: str, path: Path, held: dict[bytes, "paramiko.PKey"]) -> "paramiko.PKey | None":
    """A key of a file, or the agent's where it has a passphrase; None where the agent has it not."""
    try:
        return paramiko.PKey.from_path(path)
    except (paramiko.PasswordRequiredException, TypeError):  # TypeError: cryptography's, for a missing passphrase
        return held.get(_public(path))
    except (OSError, ValueError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as exc:
        words = getattr(exc, "strerror", None) or "it is no private key that is supported"
        raise DeviceRefused(device, f"the key {path} cannot be read: {words}") from exc


def _public(path: Path) -> bytes:
    """The public half that lies beside a private key."""
    try:
        return paramiko.PublicBlob.from_file(f"{path}.pub").key_blob  # type: ignore[no-any-return]
    except (OSError, ValueError, paramiko.SSHException):
        return b""


def _refusal(hop: Hop, tried: list[str], locked: list[Path]) -> str:
    words = f"{hop} lets us in by none of: {', '.join(tried)}" if tried else f"there is no key to log in to {hop} with"
    for path in locked:
        words += f"; {path} has a passphrase: add it to the agent with `ssh-add {path}`"
    return f"{words}; try `ssh -p {hop.port} {hop.user}@{hop.host}`, or name `key`, `user` or `password_env`"
