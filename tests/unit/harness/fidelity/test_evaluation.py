"""Evaluation data: what is taken, what is refused and in which words."""

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.errors import DataUnreadable
from harness.core.model import Model, TensorSpec
from harness.fidelity.evaluation import calibration_of, dataset_of, load_dataset, seeded_dataset
from harness.sources.tflite import read_model
from tests.support import models, unusual

Array = NDArray[Any]

IMAGE = TensorSpec(name="image", shape=(1, 2, 3), dtype="float32")
MASK = TensorSpec(name="mask", shape=(1, 4), dtype="int32")
QUANTIZED = TensorSpec(name="x", shape=(1, 4), dtype="int8", scale=0.5, zero_point=3)


def _npz(directory: Path, arrays: Mapping[str, Array], name: str = "data.npz") -> Path:
    path = directory / name
    np.savez(path, allow_pickle=False, **arrays)
    return path


def _reason(path: Path, *specs: TensorSpec) -> str:
    with pytest.raises(DataUnreadable) as caught:
        load_dataset(path, specs or (IMAGE,))
    assert caught.value.path == str(path)
    assert "\n" not in caught.value.reason
    return caught.value.reason


def _tiny(directory: Path, data: Path | None) -> Model:
    """Input image (1, 8, 8, 3), four classes."""
    path = models.write_model(directory, models.tiny_cnn())
    return replace(read_model(path, name="tiny"), data=data)


def test_arrays_labels_and_source_are_read(tmp_path: Path) -> None:
    images, labels = np.ones((5, 2, 3), np.float32), np.arange(5)
    dataset = load_dataset(_npz(tmp_path, {"image": images, "labels": labels}), (IMAGE,))
    assert (dataset.samples, dataset.source) == (5, "data.npz")
    assert dataset.inputs["image"].shape == (5, 1, 2, 3)
    np.testing.assert_array_equal(dataset.labels, labels)


def test_the_batch_dimension_may_be_written_out(tmp_path: Path) -> None:
    dataset = load_dataset(_npz(tmp_path, {"image": np.ones((5, 1, 2, 3))}), (IMAGE,))
    assert dataset.inputs["image"].shape == (5, 1, 2, 3)


def test_without_labels_there_are_none(tmp_path: Path) -> None:
    assert load_dataset(_npz(tmp_path, {"image": np.ones((5, 2, 3))}), (IMAGE,)).labels is None


def test_a_single_input_takes_an_array_of_any_name(tmp_path: Path) -> None:
    path = _npz(tmp_path, {"x_test": np.ones((5, 2, 3)), "labels": np.zeros(5, int)})
    assert list(load_dataset(path, (IMAGE,)).inputs) == ["image"]


def test_several_inputs_stand_in_the_models_order(tmp_path: Path) -> None:
    path = _npz(tmp_path, {"mask": np.ones((5, 4), int), "image": np.zeros((5, 2, 3))})
    dataset = load_dataset(path, (IMAGE, MASK))
    assert list(dataset.inputs) == ["image", "mask"]
    assert [values.shape for values in dataset.sample(0)] == [(1, 2, 3), (1, 4)]


def test_values_are_cast_to_the_inputs_dtype(tmp_path: Path) -> None:
    dataset = load_dataset(_npz(tmp_path, {"image": np.ones((5, 2, 3), np.uint8)}), (IMAGE,))
    assert dataset.inputs["image"].dtype == np.float32


def test_stored_values_of_a_quantised_input_become_real(tmp_path: Path) -> None:
    dataset = load_dataset(_npz(tmp_path, {"x": np.full((2, 4), 5, np.int8)}), (QUANTIZED,))
    np.testing.assert_array_equal(dataset.inputs["x"], np.full((2, 1, 4), 1.0, np.float32))


def test_real_values_of_a_quantised_input_stay(tmp_path: Path) -> None:
    dataset = load_dataset(_npz(tmp_path, {"x": np.full((2, 4), 5.0)}), (QUANTIZED,))
    np.testing.assert_array_equal(dataset.inputs["x"], np.full((2, 1, 4), 5.0, np.float32))


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"image": np.ones((5, 3, 2))}, "'image' has shape (5, 3, 2), and samples of (1, 2, 3) are needed"),
        ({"image": np.ones(5)}, "samples first"),
        ({"image": np.full((2, 2, 3), np.nan)}, "'image' sample 0 holds NaN"),
        ({"image": np.array([[[0.0] * 3] * 2, [[np.inf] * 3] * 2])}, "'image' sample 1 holds NaN, infinity"),
        ({"image": np.full((2, 2, 3), 1e300)}, "a value beyond float32"),
        ({"image": np.full((2, 2, 3), "a")}, "'image' holds <U1, which does not convert to float32"),
        ({"image": np.ones((0, 2, 3))}, "holds no samples"),
        ({"image": np.ones((5, 2, 3)), "labels": np.arange(4)}, "number of samples: 'image' 5, 'labels' 4"),
        ({"image": np.ones((5, 2, 3)), "labels": np.eye(5)}, "labels are float64 of shape (5, 5); class numbers"),
        ({"image": np.ones((5, 2, 3)), "labels": -np.arange(5)}, "class numbers from 0"),
        ({"image": np.ones((5, 2, 3)), "other": np.ones(5)}, "the arrays are 'image', 'other'; the model's inputs are"),
        ({"labels": np.arange(5)}, "the arrays are none; the model's inputs are 'image'"),
        ({"image": np.ones((5, 2, 3)), "calibration/image": np.ones((5, 9))}, "'calibration/image' has shape (5, 9)"),
    ],
)
def test_data_that_does_not_fit_is_refused(arrays: Mapping[str, Array], reason: str, tmp_path: Path) -> None:
    assert reason in _reason(_npz(tmp_path, arrays))


