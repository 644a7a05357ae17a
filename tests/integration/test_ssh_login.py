"""Who is let in, and whom we talk to: a real sshd and a real paramiko."""

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devices.transport.ssh import SshTransport
from devices.transport.ssh_link import Patience
from harness.core.deadline import Deadline
from harness.core.device import SshAddress
from harness.core.errors import DeviceLost, DeviceRefused
from tests.support.passwords import SECRET, password_server
from tests.support.sshd import Sshd, free_port, make_key, sshd

pytestmark = pytest.mark.waits

SOON = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as started:
        yield started


@pytest.fixture
def host_keys(tmp_path: Path) -> Path:
    return tmp_path / "known hosts"


def says_hello(address: SshAddress) -> bool:
    transport = SshTransport("board", address, Patience(connect_s=10.0))
    try:
        return transport.run(("echo", "hello"), Deadline(SOON)).stdout == b"hello\n"
    finally:
        transport.close()


def refusal(address: SshAddress) -> str:
    with pytest.raises(DeviceRefused) as caught:
        says_hello(address)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def changed(server: Sshd, **fields: object) -> SshAddress:
    return dataclasses.replace(server.address, **fields)  # type: ignore[arg-type]


def command_in(words: str, name: str) -> str:
    return next(part for part in words.split("`") if part.startswith(name))


def test_an_unknown_host_key_is_refused_with_the_command_that_adds_it(server: Sshd, host_keys: Path) -> None:
    words = refusal(changed(server, known_hosts=host_keys))
    shown = subprocess.run(
        ("ssh-keygen", "-lf", server.folder / "host.pub"), capture_output=True, text=True, check=True
    )
    assert shown.stdout.split()[1] in words
    subprocess.run(command_in(words, "ssh-keyscan"), shell=True, check=True, capture_output=True, timeout=60)
    assert says_hello(changed(server, known_hosts=host_keys))


