"""Lists of tensors, against Python's."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from harness.core.target import Target
from harness.fidelity.mil.operators.lists import TRANSLATIONS
from tests.support.mil_cases import counted, whole
from tests.support.mil_oracle import Array, Case, Result, measure, misses, operators

pytestmark = pytest.mark.thorough

KINDS = {np.float16: "fp16", np.float32: "fp32", np.int32: "int32", np.bool_: "bool"}


def writes(kind: type[np.generic]) -> Iterator[Case]:
    """A fixed list of four, of which the last stays as it is made."""
    value = counted(2, 3).astype(kind)

    def build(mb: Any, value: Any, index: Any) -> Any:  # noqa: ANN401 (of coremltools)
        made = mb.make_list(init_length=4, dynamic_length=False, elem_shape=(2, 3), dtype=KINDS[kind])
        first = mb.list_write(ls=made, index=0, value=value)
        other = mb.list_write(ls=first, index=mb.squeeze(x=index, axes=[0]), value=value)
        return mb.list_gather(ls=other, indices=[0, 1, 2, 3]), mb.list_read(ls=other, index=2)

    def expect(value: Array, index: Array) -> list[Array]:
        kept = np.zeros((4, 2, 3), value.dtype)
        kept[0] = kept[index[0]] = value
        return [kept, kept[2]]

    yield Case(op="list_write", inputs={"value": value, "index": whole(2)}, build=build, expect=expect)
    yield Case(op="make_list", inputs={"value": value, "index": whole(1)}, build=build, expect=expect)


def scattered() -> Iterator[Case]:
    def build(mb: Any, value: Any, indices: Any) -> Any:  # noqa: ANN401 (of coremltools)
        made = mb.make_list(init_length=4, dynamic_length=False, elem_shape=(3,), dtype="fp32")
        filled = mb.list_scatter(ls=made, indices=indices, value=value)
        return mb.list_gather(ls=filled, indices=indices), mb.list_gather(ls=filled, indices=[3, 2, 1, 0])

    def expect(value: Array, indices: Array) -> list[Array]:
        kept = np.zeros((4, 3))
        kept[indices] = value
        return [value, kept[::-1]]

    inputs = {"value": counted(2, 3), "indices": whole(3, 1)}
    for op in ("list_scatter", "list_gather", "list_read"):
        yield Case(op=op, inputs=inputs, build=build, expect=expect)


def growing() -> Iterator[Case]:
    def build(mb: Any, value: Any) -> Any:  # noqa: ANN401 (of coremltools)
        made = mb.make_list(init_length=1, dynamic_length=True, elem_shape=(2,), dtype="fp32")
        written = mb.list_write(ls=made, index=3, value=value)
        return mb.expand_dims(x=mb.list_length(ls=written), axes=[0]), mb.list_gather(ls=written, indices=[0, 3])

    def expect(value: Array) -> list[Array]:
        return [np.array([4]), np.stack([np.zeros(2), value])]

    yield Case(op="list_length", inputs={"value": counted(2) + 1}, build=build, expect=expect)


def in_a_loop() -> Iterator[Case]:
    """Running sums of the rows of x, by a loop that writes each into a list."""

    def build(mb: Any, x: Any) -> Any:  # noqa: ANN401 (of coremltools)
        made = mb.make_list(init_length=4, dynamic_length=False, elem_shape=(3,), dtype="fp32")

        def going(i: Any, _total: Any, _ls: Any) -> Any:  # noqa: ANN401 (of coremltools)
            return mb.less(x=i, y=4)

        def body(i: Any, total: Any, ls: Any) -> Any:  # noqa: ANN401 (of coremltools)
            total = mb.add(x=total, y=mb.gather(x=x, indices=i, axis=0))
            return mb.add(x=i, y=1), total, mb.list_write(ls=ls, index=i, value=total)

        variables = (0, np.zeros(3, np.float32), made)
        *_, filled = mb.while_loop(_cond=going, _body=body, loop_vars=variables)
        return mb.list_gather(ls=filled, indices=[0, 1, 2, 3])

    yield Case(
        op="list_write", inputs={"x": counted(4, 3)}, build=build, expect=lambda x: np.cumsum(x, 0), target=Target.IOS17
    )


CASES = [*(each for kind in KINDS for each in writes(kind)), *scattered(), *growing(), *in_a_loop()]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_operation_is_what_a_list_of_arrays_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == set()
