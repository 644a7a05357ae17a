"""Names that the quantizer can work with, whatever the file came with."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sources import tflite_ops as ops
from harness.sources.tflite_file import parse
from harness.sources.tflite_writer import ModelWriter
from harness.variants.tflite.naming import ensure_names, signature_inputs
from tests.support import models


def chain(names: Sequence[str]) -> bytes:
    """Tensors of these names, one computed from the other; no signature."""
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input(names[0], (1, 2))
    for name in names[1:]:
        x = ops.unary(graph, "TANH", x, name=name)
    graph.output(x)
    return writer.pack()


@given(st.lists(st.sampled_from(["", "x", "x#2", "x#2#2", "tensor", "tensor#2"]), min_size=1, max_size=8))
@settings(deadline=None)
def test_every_tensor_gets_a_name_of_its_own_and_the_graph_a_signature(names: list[str]) -> None:
    file = parse(ensure_names(chain(names)))
    found = [tensor.name for tensor in file.graphs[0].tensors]
    assert all(found)
    assert len(set(found)) == len(names)
    assert [signature.key for signature in file.signatures] == ["serving_default"]


def test_a_model_that_has_names_is_left_alone() -> None:
    content = models.tiny_cnn()
    assert ensure_names(content) is content


def test_inputs_are_named_by_their_place_in_the_graph() -> None:
    """The signature lists c, a, b; the graph takes b, c, a."""
    assert signature_inputs(models.several_inputs()) == ("serving_default", {0: "b", 1: "c", 2: "a"})


def test_the_first_signature_is_the_one_that_counts() -> None:
    assert signature_inputs(models.several_signatures())[0] == "encode"