def test_a_changed_host_key_is_refused_with_both_commands(server: Sshd, host_keys: Path, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other").with_suffix(".pub").read_text().split()[:2]
    host_keys.write_text(f"# mine\n[127.0.0.1]:{server.port} {' '.join(other)}\n")
    words = refusal(changed(server, known_hosts=host_keys))
    assert f"{host_keys}, line 2" in words
    for name in ("ssh-keygen -R", "ssh-keyscan"):
        subprocess.run(command_in(words, name), shell=True, check=True, capture_output=True, timeout=60)
    assert says_hello(changed(server, known_hosts=host_keys))


def test_hashed_names_are_found(server: Sshd, host_keys: Path) -> None:
    host_keys.write_text(server.known_line())
    subprocess.run(("ssh-keygen", "-H", "-f", host_keys), check=True, capture_output=True, timeout=60)
    assert "127.0.0.1" not in host_keys.read_text()
    assert says_hello(changed(server, known_hosts=host_keys))


def test_a_key_that_is_revoked_is_refused(server: Sshd, host_keys: Path) -> None:
    host_keys.write_text(f"{server.known_line()}@revoked * {server.known_line().split(' ', 1)[1]}")
    assert "revoked" in refusal(changed(server, known_hosts=host_keys))


@pytest.mark.parametrize(
    "line",
    ["[127.0.0.1]:{port},other {key}", "[127.0.0.*]:{port} {key}", "junk\n|1|x|y {key}\n[127.0.0.1]:{port} {key}"],
)
def test_lists_patterns_and_junk_are_as_for_openssh(server: Sshd, host_keys: Path, line: str) -> None:
    host_keys.write_text(line.format(port=server.port, key=server.known_line().split(" ", 1)[1]))
    assert says_hello(changed(server, known_hosts=host_keys))


def test_a_wrong_key_is_refused_with_its_name_and_what_to_try(server: Sshd, tmp_path: Path) -> None:
    key = make_key(tmp_path / "stranger")
    words = refusal(changed(server, key=key))
    assert str(key) in words
    assert f"ssh -p {server.port} {server.user}@127.0.0.1" in words


@pytest.mark.parametrize("content", [None, "no key at all"])
def test_a_key_that_cannot_be_read_is_refused_with_its_name(server: Sshd, tmp_path: Path, content: str | None) -> None:
    key = tmp_path / "key"
    if content is not None:
        key.write_text(content)
    assert f"the key {key} cannot be read" in refusal(changed(server, key=key))


def test_a_key_with_a_passphrase_is_refused_with_the_command_that_helps(server: Sshd, tmp_path: Path) -> None:
    key = make_key(tmp_path / "locked", passphrase="secret words")
    words = refusal(changed(server, key=key))
    assert f"ssh-add {key}" in words
    assert "secret words" not in words


@pytest.fixture
def add_to_agent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """An ssh-agent of the test's own."""
    # A socket's path has at most 107 bytes.
    folder = Path(subprocess.run(("mktemp", "-d"), capture_output=True, text=True, check=True).stdout.strip())
    agent = subprocess.Popen(("ssh-agent", "-D", "-a", str(folder / "a")), stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(folder / "a"))
    ask = tmp_path / "ask"
    ask.write_text("#!/bin/sh\necho secret words\n")
    ask.chmod(0o700)

    def add(key: Path) -> None:
        environment = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
        while not (folder / "a").exists():
            assert agent.poll() is None
        subprocess.run(("ssh-add", key), check=True, capture_output=True, timeout=30, env=environment)

    yield add
    agent.kill()
    agent.wait()
    shutil.rmtree(folder)


def test_the_agent_opens_a_key_with_a_passphrase(
    server: Sshd, tmp_path: Path, add_to_agent: Callable[[Path], None]
) -> None:
    key = make_key(tmp_path / "locked", passphrase="secret words")
    (server.folder / "client.pub").write_text(
        (server.folder / "client.pub").read_text() + key.with_suffix(".pub").read_text()
    )
    add_to_agent(key)
    assert says_hello(changed(server, key=key))


def test_the_agent_is_asked_where_no_key_is_named(
    server: Sshd, add_to_agent: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "there is no key" in refusal(changed(server, key=None))
    add_to_agent(server.client_key)
    assert says_hello(changed(server, key=None))


def test_an_alias_of_ssh_config_is_enough(server: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"Host pi\n  HostName 127.0.0.1\n  Port {server.port}\n  User {server.user}\n"
        f"  IdentityFile {server.client_key}\n  UserKnownHostsFile {server.known_hosts}\n"
    )
    assert says_hello(SshAddress(host="pi", ssh_config=config))


def test_a_board_is_reached_through_another_server(server: Sshd, tmp_path: Path) -> None:
    with sshd(tmp_path / "gate") as gate:
        config = tmp_path / "config"
        config.write_text(
            f"Host gate\n  HostName 127.0.0.1\n  Port {gate.port}\n  User {gate.user}\n"
            f"  IdentityFile {gate.client_key}\n  UserKnownHostsFile {gate.known_hosts}\n"
        )
        assert says_hello(changed(server, jump="gate", ssh_config=config))
        assert "direct-tcpip" in gate.log or gate.log.count("Accepted publickey") == 1


def test_a_jump_server_that_is_not_known_is_refused_by_its_own_name(server: Sshd, tmp_path: Path) -> None:
    with sshd(tmp_path / "gate") as gate:
        config = tmp_path / "config"
        config.write_text(
            f"Host gate\n  HostName 127.0.0.1\n  Port {gate.port}\n  UserKnownHostsFile {tmp_path / 'k'}\n"
        )
        assert f"[127.0.0.1]:{gate.port} is not in" in refusal(changed(server, jump="gate", ssh_config=config))


def test_a_board_that_the_jump_server_does_not_reach_is_lost(server: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"Host gate\n  HostName 127.0.0.1\n  Port {server.port}\n  User {server.user}\n"
        f"  IdentityFile {server.client_key}\n  UserKnownHostsFile {server.known_hosts}\n"
    )
    with pytest.raises(DeviceLost, match="opens no channel"):
        says_hello(changed(server, port=free_port(), jump="gate", ssh_config=config))


def test_nobody_listening_is_a_loss_that_says_what_to_check(server: Sshd) -> None:
    with pytest.raises(DeviceLost, match="nothing listens there; is sshd on"):
        says_hello(changed(server, port=free_port()))


def test_a_name_that_does_not_exist_is_a_loss_that_says_so(server: Sshd) -> None:
    with pytest.raises(DeviceLost, match="cannot be resolved"):
        says_hello(changed(server, host="no-such-host.invalid"))


def test_a_password_lets_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BOARD_PASSWORD", SECRET)
    with password_server(tmp_path) as address:
        assert says_hello(address)


def test_a_wrong_password_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BOARD_PASSWORD", "not-this-one")
    with password_server(tmp_path) as address:
        words = refusal(address)
    assert "the password in BOARD_PASSWORD" in words
    assert "not-this-one" not in words


def test_a_password_that_is_not_set_is_refused_by_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BOARD_PASSWORD", raising=False)
    with password_server(tmp_path) as address:
        assert "the environment variable BOARD_PASSWORD is not set" in refusal(address)


def test_a_login_shell_that_starts_nothing_is_refused_with_its_words(tmp_path: Path) -> None:
    with sshd(tmp_path, extra="ForceCommand echo 'no logins today'; exit 1") as server:
        assert "starts no commands: no logins today" in refusal(server.address)


def test_what_startup_files_print_is_not_taken_for_output(tmp_path: Path) -> None:
    with sshd(tmp_path, extra='ForceCommand printf "Welcome to\\nthe board"; eval "$SSH_ORIGINAL_COMMAND"') as server:
        assert says_hello(server.address)
