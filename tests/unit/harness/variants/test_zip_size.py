"""Sizes of artefacts as they are downloaded."""

import os
from pathlib import Path

import numpy as np

from harness.variants.zip_size import zip_size


def a_file(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_zip_of_repetition_is_small_and_of_noise_is_not(tmp_path: Path) -> None:
    assert zip_size(a_file(tmp_path / "zeros.tflite", bytes(10_000))) < 300
    assert 10_000 < zip_size(a_file(tmp_path / "noise.tflite", np.random.default_rng(0).bytes(10_000))) < 10_300


def test_all_files_of_a_folder_count(tmp_path: Path) -> None:
    folder = tmp_path / "model.mlpackage"
    a_file(folder / "Manifest.json", b"{}")
    before = zip_size(folder)
    a_file(folder / "Data" / "weight.bin", np.random.default_rng(0).bytes(1000))
    assert zip_size(folder) - before > 1000


def test_neither_names_nor_dates_change_a_size(tmp_path: Path) -> None:
    first, second = tmp_path / "a.mlpackage", tmp_path / "somewhere else" / "of another name.mlpackage"
    for folder in (first, second):
        a_file(folder / "Data" / "weight.bin", b"weights" * 100)
    os.utime(second / "Data" / "weight.bin", (0, 0))
    assert zip_size(first) == zip_size(second)
