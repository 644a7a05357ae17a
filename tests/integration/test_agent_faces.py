"""Unusual models through both faces of LiteRT: which one runs them, in whose words the other refuses, what is told."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from devices.device import AttachedDevice
from devices.inventory import LocalAgent, local_device
from devices.runtimes.agent_launch import Route
from harness.core.launch import Api, Delegation, FailureKind, LaunchFailure, LaunchRecord, Pass
from harness.sources.tflite import read_graph
from tests.support import models, unusual
from tests.support.models import write_model

from .agent_bench import an_order, measured

COMPILED, INTERPRETER = Api.COMPILED_MODEL, Api.INTERPRETER
STRINGS = "input 0 holds strings, which LiteRT cannot be fed here"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agents")


def a_device(folder: Path, api: Api | None) -> AttachedDevice:
    leases = folder / str(api)
    return local_device(agent=LocalAgent(agents=folder, leases=leases), route=Route(api=api))


@pytest.fixture(scope="module")
def device(folder: Path) -> Iterator[AttachedDevice]:
    with a_device(folder, None) as entered:
        yield entered


@pytest.fixture(scope="module")
def compiled(folder: Path) -> Iterator[AttachedDevice]:
    with a_device(folder, COMPILED) as entered:
        yield entered


@pytest.fixture(scope="module")
def interpreted(folder: Path) -> Iterator[AttachedDevice]:
    with a_device(folder, INTERPRETER) as entered:
        yield entered


BOTH_RUN = {
    "while": unusual.counting_while(),
    "if": unusual.branch(),
    "resource variable": unusual.resource_variable(),
    "two signatures": unusual.two_signatures_one_graph(),
    "two graphs": unusual.two_signatures_two_graphs(),
    "dynamic batch": unusual.dynamic_batch(),
    "scalar": unusual.scalar_input(),
    "zero size": unusual.zero_size(),
    "no inputs": models.no_inputs(),
    "no outputs": models.no_outputs(),
}
INTERPRETER_RUNS = {
    "lstm": (unusual.lstm(), "Variable tensors not yet supported"),
    "open output": (unusual.open_output(), "Failed to set custom allocation for output tensor"),
    "hash table": (unusual.hash_table(), STRINGS),
    "strings": (unusual.string_equality(), STRINGS),
    "zero size input": (unusual.zero_size_input(), "input 0 has the shape [0, 4]"),
}
NEITHER_RUNS = {
    "huge im2col": (unusual.huge_im2col(), FailureKind.ERROR, "failed to reshape runtime"),
    "wrong version": (unusual.wrong_version(), FailureKind.ERROR, "schema version 2 not equal"),
    "custom op": (models.custom_op(), FailureKind.ERROR, "unresolved custom op: NoSuchOperator"),
    "open shape": (models.open_shape(), FailureKind.ERROR, "input 0 has the shape [0, 4]: fix it when converting"),
    "no graph": (models.no_graph(), FailureKind.ERROR, "no main graph; interpreter: No subgraph in the model."),
    "aborting": (unusual.aborting(), FailureKind.CRASH, "signal 6 (exit code 134)"),
    "recursion": (models.crashing(), FailureKind.CRASH, "signal 11 (exit code 139)"),
}


@pytest.mark.parametrize("content", BOTH_RUN.values(), ids=BOTH_RUN)
def test_what_both_faces_run_goes_through_the_compiled_model(
    device: AttachedDevice, interpreted: AttachedDevice, tmp_path: Path, content: bytes
) -> None:
    order = an_order(write_model(tmp_path, content))
    record = measured(device.launch(order))
    assert (record.api, record.fallback) == (COMPILED, None)
    assert measured(interpreted.launch(order)).api is INTERPRETER


@pytest.mark.parametrize(("content", "refusal"), INTERPRETER_RUNS.values(), ids=INTERPRETER_RUNS)
def test_what_the_compiled_model_refuses_is_measured_with_its_words(
    device: AttachedDevice, compiled: AttachedDevice, tmp_path: Path, content: bytes, refusal: str
) -> None:
    order = an_order(write_model(tmp_path, content))
    record = measured(device.launch(order))
    refused = compiled.launch(order)
    assert isinstance(refused, LaunchFailure)
    assert record.api is INTERPRETER
    assert record.fallback == refused.message
    assert refusal in refused.message


@pytest.mark.parametrize(("content", "kind", "words"), NEITHER_RUNS.values(), ids=NEITHER_RUNS)
def test_what_neither_runs_fails_in_one_line(
    device: AttachedDevice, tmp_path: Path, content: bytes, kind: FailureKind, words: str
) -> None:
    outcome = device.launch(an_order(write_model(tmp_path, content)))
    assert isinstance(outcome, LaunchFailure)
    assert outcome.kind is kind
    assert words in outcome.message
    assert len(outcome.message.splitlines()) == 1


@pytest.mark.parametrize("pass_", [Pass.OPS, Pass.MEMORY, Pass.COLD])
def test_every_pass_of_a_model_goes_the_same_way(device: AttachedDevice, tmp_path: Path, pass_: Pass) -> None:
    lstm = write_model(tmp_path, unusual.lstm())
    order = an_order(lstm, pass_=pass_, graph=read_graph(lstm))
    record = measured(device.launch(order))
    assert (record.api, record.fallback is not None) == (INTERPRETER, True)
    assert (record.memory is not None) == (pass_ is Pass.MEMORY)
    reason = "per-op unavailable: the Interpreter API has no profiler; benchmark_model would do: docs/boards.md"
    assert record.ops_unavailable == (reason if pass_ is Pass.OPS else None)


@pytest.mark.parametrize("which", ["compiled", "interpreted"])
@pytest.mark.parametrize(
    ("content", "signature", "graph_type"),
    [
        (models.several_signatures(), None, "TANH"),
        (models.several_signatures(), "decode", "TANH"),
        (unusual.two_signatures_two_graphs(), "encode", "TANH"),
        (unusual.two_signatures_two_graphs(), "decode", "CONCATENATION"),
        (unusual.two_signatures_one_graph(), "turned", "TANH"),
    ],
)
def test_the_signature_that_is_asked_for_is_run(
    request: pytest.FixtureRequest, tmp_path: Path, content: bytes, signature: str | None, graph_type: str, which: str
) -> None:
    model = write_model(tmp_path, content)
    device: AttachedDevice = request.getfixturevalue(which)
    graph = read_graph(model, signature)
    record = measured(device.launch(an_order(model, pass_=Pass.OPS, graph=graph, signature=signature)))
    assert graph.nodes[0].type == graph_type
    if which == "compiled":
        assert record.ops is not None
        assert [op.type for op in record.ops.ops if op.kernels] == [node.type for node in graph.nodes]
        assert not record.ops.approximate


def test_an_input_is_that_of_the_signature(
    compiled: AttachedDevice, interpreted: AttachedDevice, tmp_path: Path
) -> None:
    model = write_model(tmp_path, models.several_signatures())
    (tmp_path / "four").write_bytes(bytes(16))
    for device in (compiled, interpreted):
        launch = partial(an_order, model, inputs=(tmp_path / "four",))
        measured(device.launch(launch(signature="decode")))
        assert "input 0 takes 24" in words_of(device.launch(launch(signature="encode")))


def test_a_signature_that_is_not_there_is_refused_once(device: AttachedDevice, tmp_path: Path) -> None:
    model = write_model(tmp_path, models.several_signatures())
    refused = words_of(device.launch(an_order(model, signature="dream")))
    assert refused == "the model has no signature dream; it has encode, decode"


@pytest.mark.parametrize(
    "content",
    [models.tiny_cnn(), models.partitioned(), models.int8_io(), models.many_ops(20), unusual.counting_while()],
    ids=["whole", "partitions", "int8", "chain", "while"],
)
def test_both_faces_tell_the_same_of_the_delegate(
    compiled: AttachedDevice, interpreted: AttachedDevice, tmp_path: Path, content: bytes
) -> None:
    model = write_model(tmp_path, content)
    by_events = measured(compiled.launch(an_order(model, pass_=Pass.OPS, graph=read_graph(model)))).delegation
    assert by_events is not None
    assert by_events == measured(interpreted.launch(an_order(model))).delegation


def test_an_unprofiled_launch_of_the_compiled_model_tells_no_counts(compiled: AttachedDevice, tmp_path: Path) -> None:
    record = measured(compiled.launch(an_order(write_model(tmp_path, models.partitioned()))))
    assert record.delegation == Delegation(delegate=None, full=False)


def test_the_interpreter_s_counts_show_the_backend(interpreted: AttachedDevice, tmp_path: Path) -> None:
    record = measured(interpreted.launch(an_order(write_model(tmp_path, models.partitioned()))))
    assert record.backend == "xnnpack+builtin"


def words_of(outcome: LaunchRecord | LaunchFailure) -> str:
    assert isinstance(outcome, LaunchFailure), outcome
    return outcome.message
