"""The detector skeleton: SSD300's boxes over a ResNet-18, of the talk's size, and alive inside."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.model import Model
from harness.fidelity.evaluation import dataset_of
from harness.fidelity.litert import run_on_host
from harness.sources.samples import sample_model
from harness.sources.tflite import read_graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """boxes (16, 8732, 4) and scores (16, 8732, 2) of 16 random images."""

    model: Model
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    model = sample_model("ssd_resnet18", tmp_path_factory.mktemp("models"))
    boxes, scores = run_on_host(model.path, dataset_of(model))
    assert boxes.values is not None
    assert scores.values is not None
    return Detector(model=model, boxes=boxes.values[:, 0], scores=scores.values[:, 0])


def test_takes_an_image_and_gives_the_default_boxes_of_the_paper(detector: Detector) -> None:
    (image,), (boxes, scores) = detector.model.inputs, detector.model.outputs
    assert (image.name, image.shape) == ("image", (1, 300, 300, 3))
    assert (boxes.name, boxes.shape) == ("boxes", (1, 8732, 4))
    assert (scores.name, scores.shape) == ("scores", (1, 8732, 2))


def test_has_the_operators_of_both_papers(detector: Detector) -> None:
    backbone, extras, predictors = 20, 6, 2 * 6  # a ResNet-18 without its dense layer, with three shortcuts
    assert Counter(node.type for node in read_graph(detector.model.path).nodes) == {
        "CONV_2D": backbone + extras + predictors,
        "ADD": 8,
        "PAD": 2,
        "MAX_POOL_2D": 1,
        "RESHAPE": predictors,
        "CONCATENATION": 2,
        "SOFTMAX": 1,
    }


def test_float16_weights_would_take_what_the_talk_says(detector: Detector) -> None:
    assert detector.model.parameters * 2 / 1e6 == pytest.approx(23.6, rel=0.005)


def test_scores_are_probabilities_that_are_not_all_sure(detector: Detector) -> None:
    np.testing.assert_allclose(detector.scores.sum(2), 1, rtol=1e-4)
    assert 0.1 < np.median(detector.scores.min(2)) < 0.5


@pytest.mark.parametrize("places", [(0, 5776), (5776, 7942), (7942, 8542), (8542, 8692), (8692, 8728), (8728, 8732)])
def test_every_map_has_boxes_that_vary(detector: Detector, places: tuple[int, int]) -> None:
    assert 0.1 < detector.boxes[:, slice(*places)].std() < 4


def test_tells_images_apart(detector: Detector) -> None:
    likeness = np.corrcoef(detector.boxes.reshape(16, -1))
    assert likeness.max(where=~np.eye(16, dtype=bool), initial=0) < 0.9