def test_numbers_beyond_an_integer_input_are_refused(tmp_path: Path) -> None:
    path = _npz(tmp_path, {"mask": np.full((1, 4), 1 << 40)})
    assert "a value beyond int32" in _reason(path, MASK)


def test_fractions_for_an_integer_input_are_refused(tmp_path: Path) -> None:
    path = _npz(tmp_path, {"mask": np.full((1, 4), 0.5)})
    assert "'mask' holds float64, which does not convert to int32" in _reason(path, MASK)


def test_inputs_of_different_length_are_refused(tmp_path: Path) -> None:
    path = _npz(tmp_path, {"image": np.ones((5, 2, 3)), "mask": np.ones((6, 4), int)})
    assert "'image' 5, 'mask' 6" in _reason(path, IMAGE, MASK)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert _reason(tmp_path / "absent.npz") == "no such file"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "not a file" in _reason(tmp_path)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, image=np.array([{"a": 1}], dtype=object))
    assert "not a readable .npz of plain arrays" in _reason(path)


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    with path.open("wb") as stream:
        np.save(stream, np.ones((5, 2, 3)))
    assert "holds a single array" in _reason(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not an .npz file; save one with numpy.savez"),
        (b"hello", "not an .npz file; save one with numpy.savez"),
        (b"PK\x03\x04" + bytes(50), "not a readable .npz of plain arrays"),
        (b"\x93NUMPY" + bytes(20), "not a readable .npz of plain arrays"),
    ],
)
def test_a_file_that_is_no_npz_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    assert words in _reason(path)


def test_an_array_that_claims_more_than_there_is_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 6), }".ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("image.npy", b"\x93NUMPY\x01\x00v\x00" + header)
    assert "not a readable .npz of plain arrays" in _reason(path)


def test_a_damaged_npz_is_read_or_refused_and_nothing_else(tmp_path: Path) -> None:
    path = _npz(tmp_path, {"image": np.ones((2, 2, 3), np.float32), "labels": np.arange(2)})
    content = path.read_bytes()
    refused = 0
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        try:
            load_dataset(path, (IMAGE,))
        except DataUnreadable:
            refused += 1
    assert refused > 100


