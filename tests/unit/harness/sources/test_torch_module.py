"""Torch modules as source models."""

import sys
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from harness.core.errors import ModelUnreadable
from harness.fidelity.mil.reference import Program
from harness.sources.torch_module import FORMATS, convert_torch
from harness.sources.torch_module_child import compare
from harness.sources.torch_module_program import TorchProgram, Unconvertible, load
from tests.support.mil_tflite import run_tflite

SHAPE = (1, 3, 8, 8)


class Small(nn.Module):
    """An image to scores, and to its features."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.classify = nn.Linear(4, 2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.classify(self.body(image).mean((2, 3)))


class Words(nn.Module):
    """Tokens to a vector for each, with how often each word may be wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(9, 4)

    def forward(self, tokens: torch.Tensor) -> Mapping[str, torch.Tensor]:
        found = self.table(tokens)
        return {"vectors": found, "lengths": found.square().sum(-1)}


class Lottery(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image + torch.rand_like(image)


class Ranks(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.erf(image).topk(2).values


def example(*shape: int) -> torch.Tensor:
    return torch.randn(shape or SHAPE, generator=torch.Generator().manual_seed(1))


def export(module: nn.Module, path: Path, *inputs: torch.Tensor, **options: Any) -> Path:  # noqa: ANN401 (torch's)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(module, inputs or (example(),), **options), path)
    return path


def script(module: nn.Module, path: Path, *inputs: torch.Tensor) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(module.eval(), inputs or (example(),)).save(str(path))
    return path


def small(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return Small().eval()


def read(path: Path, shapes: Mapping[str, tuple[int, ...]] | None = None) -> TorchProgram:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load(path, shapes)


def run(path: Path, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return Program.load(path).predict(inputs) if path.is_dir() else run_tflite(path.read_bytes(), inputs)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(small(), tmp_path_factory.mktemp("torch") / "small.pt2")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("format", FORMATS)
def test_an_exported_module_is_converted_to_what_it_computes(format: str, exported: Path, cache: Path) -> None:
    found = run(convert_torch(exported, format, cache), {"image": example().numpy()})
    np.testing.assert_allclose(found["output"], small()(example()).detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize("format", FORMATS)
def test_a_converted_module_is_only_read_the_second_time(format: str, exported: Path, cache: Path) -> None:
    first = convert_torch(exported, format, cache)
    assert convert_torch(exported, format, cache, timeout_s=0.0) == first


@pytest.mark.thorough
def test_torchscript_is_converted_with_the_names_that_are_given(tmp_path: Path) -> None:
    path = script(small(), tmp_path / "small.pth")
    found = run(
        convert_torch(path, "tflite", tmp_path, input_shapes={"picture": SHAPE}), {"picture": example().numpy()}
    )
    np.testing.assert_allclose(found["output"], small()(example()).detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.thorough
def test_paths_from_where_the_bench_was_started_are_understood(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here.pt2").write_bytes(exported.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert convert_torch(Path("here.pt2"), "mlpackage", Path("cache")).is_dir()


@pytest.mark.thorough
def test_integers_in_and_named_outputs_are_kept(tmp_path: Path) -> None:
    module, tokens = Words().eval(), torch.tensor([[1, 2, 8]])
    path = convert_torch(export(module, tmp_path / "words.pt2", tokens), "tflite", tmp_path)
    found = run(path, {"tokens": tokens.numpy().astype(np.int32)})
    np.testing.assert_allclose(found["lengths"], module(tokens)["lengths"].detach(), rtol=1e-5)


def test_a_module_that_draws_random_numbers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unconvertible, match="gives something else each time"):
        read(export(Lottery(), tmp_path / "lottery.pt2"))


@pytest.mark.parametrize("wrong", [1.2, np.nan])
def test_a_conversion_that_is_not_what_torch_does_is_refused(wrong: float, exported: Path) -> None:
    program = read(exported)
    with pytest.raises(Unconvertible, match=r"output agrees to 14 dB|output that is not finite"):
        compare(program, {"output": program.results["output"] * wrong})


@pytest.mark.thorough
def test_a_branch_on_the_values_of_its_input_is_kept(tmp_path: Path) -> None:
    class Branches(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            if bool(image.sum() > 0):
                return image + 1
            return -image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Branches()).save(str(tmp_path / "branches.pt"))
    path = convert_torch(tmp_path / "branches.pt", "mlpackage", tmp_path, input_shapes={"image": (2,)})
    for image in (np.ones(2, np.float32), -np.ones(2, np.float32)):
        found = run(path, {"image": image})["output"]
        np.testing.assert_array_equal(found, [2, 2] if image.sum() > 0 else [1, 1])


@pytest.mark.thorough
def test_operators_without_a_tflite_are_named(tmp_path: Path) -> None:
    path = export(Ranks(), tmp_path / "ranks.pt2")
    with pytest.raises(
        ModelUnreadable, match=r"has no \.tflite: no operator .* for erf, topk; an \.mlpackage may work"
    ):
        convert_torch(path, "tflite", tmp_path)


def test_a_conversion_has_a_deadline_and_leaves_nothing(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnreadable, match=r"was not converted in 0\.1 s"):
        convert_torch(exported, "mlpackage", tmp_path, timeout_s=0.1)
    assert list((tmp_path / "torch").iterdir()) == []


def test_without_torch_the_error_says_how_to_install_it(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelUnreadable, match=r"pip install 'weighbridge\[torch\]'"):
        convert_torch(exported, "tflite", tmp_path)


def test_torchscript_without_shapes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnreadable, match="give input_shapes"):
        convert_torch(script(small(), tmp_path / "small.pt"), "tflite", tmp_path)


def test_another_format_is_refused(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnreadable, match="becomes tflite or mlpackage, not onnx"):
        convert_torch(exported, "onnx", tmp_path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnreadable, match="cannot be read: No such file"):
        convert_torch(tmp_path / "none.pt2", "tflite", tmp_path)


@pytest.mark.parametrize("ending", ["pt", "pth"])
def test_weights_alone_are_refused(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights.{ending}"
    torch.save(small().state_dict(), path)
    with pytest.raises(Unconvertible, match=r"holds weights alone .* torch\.export\.save"):
        read(path, {"image": SHAPE})


def test_a_pickled_module_is_refused_and_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "whole.pt"
    torch.save(small(), path)
    with pytest.raises(Unconvertible, match="is a pickled Python object, and loading it would run its code"):
        read(path, {"image": SHAPE})


@pytest.mark.parametrize("name", ["noise.pt", "noise.pt2"])
def test_other_files_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"noise" * 99)
    with pytest.raises(Unconvertible, match=r"is no file of torch\.export\.save or torch\.jit\.save"):
        read(tmp_path / name, {"image": SHAPE})


def test_an_exported_module_under_the_other_name_is_told_its_name(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "small.pt"
    path.write_bytes(exported.read_bytes())
    with pytest.raises(Unconvertible, match=r"is a file of torch\.export\.save; name it \.pt2"):
        read(path, {"image": SHAPE})


def test_torchscript_under_the_other_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unconvertible, match=r"is no file of torch\.export\.save"):
        read(script(small(), tmp_path / "small.pt2"))


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "damaged.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("damaged/archive_format", "pt2")
        archive.writestr("damaged/models/model.json", "{")
    with pytest.raises(Unconvertible, match="torch cannot load it"):
        read(path)


def test_too_few_shapes_are_refused_with_the_names_that_forward_has(tmp_path: Path) -> None:
    path = script(small(), tmp_path / "small.pt")
    with pytest.raises(Unconvertible, match="2 given and forward takes 1 inputs: image"):
        read(path, {"a": SHAPE, "b": SHAPE})


def test_a_shape_that_torch_refuses_is_told(tmp_path: Path) -> None:
    path = script(small(), tmp_path / "small.pt")
    with pytest.raises(Unconvertible, match=r"torch does not run it with image \[1, 4, 8, 8\]: .*channels"):
        read(path, {"image": (1, 4, 8, 8)})


def test_shapes_of_inputs_that_are_not_there_are_refused(exported: Path) -> None:
    with pytest.raises(Unconvertible, match="no input picture; its inputs: image"):
        read(exported, {"picture": SHAPE})


def test_another_shape_than_the_exported_one_is_refused(exported: Path) -> None:
    with pytest.raises(
        Unconvertible, match=r"exported for image \[1, 3, 8, 8\], and does not run with image \[1, 3, 9, 8\]"
    ):
        read(exported, {"image": (1, 3, 9, 8)})


def test_sizes_that_were_left_open_are_fixed(tmp_path: Path) -> None:
    size = torch.export.Dim("size", min=4, max=32)
    path = export(small(), tmp_path / "open.pt2", dynamic_shapes={"image": {2: size, 3: size}})
    assert read(path, {"image": (1, 3, 16, 16)}).inputs["image"].shape == (1, 3, 16, 16)


def test_the_examples_of_an_exported_module_fix_what_it_leaves_open(tmp_path: Path) -> None:
    path = export(small(), tmp_path / "open.pt2", dynamic_shapes={"image": {2: torch.export.Dim("rows", min=4)}})
    assert read(path).inputs["image"].shape == SHAPE


def test_a_module_exported_while_training_is_refused(tmp_path: Path) -> None:
    path = export(nn.Sequential(nn.Conv2d(3, 2, 1), nn.Dropout(0.5)).train(), tmp_path / "training.pt2")
    with pytest.raises(Unconvertible, match=r"exported while training \(dropout\): call module\.eval\(\)"):
        read(path)


def test_float64_is_refused(tmp_path: Path) -> None:
    path = export(small().double(), tmp_path / "double.pt2", example().double())
    with pytest.raises(Unconvertible, match=r"input image is float64; .*module\.float\(\)"):
        read(path)


def test_several_outputs_have_names_in_order(tmp_path: Path) -> None:
    class Both(nn.Module):
        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return image.relu(), image.tanh()

    program = read(export(Both(), tmp_path / "both.pt2"))
    assert list(program.results) == ["output_0", "output_1"]
