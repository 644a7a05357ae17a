"""Which operators have their activations quantised where chosen weights are."""

from collections.abc import Mapping, Sequence

import pytest

from harness.variants.coreml.activation_operators import Operator, chosen, joined


def operator(type: str, name: str, *inputs: str, weight: Sequence[str] = (), is_float: bool = True) -> Operator:
    read: Mapping[str, tuple[str, ...]] = {"x": inputs, "weight": tuple(weight)}
    return Operator(type=type, name=name, inputs=read, outputs=(name,), is_float=is_float, bytes=4)


STORED = tuple(operator("const", name) for name in ("w1", "w2", "w3"))
RESIDUAL = (
    *STORED,
    operator("max_pool", "begin", "x"),
    operator("conv", "one", "begin", weight=["w1"]),
    operator("relu", "one_relu", "one"),
    operator("conv", "two", "one_relu", weight=["w2"]),
    operator("add", "sum", "two", "one_relu"),
    operator("avg_pool", "pool", "sum"),
    operator("linear", "end", "pool", weight=["w3"]),
)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (("w1", "w2", "w3"), ["begin", "one", "two", "sum", "pool", "end"]),
        (("w1", "w2"), ["one", "two", "sum", "pool"]),
        (("w2", "w3"), ["two", "end"]),
        (("w3",), ["end"]),
        ((), []),
    ],
)
def test_additions_and_poolings_follow_the_operators_before_them(weights: Sequence[str], expected: list[str]) -> None:
    assert chosen(RESIDUAL, weights, ["end"]) == expected


def test_additions_of_integers_are_left_alone() -> None:
    added = operator("add", "index", "end", "end", is_float=False)
    assert "index" not in chosen((*RESIDUAL, added), ("w1", "w2", "w3"), ["index"])


def test_operators_around_an_output_that_is_read_inside_are_left_alone() -> None:
    assert chosen(RESIDUAL, ("w1", "w2", "w3"), ["end", "one_relu"]) == ["begin", "pool", "end"]


def test_weights_are_found_behind_what_reorders_them() -> None:
    turned = (operator("const", "w"), operator("transpose", "turned", "w"), operator("linear", "l", weight=["turned"]))
    assert chosen(turned, ["w"], ["l"]) == ["l"]


def test_weights_that_are_computed_are_nobodys_choice() -> None:
    computed = (operator("exp", "w", "x"), operator("conv", "c", "x", weight=["w"]))
    assert chosen((*RESIDUAL, *computed), ("w1", "w2", "w3"), ["c"])[-1] == "c"


def test_values_that_are_joined_in_a_chain_are_one_group() -> None:
    def concat(name: str, *values: str) -> Operator:
        return Operator(type="concat", name=name, inputs={"values": values}, outputs=(name,), is_float=True, bytes=4)

    chain = (
        *STORED,
        concat("c1", "a", "b"),
        concat("c2", "d", "w1"),
        concat("c3", "c1", "c2"),
        concat("out", "e", "f"),
    )
    assert joined(chain, ["out"]) == (("a", "b", "c1", "c2", "c3", "d"),)
