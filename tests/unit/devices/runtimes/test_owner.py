"""Who has a device, in words."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from devices.agent.lease import check_owner
from devices.runtimes.owner import Owner, duration, holder_in_words, owner_of, taken_over_in_words
from harness.core.errors import DeviceError

OWNER = {"host": "tower", "user": "bench", "pid": 123, "purpose": "campaign X", "since": 1.0}


def test_a_holder_is_told_with_ages_and_what_to_do() -> None:
    busy = {"owner": OWNER, "held_s": 725.0, "heard_s": 2.4, "error": ""}
    assert holder_in_words(busy) == (
        "bench@tower (campaign X, pid 123) has measured on it for 12 min, last heard from 2 s ago; "
        "wait for it to end, or end it there"
    )


def test_a_holder_that_nobody_knows_is_told_as_that() -> None:
    busy = {"owner": None, "held_s": None, "heard_s": None, "error": "something holds its lock"}
    assert holder_in_words(busy).startswith("it is taken: something holds its lock; try again")


def test_a_broken_lease_names_whose_it_was() -> None:
    told = {"owner": OWNER, "held_s": 9000.0, "heard_s": 300.0, "why": "stale"}
    assert taken_over_in_words(told) == (
        "its lease was broken: bench@tower (campaign X, pid 123) was not heard for 5 min, "
        "and its agent did not end by itself"
    )


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (119.0, "119 s"), (120.0, "2 min"), (7300.0, "2 h")])
def test_ages_are_as_long_as_they_are_worth(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_this_process_is_an_owner_that_an_agent_takes_and_its_token_is_not_shown() -> None:
    owner = Owner.here("doctor", "pi5")
    told = check_owner(json.loads(owner.text))
    assert (told["pid"], told["purpose"]) == (os.getpid(), "doctor")
    assert owner.token not in repr(owner)


def test_processes_of_a_host_have_one_token_for_a_device_and_another_for_the_next() -> None:
    assert Owner.here("doctor", "pi5").token == Owner.here("campaign", "pi5").token
    assert Owner.here("doctor", "pi5").token != Owner.here("doctor", "rock5").token


def test_another_user_has_another_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Owner.here("doctor", "pi5").token
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    assert Owner.here("doctor", "pi5").token != mine


def test_the_secret_behind_tokens_is_its_owners_alone(tmp_path: Path) -> None:
    Owner.here("doctor", "pi5")
    (secret,) = (path for path in tmp_path.rglob("secret"))
    assert secret.stat().st_mode & 0o077 == 0


def test_those_who_come_at_once_are_one_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    together = Barrier(8)

    def come(_: int) -> str:
        together.wait(10)
        return Owner.here("doctor", "pi5").token

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(come, range(8)))) == 1
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["secret"]


def test_a_secret_that_cannot_be_kept_is_an_error_of_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(DeviceError, match=r"^pi5: .*; set XDG_CACHE_HOME"):
        owner_of("pi5", "serial 1")
