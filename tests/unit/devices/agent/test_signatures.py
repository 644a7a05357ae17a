"""The signatures of a .tflite file as the agent reads them."""

import random
from contextlib import suppress
from pathlib import Path

import pytest

from devices.agent import signatures
from devices.agent.litert import LiteRtError
from tests.support import models, unusual
from tests.support.models import write_model


def read(folder: Path, content: bytes) -> list[tuple[str | None, int, list[int]]]:
    found = signatures.read(str(write_model(folder, content)))
    return [(signature.key, signature.graph, signature.inputs) for signature in found]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (models.several_signatures(), [("encode", 1, [0]), ("decode", 0, [0])]),
        (models.several_inputs(), [("serving_default", 0, [0, 1, 2])]),
        (models.no_signature(), [(None, 0, [0])]),
        (models.no_inputs(), [("serving_default", 0, [])]),
    ],
    ids=["several", "inputs", "none", "no inputs"],
)
def test_signatures_are_in_the_file_s_order_with_their_graphs_inputs(
    tmp_path: Path, content: bytes, expected: list[tuple[str | None, int, list[int]]]
) -> None:
    assert read(tmp_path, content) == expected


def test_without_a_key_the_first_is_chosen(tmp_path: Path) -> None:
    model = str(write_model(tmp_path, models.several_signatures()))
    assert signatures.choose(model, None).key == "encode"
    assert signatures.choose(model, "decode").graph == 0


@pytest.mark.parametrize(
    ("content", "keys"),
    [(unusual.two_signatures_two_graphs(), "encode, decode"), (models.no_signature(), "none")],
)
def test_a_key_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path, content: bytes, keys: str) -> None:
    model = str(write_model(tmp_path, content))
    with pytest.raises(LiteRtError, match=f"no signature dream; it has {keys}"):
        signatures.choose(model, "dream")


def test_a_damaged_file_is_refused_and_nothing_worse(tmp_path: Path) -> None:
    chance, content = random.Random(0), bytearray(models.several_signatures())
    for _ in range(2000):
        damaged = bytearray(content)
        for _ in range(4):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        with suppress(LiteRtError):
            read(tmp_path, bytes(damaged[: chance.randrange(1, len(damaged))]))
