"""scikit-learn's handwritten digits, split once and for all.

Source: UCI Optical Recognition of Handwritten Digits, 1797 images of 8x8 (sklearn.datasets.load_digits).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TEST_SAMPLES = 540


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Images are float32 (n, 8, 8, 1) in [0, 1], labels int64 (n,) in 0..9."""

    train_images: NDArray[Any]
    train_labels: NDArray[Any]
    test_images: NDArray[Any]
    test_labels: NDArray[Any]


def load_split() -> Split:
    """1257 images to train on and 540 to judge by, stratified, always the same ones."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    images = (pixels / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    parts = train_test_split(images, labels, test_size=TEST_SAMPLES, random_state=0, stratify=labels)
    return Split(train_images=parts[0], test_images=parts[1], train_labels=parts[2], test_labels=parts[3])


def write_evaluation_data(path: Path, *, channels_first: bool = False) -> None:
    """Write the model's .npz: test images and labels for evaluation, training images for calibration.

    Images are (n, 8, 8, 1), or (n, 1, 8, 8).
    """
    split = load_split()
    judged, calibrated = (
        np.moveaxis(images, 3, 1) if channels_first else images for images in (split.test_images, split.train_images)
    )
    arrays = {"image": judged, "labels": split.test_labels, "calibration/image": calibrated}
    with path.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)
