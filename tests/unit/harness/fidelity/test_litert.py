"""Running a model on the host, and writing its first sample for devices."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.compiled_model import CompiledModel

from harness.core.errors import ModelUnreadable
from harness.core.model import TensorSpec
from harness.fidelity.array import Array
from harness.fidelity.evaluation import Dataset, seeded_dataset
from harness.fidelity.inputs import write_input_files
from harness.fidelity.litert import run_on_host
from harness.fidelity.output import Output
from harness.sources.tflite import read_model
from harness.sources.tflite_strings import pack_strings
from tests.support import models, unusual


def _dataset(**inputs: object) -> Dataset:
    return Dataset(inputs={n: np.asarray(v, np.float32) for n, v in inputs.items()}, labels=None, source="test")


def _values(output: Output) -> Array:
    assert output.values is not None
    return output.values


def test_every_sample_is_run(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(0, 1, (5, 1, 4)).astype(np.float32)
    (output,) = run_on_host(models.write_model(tmp_path, models.no_signature()), _dataset(x=values))
    assert (output.name, _values(output).dtype.name) == ("y", "float64")
    np.testing.assert_allclose(_values(output), np.tanh(values), atol=1e-5)


def test_inputs_go_where_their_names_say(tmp_path: Path) -> None:
    path = models.write_model(tmp_path, models.several_inputs())
    joined, bent = run_on_host(path, _dataset(a=[[[1] * 4]], b=[[[2] * 2]], c=[[[3] * 3]]))
    np.testing.assert_array_equal(_values(joined)[0, 0], [1, 1, 1, 1, 2, 2, 3, 3, 3])
    np.testing.assert_allclose(_values(bent)[0, 0], np.tanh([3] * 3), atol=1e-5)


def test_quantised_inputs_and_outputs_are_real_numbers_outside(tmp_path: Path) -> None:
    path = models.write_model(tmp_path, models.int8_io())
    # Steps of 0.5 from -65.5 to 62 at the input, of 0.25 from -31.75 to 32 at the output.
    (output,) = run_on_host(path, _dataset(x=[[[0.6, -1.0, 1000.0, -1000.0]]]))
    np.testing.assert_array_equal(_values(output), [[[0.5, -1.0, 32.0, -31.75]]])


def test_the_first_signature_is_run_over_whatever_graph_it_names(tmp_path: Path) -> None:
    (output,) = run_on_host(
        models.write_model(tmp_path, models.several_signatures()), _dataset(x=np.full((2, 1, 6), 0.5))
    )
    np.testing.assert_allclose(_values(output), np.full((2, 1, 6), np.tanh(0.5)), atol=1e-5)


def test_the_signature_that_is_asked_for_is_run_with_inputs_by_name(tmp_path: Path) -> None:
    path = models.write_model(tmp_path, unusual.two_signatures_two_graphs())
    dataset = _dataset(a=[[[1] * 4]], b=[[[2] * 2]], c=[[[3] * 3]])
    joined, bent = run_on_host(path, dataset, "decode")
    np.testing.assert_array_equal(_values(joined)[0, 0], [1, 1, 1, 1, 2, 2, 3, 3, 3])
    np.testing.assert_allclose(_values(bent)[0, 0], np.tanh([3] * 3), atol=1e-5)


def test_input_files_of_another_signature_are_in_the_order_in_which_litert_wants_them(tmp_path: Path) -> None:
    path = models.write_model(tmp_path, unusual.two_signatures_two_graphs())
    model = read_model(path, name="m", signature="decode")
    files = write_input_files(model.inputs, seeded_dataset(model.inputs, 1, 0), tmp_path)
    compiled = CompiledModel.from_file(str(path))
    place = list(compiled.get_signature_list()).index("decode")
    wanted = [compiled.get_input_buffer_requirements(i, place)["buffer_size"] for i in range(3)]
    assert [file.stat().st_size for file in files] == wanted == [8, 12, 16]
    assert compiled.get_signature_by_index(place)["inputs"] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("build", "key"),
    [(unusual.lstm, None), (unusual.resource_variable, None), (unusual.second_lstm, "remember")],
)
def test_samples_of_a_model_that_remembers_are_independent(
    build: Callable[[], bytes], key: str | None, tmp_path: Path
) -> None:
    path = models.write_model(tmp_path, build())
    (spec,) = read_model(path, name="m", signature=key).inputs
    (output,) = run_on_host(path, _dataset(x=np.full((3, *spec.shape), 0.5)), key)
    values = _values(output)
    assert values.any()
    np.testing.assert_array_equal(values[1:], np.stack([values[0]] * 2))


def test_a_loop_and_a_branch_are_run(tmp_path: Path) -> None:
    (doubled,) = run_on_host(models.write_model(tmp_path, unusual.counting_while()), _dataset(x=[[1], [60]]))
    np.testing.assert_array_equal(_values(doubled), [[127], [121]])
    flags = {"high": np.array([[True], [False]]), "x": np.full((2, 1, 4), 0.5, np.float32)}
    path = models.write_model(tmp_path, unusual.branch())
    (output,) = run_on_host(path, Dataset(inputs=flags, labels=None, source="test"))
    np.testing.assert_allclose(_values(output)[:, 0, 0], [np.tanh(0.5), 1.5], atol=1e-5)


def test_an_input_without_dimensions_is_fed(tmp_path: Path) -> None:
    (output,) = run_on_host(models.write_model(tmp_path, unusual.scalar_input()), _dataset(x=[0.5, 2]))
    np.testing.assert_array_equal(_values(output), [[0.5, 1.5, 2.5, 3.5], [2, 3, 4, 5]])


def _words(*samples: Sequence[bytes]) -> Dataset:
    return Dataset(inputs={"words": np.array(samples)}, labels=None, source="words")


def test_strings_are_fed(tmp_path: Path) -> None:
    path = models.write_model(tmp_path, unusual.hash_table())
    (found,) = run_on_host(path, _words((b"one", b"zero"), (b"", b"two")))
    np.testing.assert_array_equal(_values(found), [[1, 0], [-1, -1]])


def test_strings_that_come_out_have_no_values(tmp_path: Path) -> None:
    (turned,) = run_on_host(models.write_model(tmp_path, unusual.string_gather()), _words((b"a", b"b", b"c")))
    assert (turned.values, turned.unlike) == (None, "holds strings")


def test_an_output_that_the_values_size_is_known_as_such(tmp_path: Path) -> None:
    path = models.write_model(tmp_path, unusual.open_output())
    (ragged,) = run_on_host(path, _dataset(x=[[1, 0, 0, 1], [1, 1, 1, 1]]))
    assert (ragged.values, ragged.unlike) == (None, "has another size for every sample")
    (even,) = run_on_host(path, _dataset(x=[[1, 0, 0, 1], [0, 1, 1, 0]]))
    assert even.sized_by_values
    np.testing.assert_array_equal(_values(even), [[[0], [3]], [[1], [2]]])


def test_an_output_that_comes_out_empty_is_read(tmp_path: Path) -> None:
    path = models.write_model(tmp_path, unusual.open_output())
    (output,) = run_on_host(path, _dataset(x=[[0, 0, 0, 0]]))
    assert _values(output).shape == (1, 0, 1)


def test_strings_are_written_as_a_tensor_holds_them(tmp_path: Path) -> None:
    spec = TensorSpec(name="words", shape=(2,), dtype="string")
    (path,) = write_input_files((spec,), _words((b"ab", b"c"), (b"", b"")), tmp_path)
    assert path.read_bytes() == pack_strings((b"ab", b"c"))


def test_a_model_without_inputs_is_run_once(tmp_path: Path) -> None:
    (output,) = run_on_host(models.write_model(tmp_path, models.no_inputs()), _dataset())
    np.testing.assert_allclose(_values(output), np.tanh([[[0, 1, 2, 3]]]), atol=1e-5)


def test_hostile_names_run(tmp_path: Path) -> None:
    (output,) = run_on_host(models.write_model(tmp_path, models.hostile_names()), _dataset(x=[[[1, 2, 3, 4]]]))
    np.testing.assert_array_equal(_values(output), [[[1, 2, 3, 4]]])


def test_an_operator_that_the_runtime_lacks_is_a_typed_error(tmp_path: Path) -> None:
    path = models.write_model(tmp_path, models.custom_op("NoSuchOperator"))
    with pytest.raises(ModelUnreadable, match=r"LiteRT on this host cannot run it: .*NoSuchOperator"):
        run_on_host(path, _dataset(x=[[[1, 2, 3, 4]]]))


def test_data_of_another_shape_is_a_typed_error(tmp_path: Path) -> None:
    path = models.write_model(tmp_path, models.no_signature())
    with pytest.raises(ModelUnreadable, match="its inputs have shapes"):
        run_on_host(path, _dataset(x=np.zeros((2, 1, 5))))


def test_input_files_hold_the_first_sample_in_the_variants_dtypes(tmp_path: Path) -> None:
    spec = TensorSpec(name="x", shape=(1, 4), dtype="int8", scale=0.5, zero_point=3)
    dataset = _dataset(x=[[[0.0, 1.0, -2.0, 1e6]], [[9, 9, 9, 9]]])
    (path,) = write_input_files((spec,), dataset, tmp_path)
    np.testing.assert_array_equal(np.frombuffer(path.read_bytes(), np.int8), [3, 5, -1, 127])


def test_input_files_are_little_endian_and_in_the_variants_order(tmp_path: Path) -> None:
    specs = (TensorSpec(name="b", shape=(2,), dtype="int32"), TensorSpec(name="a", shape=(1,), dtype="float32"))
    first, second = write_input_files(specs, _dataset(a=[[0.5]], b=[[1, 2]]), tmp_path)
    assert first.read_bytes() == bytes([1, 0, 0, 0, 2, 0, 0, 0])
    assert np.frombuffer(second.read_bytes(), "<f4").tolist() == [0.5]


def test_variants_with_other_names_are_fed_by_position(tmp_path: Path) -> None:
    spec = TensorSpec(name="serving_default_x:0", shape=(1, 4), dtype="float32")
    (path,) = write_input_files((spec,), _dataset(x=[[[1, 2, 3, 4]]]), tmp_path)
    assert np.frombuffer(path.read_bytes(), np.float32).tolist() == [1, 2, 3, 4]


def test_the_same_inputs_share_a_file(tmp_path: Path) -> None:
    model = read_model(models.write_model(tmp_path, models.tiny_cnn()), name="m")
    dataset = seeded_dataset(model.inputs, 2, 0)
    first, again = (write_input_files(model.inputs, dataset, tmp_path / "inputs") for _ in range(2))
    assert first == again
    assert list((tmp_path / "inputs").iterdir()) == list(first)


def test_a_damaged_input_file_is_written_again(tmp_path: Path) -> None:
    spec = TensorSpec(name="x", shape=(1, 4), dtype="float32")
    (path,) = write_input_files((spec,), _dataset(x=[[[1, 2, 3, 4]]]), tmp_path)
    path.write_bytes(b"cut")
    write_input_files((spec,), _dataset(x=[[[1, 2, 3, 4]]]), tmp_path)
    assert np.frombuffer(path.read_bytes(), np.float32).tolist() == [1, 2, 3, 4]
