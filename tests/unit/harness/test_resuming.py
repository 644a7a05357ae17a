"""What a resume begins with."""

import os

import pytest

from harness.core.campaign import Campaign
from harness.core.secrets import secret
from harness.resuming import config_begun_with

BOARD = "{name: board, kind: ssh, host: board, password_env: BOARD_PASSWORD}"


def test_a_password_is_inherited_by_nothing_that_a_resume_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOARD_PASSWORD", "open sesame")
    text = f"models: [digits]\ndevices: [{BOARD}]\n"
    config_begun_with(
        Campaign(id="c", name="c", started_at=0.0, ended_at=None, config=text, command="", seed=0, version="0")
    )
    assert "BOARD_PASSWORD" not in os.environ
    assert secret("BOARD_PASSWORD") == "open sesame"
