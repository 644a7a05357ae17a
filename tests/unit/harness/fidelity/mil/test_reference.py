"""Whole programs, run on this host."""

import platform
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from harness.core.errors import ModelUnreadable, ReferenceUnable
from harness.fidelity.array import Array
from harness.fidelity.evaluation import Dataset
from harness.fidelity.mil.reference import Program, described, run_program
from harness.sources.mlpackage_file import open_package
from harness.toolkit import import_coremltools, quietly
from tests.support.mil import Var, builder, single, snr_db, write

mb = builder()
_RNG = np.random.default_rng(0)
_FIRST = _RNG.standard_normal((16, 3, 3, 3)).astype(np.float32) * 0.3
_SECOND = _RNG.standard_normal((16, 16, 3, 3)).astype(np.float32) * 0.1
_LAST = _RNG.standard_normal((10, 16)).astype(np.float32)
_IMAGES = _RNG.standard_normal((4, 1, 3, 12, 12)).astype(np.float32)


def _network(x: Var) -> Var:
    """Convolution, pooling, a residual block, mean, linear, softmax."""
    first = mb.relu(x=mb.conv(x=x, weight=_FIRST, pad_type="custom", pad=[1, 1, 1, 1]), name="first")
    pooled = mb.max_pool(x=first, kernel_sizes=[2, 2], strides=[2, 2], pad_type="valid")
    second = mb.conv(x=pooled, weight=_SECOND, pad_type="custom", pad=[1, 1, 1, 1])
    joined = mb.relu(x=mb.add(x=second, y=pooled))
    logits = mb.linear(x=mb.reduce_mean(x=joined, axes=[2, 3], keep_dims=False), weight=_LAST, name="logits")
    return mb.softmax(x=logits, axis=-1, name="probabilities")


def _convolve(x: Array, weight: Array) -> Array:
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = sliding_window_view(padded, (3, 3), (2, 3))  # type: ignore[call-overload]
    return np.asarray(np.einsum("nchwij,ocij->nohw", windows, weight.astype(np.float64)))


def _in_float64(image: Array) -> Array:
    """The same network by numpy."""
    half = image.shape[-1] // 2
    pooled = np.maximum(_convolve(image.astype(np.float64), _FIRST), 0).reshape(1, 16, half, 2, half, 2).max((3, 5))
    joined = np.maximum(_convolve(pooled, _SECOND) + pooled, 0)
    logits = joined.mean((2, 3)) @ _LAST.T.astype(np.float64)
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())


def _dataset(images: Array = _IMAGES) -> Dataset:
    return Dataset(inputs={"x": images}, labels=None, source="test")


def _write(path: Path, target: str, precision: str) -> Path:
    return write(path, {"x": (1, 3, 12, 12)}, _network, target, precision)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write(tmp_path_factory.mktemp("programs") / "m.mlpackage", "iOS18", "float32")


@pytest.mark.parametrize(("precision", "bar"), [("float32", 120), ("float16", 55)])
@pytest.mark.parametrize("target", ["iOS15", "iOS16", "iOS17", "iOS18", "iOS26"])
def test_a_network_of_any_target_gives_what_float64_gives(
    tmp_path: Path, target: str, precision: str, bar: float
) -> None:
    (output,) = run_program(_write(tmp_path / "m.mlpackage", target, precision), _dataset())
    wanted = np.stack([_in_float64(image) for image in _IMAGES])
    assert output.values is not None
    assert snr_db(wanted, output.values) >= bar


def test_two_runs_give_the_same_bits_on_any_number_of_threads(path: Path) -> None:
    image = {"x": _IMAGES[0]}
    once, again = (Program.load(path, threads=n).predict(image)["probabilities"] for n in (1, 2))
    assert np.array_equal(once, again)


def test_a_value_inside_is_answered_where_it_is_asked_for(path: Path) -> None:
    found = Program.load(path, observe=["first"]).predict({"x": _IMAGES[0]})["first"]
    assert snr_db(np.maximum(_convolve(_IMAGES[0].astype(np.float64), _FIRST), 0), found) >= 120


