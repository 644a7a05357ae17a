"""How much of a graph delegates took, by the interpreter's list of operators."""

import pytest

from devices.agent.swallowed import delegation


def op(name: str, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> dict[str, object]:
    return {"op_name": name, "inputs": list(inputs), "outputs": list(outputs)}


CHAIN = [op("CONV_2D", (0, 9), (1,)), op("REVERSE_V2", (1,), (2,)), op("CONV_2D", (2, 8), (3,)), op("ADD", (3,), (4,))]


def told(
    delegate: str | None, *, full: bool | None, taken: int | None, total: int, partitions: int
) -> dict[str, object]:
    return {"delegate": delegate, "full": full, "taken": taken, "total": total, "partitions": partitions}


@pytest.mark.parametrize(
    ("delegates", "expected"),
    [
        ([], told(None, full=False, taken=0, total=4, partitions=0)),
        ([op("DELEGATE", (0, 9), (1,))], told("xnnpack", full=False, taken=1, total=4, partitions=1)),
        (
            [op("DELEGATE", (0, 9), (1,)), op("DELEGATE", (2, 8), (4,))],
            told("xnnpack", full=False, taken=3, total=4, partitions=2),
        ),
        ([op("DELEGATE", (0, 9, 8), (4,))], told("xnnpack", full=True, taken=4, total=4, partitions=1)),
    ],
    ids=["none", "one", "two", "all"],
)
def test_what_lies_between_a_delegate_s_tensors_was_taken(
    delegates: list[dict[str, object]], expected: dict[str, object]
) -> None:
    assert delegation([*CHAIN, *delegates], [4]) == expected


def test_a_graph_without_operators_was_not_taken() -> None:
    assert delegation([], []) == told(None, full=False, taken=0, total=0, partitions=0)


def test_what_writes_a_variable_inside_a_partition_was_taken() -> None:
    own = [
        op("CALL_ONCE", (), ()),
        op("VAR_HANDLE", (), (1,)),
        op("ADD", (0,), (2,)),
        op("ASSIGN_VARIABLE", (1, 2), ()),
    ]
    made = delegation([*own, op("DELEGATE", (0,), (2,))], [2])
    assert (made["full"], made["taken"]) == (None, None)  # nothing shows who made the handle
    own.append(op("READ_VARIABLE", (1,), (3,)))
    made = delegation([*own, op("DELEGATE", (0,), (2, 3))], [2, 3])
    assert (made["full"], made["taken"], made["total"]) == (False, 4, 5)


def test_an_operator_that_nobody_reads_leaves_the_count_open() -> None:
    made = delegation([op("TANH", (0,), (1,)), op("DELEGATE", (0,), ())], [])
    assert made == told("xnnpack", full=None, taken=None, total=1, partitions=1)
