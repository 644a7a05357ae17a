"""The language of the agent: what is accepted, and what is refused in words."""

import json
import os
from typing import Any

import pytest

from devices.agent import protocol
from devices.agent.protocol import ProtocolError


def an_order(**changes: object) -> dict[str, Any]:
    settings = {
        "launches": 1,
        "inferences": 5,
        "max_launch_s": 1,
        "warmup_inferences": 3,
        "warmup_s": 0.1,
        "warmup_max_s": 1.0,
        "cold_starts": 0,
    }
    order: dict[str, Any] = {
        "attempt": "a1",
        "variant": "/m.tflite",
        "variant_digest": "d",
        "pass": "latency",
        "unit": {"kind": "cpu", "backend": None, "threads": 1, "cluster": None},
        "settings": settings,
        "deadline_s": 5.0,
        "inputs": [],
        "seed": 0,
        "signature": None,
        "api": None,
        "runtime": None,
        "dispatch": None,
        "weight_cache": "off",
        "delegate": None,
    }
    return {**order, **changes}


def test_an_order_of_the_right_form_is_accepted() -> None:
    assert protocol.check_order(an_order()) == an_order()


@pytest.mark.parametrize(
    ("order", "named"),
    [
        (an_order(surprise=1), "surprise"),
        ({"attempt": "a1"}, "variant"),
        (an_order(seed="0"), "seed"),
        (an_order(seed=True), "seed"),
        (an_order(deadline_s=None), "deadline_s"),
        (an_order(unit={"kind": "cpu", "backend": None, "threads": 1, "cluster": None, "cores": 2}), "cores"),
        (an_order(settings={}), "inferences"),
        (an_order(**{"pass": "both"}), "both"),
        (an_order(api="metal"), "metal"),
        (an_order(weight_cache="warm"), "warm"),
        (an_order(signature=1), "signature"),
        (an_order(delegate={"library": "libedgetpu.so.1"}), "options"),
        ([], "object"),
    ],
)
def test_an_order_that_is_wrong_is_refused_by_the_name_of_what_is_wrong(order: object, named: str) -> None:
    with pytest.raises(ProtocolError, match=named):
        protocol.check_order(order)


LITERT = {"name": "LiteRT", "version": "2.3.0", "package": "/p", "library": "/p/l.so"}


def a_task(**changes: object) -> dict[str, Any]:
    task = {
        "v": protocol.VERSION,
        "id": "1",
        "order": an_order(),
        "runtime": LITERT,
        "path": [],
        "caches": None,
        "cores": None,
        "proof": None,
    }
    return {**task, **changes}


def test_what_a_launch_is_handed_is_taken_without_its_version() -> None:
    assert protocol.check_task(a_task()) == {key: value for key, value in a_task().items() if key != "v"}


@pytest.mark.parametrize(
    ("task", "named"),
    [
        (a_task(mood="good"), "mood"),
        ({key: value for key, value in a_task().items() if key != "caches"}, "caches"),
        (a_task(order=an_order(seed="0")), "seed"),
        (a_task(runtime={**LITERT, "colour": "green"}), "colour"),
    ],
)
def test_what_a_launch_is_handed_wrongly_is_refused_by_name(task: dict[str, object], named: str) -> None:
    with pytest.raises(ProtocolError, match=named):
        protocol.check_task(task)


@pytest.mark.parametrize("line", [b"", b"hello", b"[1]", b"\xff\xfe", b"[" * 100_000, b'{"v": 3, "x": NaN}'])
def test_what_is_no_json_object_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError, match="not a JSON"):
        protocol.parse(line)


@pytest.mark.parametrize("version", [0, 2, 4, "2", None])
def test_another_version_is_refused(version: object) -> None:
    with pytest.raises(ProtocolError, match="this end speaks 3"):
        protocol.parse(json.dumps({"v": version, "say": "done"}).encode())


def test_a_saying_nobody_knows_is_refused() -> None:
    with pytest.raises(ProtocolError, match="'boast'"):
        protocol.check_said({"v": protocol.VERSION, "id": "1", "say": "boast"}, protocol.LAUNCH_SAYS)


def test_a_saying_with_an_unknown_key_is_refused() -> None:
    with pytest.raises(ProtocolError, match="mood"):
        protocol.check_said({"v": protocol.VERSION, "id": "1", "say": "done", "mood": "good"}, protocol.LAUNCH_SAYS)


def test_a_writer_puts_one_message_on_one_line() -> None:
    reading, writing = os.pipe()
    protocol.Writer(writing).say("error", id="7", error="two\nlines </script> ü")
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        (line,) = stream.read().splitlines()
    assert json.loads(line) == {"v": protocol.VERSION, "say": "error", "id": "7", "error": "two\nlines </script> ü"}


def test_a_writer_refuses_what_json_has_no_word_for() -> None:
    with pytest.raises(ValueError, match="JSON"):
        protocol.Writer(-1).say("samples", wall_ns=[float("nan")])