def test_a_value_inside_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(ReferenceUnable, match="no value nowhere"):
        Program.load(path, observe=["nowhere"])


def test_inputs_are_cast_to_the_declared_type(path: Path) -> None:
    program = Program.load(path)
    narrow, wide = (program.predict({"x": _IMAGES[0].astype(kind)}) for kind in (np.float32, np.float64))
    assert np.array_equal(narrow["probabilities"], wide["probabilities"])


def test_samples_of_another_shape_are_refused(path: Path) -> None:
    with pytest.raises(ModelUnreadable, match="its inputs have shapes"):
        run_program(path, _dataset(_IMAGES[:, :, :, :6]))


@pytest.fixture(scope="module")
def open_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    return write(folder / "m.mlpackage", {"x": (1, 3, None, None)}, _network, precision="float32")


def test_open_sizes_are_told(open_path: Path) -> None:
    assert Program.load(open_path).inputs[0].shape == (1, 3, -1, -1)


@pytest.mark.parametrize("size", [12, 8, 2])
def test_open_sizes_take_samples_of_any_size(open_path: Path, size: int) -> None:
    images = _IMAGES[..., :size, :size]
    (output,) = run_program(open_path, _dataset(images))
    assert snr_db(np.stack([_in_float64(image) for image in images]), np.asarray(output.values)) >= 120


def test_an_output_of_another_size_for_every_sample_has_nothing_to_compare(tmp_path: Path) -> None:
    path = write(tmp_path / "m.mlpackage", {"x": (4,)}, lambda x: mb.non_zero(x=x))
    (output,) = run_program(path, _dataset(single([[1, 0, 0, 0], [1, 1, 0, 0]])))
    assert (output.values, output.unlike) == (None, "has another size for every sample")


def test_a_classifier_gives_the_place_of_its_label_and_all_probabilities(tmp_path: Path) -> None:
    names = import_coremltools().ClassifierConfig(["ant", "bee", "cat"])
    path = write(tmp_path / "m.mlpackage", {"x": (1, 3)}, lambda x: mb.softmax(x=x), classifier_config=names)
    results = Program.load(path).predict({"x": np.log([[0.2, 0.3, 0.5]])})
    assert {name: np.round(values.astype(float), 3).tolist() for name, values in results.items()} == {
        "classLabel": 2,
        "classLabel_probs": [0.2, 0.3, 0.5],
    }


def test_a_function_is_run_by_its_name(tmp_path: Path) -> None:
    coremltools = import_coremltools()
    parts = [
        write(tmp_path / f"{n}.mlpackage", {"x": (2,)}, lambda x, n=n: mb.mul(x=x, y=np.float32(n))) for n in (2, 3)
    ]
    both = coremltools.utils.MultiFunctionDescriptor()
    for part, name in zip(parts, ("double", "triple"), strict=True):
        both.add_function(str(part), "main", name)
    both.default_function_name = "double"
    with quietly():
        coremltools.utils.save_multifunction(both, str(tmp_path / "both.mlpackage"))
    results = [
        Program.load(tmp_path / "both.mlpackage", function=name).predict({"x": np.ones(2)}) for name in (None, "triple")
    ]
    assert [next(iter(result.values())).tolist() for result in results] == [[2, 2], [3, 3]]


def test_an_image_is_fed_as_the_tensor_that_the_program_has(tmp_path: Path) -> None:
    path = write(tmp_path / "m.mlpackage", {"x": (1, 3, 4, 4)}, lambda x: mb.mul(x=x, y=np.float32(2)))
    spec = open_package(path).specification
    spec.description.input[0].type.imageType.width = 4
    spec.description.input[0].type.imageType.height = 4
    spec.description.input[0].type.imageType.colorSpace = 20
    (path / "Data/com.apple.CoreML/model.mlmodel").write_bytes(spec.SerializeToString())
    (result,) = Program.load(path).predict({"x": np.full((1, 3, 4, 4), 7, np.uint8)}).values()
    assert np.all(result == 14)


def test_who_answers_is_said_with_the_system_and_never_called_a_device() -> None:
    assert described() == f"reference ({platform.system()}): onnxruntime {onnxruntime.__version__}"