def test_seeded_inputs_repeat_and_differ_by_seed() -> None:
    first, again, other = (seeded_dataset((IMAGE,), 3, seed).inputs["image"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("dtype", "lowest", "highest"),
    [("float32", -1, 1), ("float16", -1, 1), ("uint8", 0, 255), ("int8", -128, 127), ("int32", 0, 1), ("bool", 0, 1)],
)
def test_seeded_inputs_keep_to_what_a_dtype_means(dtype: str, lowest: int, highest: int) -> None:
    spec = TensorSpec(name="x", shape=(1, 500), dtype=dtype)
    values = seeded_dataset((spec,), 4, 0).inputs["x"]
    assert (values.shape, values.dtype) == ((4, 1, 500), np.dtype(dtype))
    assert lowest <= values.min() < values.max() <= highest


def test_seeded_inputs_of_a_quantised_input_cover_its_real_range() -> None:
    values = seeded_dataset((QUANTIZED,), 500, 0).inputs["x"]
    assert (values.min(), values.max()) == ((-128 - 3) * 0.5, (127 - 3) * 0.5)


def test_seeded_inputs_of_an_image_are_pixels_for_evaluation_and_calibration(tmp_path: Path) -> None:
    pixels = TensorSpec(name="image", shape=(1, 3, 8, 8), dtype="float32", image=True)
    model = replace(_tiny(tmp_path, None), inputs=(pixels,))
    for dataset in (dataset_of(model), calibration_of(model)):
        values = dataset.inputs["image"]
        assert values.dtype == np.float32
        assert 0 <= values.min() < 10 < 245 < values.max() <= 255
        np.testing.assert_array_equal(values, values.round())


def test_a_model_without_data_is_judged_on_seeded_inputs_and_says_so(tmp_path: Path) -> None:
    dataset = dataset_of(_tiny(tmp_path, None))
    assert (dataset.samples, dataset.labels, dataset.source) == (16, None, "random inputs (seed 0)")


def test_a_model_with_large_outputs_is_judged_on_fewer_inputs(tmp_path: Path) -> None:
    model = _tiny(tmp_path, None)
    large = TensorSpec(name="mask", shape=(1, 1024, 1024, 8), dtype="float32")
    assert dataset_of(replace(model, outputs=(large,))).samples == 4


def test_labels_beyond_the_models_classes_are_refused(tmp_path: Path) -> None:
    path = _npz(tmp_path, {"image": np.ones((2, 8, 8, 3)), "labels": np.array([1, 4])})
    with pytest.raises(DataUnreadable, match="labels go up to 4 and the model has 4 classes, counted from 0"):
        dataset_of(_tiny(tmp_path, path))


def test_calibration_samples_of_their_own_are_preferred(tmp_path: Path) -> None:
    arrays = {"image": np.zeros((3, 8, 8, 3)), "calibration/image": np.ones((7, 8, 8, 3))}
    calibration = calibration_of(_tiny(tmp_path, _npz(tmp_path, arrays)))
    assert (calibration.samples, calibration.source) == (7, "data.npz")
    assert calibration.inputs["image"].min() == 1


def test_calibration_on_evaluation_samples_says_so(tmp_path: Path) -> None:
    calibration = calibration_of(_tiny(tmp_path, _npz(tmp_path, {"image": np.zeros((3, 8, 8, 3))})))
    assert calibration.source == "data.npz, also used for evaluation"


def test_calibration_samples_are_spread_over_all_there_are(tmp_path: Path) -> None:
    images = np.broadcast_to(np.arange(1000.0)[:, None, None, None], (1000, 8, 8, 3))
    calibration = calibration_of(_tiny(tmp_path, _npz(tmp_path, {"image": images})), limit=100)
    chosen = calibration.inputs["image"][:, 0, 0, 0, 0]
    assert (len(chosen), chosen[0], chosen[-1]) == (100, 0, 999)


def test_calibration_without_data_uses_other_inputs_than_evaluation(tmp_path: Path) -> None:
    model = _tiny(tmp_path, None)
    calibration = calibration_of(model)
    assert (calibration.samples, calibration.source) == (8, "random inputs (seed 1)")
    assert (calibration.inputs["image"] != dataset_of(model).inputs["image"][:8]).any()


def _texts(tmp_path: Path, data: Path | None) -> Model:
    return read_model(models.write_model(tmp_path, unusual.string_gather()), name="m", data=data)


@pytest.mark.parametrize("words", [["ab", "\u00fc", ""], [b"ab", b"\xc3\xbc", b""]])
def test_strings_are_bytes_whether_given_as_text_or_bytes(words: list[object], tmp_path: Path) -> None:
    model = _texts(tmp_path, _npz(tmp_path, {"words": np.array([words])}))
    assert dataset_of(model).inputs["words"].tolist() == [[b"ab", b"\xc3\xbc", b""]]


def test_numbers_are_no_strings(tmp_path: Path) -> None:
    with pytest.raises(DataUnreadable, match="'words' holds float64, and strings are needed"):
        dataset_of(_texts(tmp_path, _npz(tmp_path, {"words": np.zeros((1, 3))})))


def test_strings_are_no_numbers(tmp_path: Path) -> None:
    with pytest.raises(DataUnreadable, match="'image' holds <U1, which does not convert to float32"):
        dataset_of(_tiny(tmp_path, _npz(tmp_path, {"image": np.full((1, 8, 8, 3), "1")})))


def test_objects_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "objects.npz"
    np.savez(path, words=np.array([["ab", b"", 3]], object), allow_pickle=True)
    with pytest.raises(DataUnreadable, match=r"not a readable \.npz of plain arrays: Object arrays"):
        dataset_of(_texts(tmp_path, path))


def test_text_that_is_no_unicode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataUnreadable, match="'words' holds text that is no Unicode"):
        dataset_of(_texts(tmp_path, _npz(tmp_path, {"words": np.array([["a", "b", "\ud800"]])})))


def test_made_up_strings_are_the_same_each_time_and_not_all_alike(tmp_path: Path) -> None:
    first, again = (dataset_of(_texts(tmp_path, None)).inputs["words"] for _ in range(2))
    assert first.dtype.kind == "S"
    assert (first == again).all()
    assert len(set(first.ravel().tolist())) > 2


def test_large_inputs_have_fewer_made_up_samples(tmp_path: Path) -> None:
    model = read_model(models.write_model(tmp_path, unusual.huge_im2col()), name="m")
    assert dataset_of(model).samples == 8
