"""Operations on images and sequences whose size the program leaves open."""

from pathlib import Path

import numpy as np
import pytest

from harness.fidelity.array import Array
from harness.fidelity.mil.reference import Program
from tests.support.mil import Var, builder, write

pytestmark = pytest.mark.thorough

mb = builder()
RANDOM = np.random.default_rng(4)
WEIGHTS = {"weight_ih": (12, 2), "weight_hh": (12, 3), "bias": (12,)}
LSTM = {name: RANDOM.normal(size=shape).astype(np.float32) for name, shape in WEIGHTS.items()}
SIZES = ((4, 6), (6, 4), (9, 2))


def on_images(x: Var) -> list[Var]:
    deep = mb.concat(values=(x, x, x, x), axis=1)
    doubled = mb.mul(x=mb.slice_by_index(x=mb.shape(x=x), begin=[2], end=[4]), y=[2, 1])
    boxes = np.array([[0, 0, 1, 1.5], [1, 0, 3, 1]], np.float32)
    return [
        mb.upsample_nearest_neighbor(x=x, scale_factor_height=2, scale_factor_width=3),
        mb.upsample_bilinear(x=x, scale_factor_height=2, scale_factor_width=3, align_corners=False),
        mb.resize_bilinear(x=x, target_size_height=7, target_size_width=9, sampling_mode="ALIGN_CORNERS"),
        mb.resize(x=x, shape=doubled, resized_dims=np.uint32(2)),
        mb.crop_resize(x=x, boxes=boxes, target_height=2, target_width=2),
        mb.pixel_shuffle(x=deep, upscale_factor=2),
        mb.depth_to_space(x=deep, block_size=2),
        mb.pad(x=x, pad=[1, 1, 2, 0]),
        mb.reverse(x=x),
        mb.reverse_sequence(x=x, lengths=[1, 2], seq_axis=2, batch_axis=0),
        mb.sliding_windows(x=x, axis=2, size=2),
        mb.concat(values=(x, x), axis=2, interleave=True),
        mb.stack(values=(x, x), axis=0),
        mb.tile(x=x, reps=[1, 1, 2, 1]),
        mb.split(x=x, num_splits=3, axis=1)[1],
        mb.slice_by_size(x=x, begin=[0, 0, 1, -1], size=[-1, 2, -1, 1]),
        mb.slice_by_index(x=x, begin=[0, 0, 1, 0], end=[2, 3, -1, 9], stride=[1, 1, 2, 1]),
        mb.slice_update(x=x, update=np.ones((2, 3, 1, 1), np.float32), begin=[0, 0, -1, 0], end=[2, 3, 99, 1]),
        mb.argsort(x=x, axis=2),
        mb.topk(x=x, k=1, axis=3)[0],
        mb.gather(x=x, indices=[1, 0], axis=2),
        mb.cumsum(x=x, axis=3),
        mb.band_part(x=x, lower=1, upper=0),
        mb.flatten2d(x=x, axis=2),
        mb.reshape(x=x, shape=[-1, 0]),
        mb.transpose(x=x, perm=[0, 2, 3, 1]),
        mb.fill_like(ref_tensor=x, value=np.float32(2)),
    ]


def on_sequences(x: Var) -> list[Var]:
    state = np.zeros((2, 3), np.float32)
    return list(mb.lstm(x=x, initial_h=state, initial_c=state, output_sequence=True, **LSTM))


def run(path: Path, x: Array) -> list[Array]:
    return list(Program.load(path).predict({"x": x}).values())


@pytest.mark.parametrize("size", SIZES)
def test_images_of_open_size_give_what_those_of_known_size_give(size: tuple[int, int], tmp_path: Path) -> None:
    x = RANDOM.normal(size=(2, 3, *size)).astype(np.float32)
    known = run(write(tmp_path / "k.mlpackage", {"x": x.shape}, on_images, "iOS18", "float32"), x)
    opened = run(write(tmp_path / "o.mlpackage", {"x": (2, 3, None, None)}, on_images, "iOS18", "float32"), x)
    assert [np.array_equal(one, other) for one, other in zip(known, opened, strict=True)] == [True] * len(known)


def test_sequences_of_open_length_give_what_those_of_known_length_give(tmp_path: Path) -> None:
    x = RANDOM.normal(size=(5, 2, 2)).astype(np.float32)
    known = run(write(tmp_path / "k.mlpackage", {"x": x.shape}, on_sequences, "iOS18", "float32"), x)
    opened = run(write(tmp_path / "o.mlpackage", {"x": (None, 2, 2)}, on_sequences, "iOS18", "float32"), x)
    assert [np.array_equal(one, other) for one, other in zip(known, opened, strict=True)] == [True] * 3
