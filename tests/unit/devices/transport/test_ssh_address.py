import getpass
from pathlib import Path

import pytest

from devices.transport.ssh_address import Hop, route_to
from harness.core.device import SshAddress
from harness.core.errors import DeviceRefused

CONFIG = """
Host pi
    HostName 10.0.0.5
    Port 2222
    User bench
    IdentityFile {folder}/pi_key
    UserKnownHostsFile {folder}/known
    IdentitiesOnly yes
Host behind
    HostName 10.1.0.5
    ProxyJump gate,carol@middle:2200
Host gate
    HostName gate.example
    ProxyJump outer
    User alice
Host round
    ProxyJump about
Host about
    ProxyJump round
Host piped
    ProxyCommand nc %h %p
Host named
    HostName 10.0.0.9
    HostKeyAlias board-9
    Port 99
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "pi_key").touch()
    file = tmp_path / "config"
    file.write_text(CONFIG.format(folder=tmp_path))
    return file


def route(config: Path, host: str, **fields: object) -> tuple[Hop, ...]:
    return route_to("board", SshAddress(host=host, ssh_config=config, **fields))  # type: ignore[arg-type]


def test_an_alias_is_what_ssh_config_says(config: Path, tmp_path: Path) -> None:
    (hop,) = route(config, "pi")
    assert (hop.host, hop.port, hop.user, hop.name) == ("10.0.0.5", 2222, "bench", "[10.0.0.5]:2222")
    assert (hop.keys, hop.files[0], hop.only_keys) == ((tmp_path / "pi_key",), tmp_path / "known", True)


def test_what_the_address_says_goes_first(config: Path, tmp_path: Path) -> None:
    (hop,) = route(config, "pi", port=22, user="root", key=tmp_path / "k", known_hosts=tmp_path / "h")
    assert (hop.port, hop.user, hop.name) == (22, "root", "10.0.0.5")
    assert (hop.keys, hop.files) == ((tmp_path / "k",), (tmp_path / "h",))


def test_a_host_that_is_in_no_file_is_itself(config: Path) -> None:
    (hop,) = route(config, "nowhere")
    assert (hop.host, hop.port, hop.user, hop.direct) == ("nowhere", 22, getpass.getuser(), True)


def test_jumps_go_in_order_and_the_first_may_have_its_own(config: Path) -> None:
    assert [str(hop) for hop in route(config, "behind", user="me")] == [
        f"{getpass.getuser()}@outer",
        "alice@gate.example",
        "carol@middle:2200",
        "me@10.1.0.5",
    ]
    assert [hop.direct for hop in route(config, "behind")] == [True, False, False, False]


@pytest.mark.parametrize(
    ("jump", "shown"),
    [("u@h:2200", "u@h:2200"), ("u@h", "u@h"), ("ssh://u@h:1", "u@h:1"), ("u@[::1]:2", "u@::1:2")],
)
def test_a_jump_of_the_address_is_as_ssh_has_it(config: Path, jump: str, shown: str) -> None:
    assert str(route(config, "pi", jump=jump)[0]) == shown


def test_the_password_is_for_the_board_alone(config: Path) -> None:
    hops = route(config, "behind", password_env="SECRET")
    assert [hop.password_env for hop in hops] == [None, None, None, "SECRET"]


@pytest.mark.parametrize(
    ("host", "jump", "words"),
    [
        ("round", None, "in a circle"),
        ("piped", None, "write it as ProxyJump"),
        ("pi", "a b:c:d", r"not \[user@\]host\[:port\]"),
    ],
)
def test_what_cannot_be_followed_is_refused_in_words(config: Path, host: str, jump: str | None, words: str) -> None:
    with pytest.raises(DeviceRefused, match=words):
        route(config, host, jump=jump)


def test_a_config_that_is_not_there_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(DeviceRefused, match="missing cannot be read"):
        route(tmp_path / "missing", "pi")


def test_a_name_for_the_host_key_takes_the_place_of_the_address(config: Path) -> None:
    assert route(config, "named")[0].name == "board-9"
