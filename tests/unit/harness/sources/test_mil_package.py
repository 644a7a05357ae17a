"""Packages are the same bytes each time, and coremltools reads them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core import digest
from harness.sources.mil_package import write_package
from harness.toolkit import import_coremltools, quietly


def convolution(width: int) -> Any:  # noqa: ANN401 (coremltools has no types)
    """A model of one convolution, converted anew."""
    ct = import_coremltools()
    from coremltools.converters.mil.mil import Builder as mb

    @mb.program(input_specs=[mb.TensorSpec(shape=(1, 3, 8, 8))], opset_version=ct.target.iOS15)  # type: ignore[untyped-decorator]
    def program(image: Any) -> Any:  # noqa: ANN401 (coremltools has no types)
        return mb.conv(x=image, weight=np.ones((width, 3, 1, 1), np.float32), name="out")

    with quietly():
        return ct.convert(
            program, source="milinternal", convert_to="mlprogram", minimum_deployment_target=ct.target.iOS15
        )


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packages") / "wide.mlpackage"
    write_package(convolution(32), path)
    return path


def test_the_same_network_gives_the_same_bytes(package: Path, tmp_path: Path) -> None:
    write_package(convolution(32), tmp_path / "again.mlpackage")
    assert digest.of_path(tmp_path / "again.mlpackage") == digest.of_path(package)


def test_the_package_is_what_was_converted(package: Path) -> None:
    ct = import_coremltools()
    model = ct.models.MLModel(str(package), skip_model_load=True)
    written = (package / "Data/com.apple.CoreML/weights/weight.bin").read_bytes()
    assert written == (Path(convolution(32).weights_dir) / "weight.bin").read_bytes()
    assert [output.name for output in model.get_spec().description.output] == ["out"]


def test_the_toolkit_opens_a_package_without_a_change(package: Path) -> None:
    before = digest.of_path(package)
    import_coremltools().models.MLModel(str(package), skip_model_load=True)
    assert digest.of_path(package) == before


def test_the_day_of_conversion_is_left_out(package: Path) -> None:
    noted = import_coremltools().models.MLModel(str(package), skip_model_load=True).user_defined_metadata
    assert set(noted) == {"com.github.apple.coremltools.source", "com.github.apple.coremltools.version"}


def test_the_manifest_names_every_item_of_the_package(package: Path) -> None:
    manifest = json.loads((package / "Manifest.json").read_text())
    paths = {entry["path"] for entry in manifest["itemInfoEntries"].values()}
    assert all((package / "Data" / path).exists() for path in paths)
    assert manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["name"] == "model.mlmodel"
    assert len(paths) == 2


def test_reading_a_package_with_the_toolkit_leaves_its_bytes_as_they_are(package: Path) -> None:
    before = digest.of_path(package)
    import_coremltools().models.MLModel(str(package), skip_model_load=True)
    assert digest.of_path(package) == before


def test_a_package_that_is_there_is_not_written_over(package: Path) -> None:
    with pytest.raises(FileExistsError):
        write_package(convolution(32), package)
