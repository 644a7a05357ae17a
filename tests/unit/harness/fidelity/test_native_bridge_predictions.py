"""coremltools' own `MLModel` over the double: what it predicts, what it refuses and what it does not cost."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.fidelity.extremes import extremes_over_samples
from harness.toolkit import import_coremltools, quietly
from tests.support import mil

Array = NDArray[Any]
WEIGHTS = np.arange(12, dtype=np.float32).reshape(3, 4) / 8


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """y = x W^T for x of shape (2, 4), in float16 inside."""

    def body(x: Any) -> Any:  # noqa: ANN401 (coremltools has no types)
        from coremltools.converters.mil.mil import Builder

        return Builder.linear(x=x, weight=WEIGHTS, name="y")

    with quietly():
        return mil.write(tmp_path_factory.mktemp("bridge") / "linear.mlpackage", {"x": (2, 4)}, body)


@pytest.fixture(scope="module")
def model(package: Path) -> Any:  # noqa: ANN401 (coremltools has no types)
    return import_coremltools().models.MLModel(str(package))


def sample(factor: float = 1) -> Array:
    return factor * np.arange(8, dtype=np.float32).reshape(2, 4)


def test_a_model_predicts(model: Any) -> None:  # noqa: ANN401
    np.testing.assert_array_equal(model.predict({"x": sample()})["y"], sample() @ WEIGHTS.T)


@pytest.mark.parametrize("unit", ["CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE", "ALL"])
def test_compute_units_do_not_change_what_is_predicted(package: Path, unit: str) -> None:
    ct = import_coremltools()
    model = ct.models.MLModel(str(package), compute_units=ct.ComputeUnit[unit])
    np.testing.assert_array_equal(model.predict({"x": sample()})["y"], sample() @ WEIGHTS.T)


def test_a_list_of_samples_is_a_batch(model: Any) -> None:  # noqa: ANN401
    first, second = model.predict([{"x": sample()}, {"x": sample(2)}])
    np.testing.assert_array_equal(second["y"], 2 * first["y"])


def test_a_missing_feature_is_named(model: Any) -> None:  # noqa: ANN401
    with pytest.raises(RuntimeError, match="no values for input x"):
        model.predict({})


def test_outputs_in_float16_come_back_as_float32(package: Path) -> None:
    ct = import_coremltools()
    spec = ct.utils.load_spec(str(package))
    (function,) = spec.mlProgram.functions.values()
    (block,) = function.block_specializations.values()
    inside = block.operations[-1].inputs["x"].arguments[0].name  # what the cast to float32 reads
    block.outputs.append(inside)
    spec.description.output.add(name=inside).type.multiArrayType.dataType = 65552  # FLOAT16
    model = ct.models.MLModel(spec, weights_dir=str(package / "Data/com.apple.CoreML/weights"))
    assert model.predict({"x": sample()})[inside].dtype == np.float32


def unknown_operator(package: Path, path: Path) -> Any:  # noqa: ANN401
    """The program with a linear that nobody knows."""
    import shutil

    shutil.copytree(package, path)
    file = path / "Data/com.apple.CoreML/model.mlmodel"
    file.write_bytes(file.read_bytes().replace(b"linear\x12", b"nonsen\x12"))
    return import_coremltools().models.MLModel(str(path))


def test_operators_without_a_translation_are_named_at_prediction(package: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no translation of: nonsen"):
        unknown_operator(package, tmp_path / "unknown.mlpackage").predict({"x": sample()})


def test_a_model_that_changed_after_it_was_loaded_is_not_run(package: Path, tmp_path: Path) -> None:
    ct = import_coremltools()
    ct.models.MLModel(str(package)).save(str(tmp_path / "copy.mlpackage"))
    model = ct.models.MLModel(str(tmp_path / "copy.mlpackage"))
    (tmp_path / "copy.mlpackage/Data/com.apple.CoreML/model.mlmodel").write_bytes(b"another")
    with pytest.raises(RuntimeError, match="changed after it was loaded"):
        model.predict({"x": sample()})


def test_a_model_that_does_not_predict_reads_no_weights(package: Path) -> None:
    assert import_coremltools().models.MLModel(str(package)).__proxy__._program is None


def test_a_saved_model_is_the_same(model: Any, tmp_path: Path) -> None:  # noqa: ANN401
    model.save(str(tmp_path / "saved.mlpackage"))
    saved = import_coremltools().models.MLModel(str(tmp_path / "saved.mlpackage"))
    assert saved.get_spec() == model.get_spec()


@pytest.mark.parametrize("name", ["load_duration_in_nano_seconds", "last_predict_duration_in_nano_seconds"])
def test_durations_are_not_made_up(model: Any, name: str) -> None:  # noqa: ANN401
    with pytest.raises(RuntimeError, match="on a Mac"):
        getattr(model, name)


def test_extremes_are_those_of_all_samples(package: Path) -> None:
    with extremes_over_samples():
        model = import_coremltools().models.MLModel(str(package))
        found = model.predict({"x": np.stack([sample(), sample(-2), sample(0)])})["y"]
    highest = (sample() @ WEIGHTS.T).max()
    np.testing.assert_array_equal(found, [-2 * highest, highest])


def test_models_loaded_after_calibration_predict_as_before(package: Path) -> None:
    with extremes_over_samples():
        pass
    model = import_coremltools().models.MLModel(str(package))
    assert model.predict({"x": sample()})["y"].shape == (2, 3)


def test_a_state_lasts_from_prediction_to_prediction(tmp_path: Path) -> None:
    def body(x: Any, total: Any) -> Any:  # noqa: ANN401
        from coremltools.converters.mil.mil import Builder

        summed = Builder.add(x=Builder.read_state(input=total), y=Builder.cast(x=x, dtype="fp16"))
        return Builder.coreml_update_state(state=total, value=summed)

    with quietly():
        path = mil.write(tmp_path / "state.mlpackage", {"x": (2,)}, body, states={"total": (2,)})
    proxy = import_coremltools().models.MLModel(str(path)).__proxy__
    state = proxy.newState()
    for _ in range(3):
        proxy.predict({"x": np.ones(2, np.float32)}, state)
    assert state.read_state("total").tolist() == [3, 3]
