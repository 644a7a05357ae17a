"""The architecture skeletons: the published networks by operators, parameters, work and size, and alive inside."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.model import Model
from harness.fidelity.evaluation import calibration_of, dataset_of
from harness.fidelity.litert import run_on_host
from harness.sources.samples import sample_model
from harness.sources.tflite import read_graph
from harness.variants.technique import Calibration
from tests.support.large import networks
from tests.support.recipes import compressed


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What is known of a network.

    operators: of Keras's after TensorFlow's converter. parameters: Keras counts so many; folded of them vanish in
    convolutions, since a batch normalisation of n channels leaves n biases of 4n numbers (3n without scales, 2n where
    it stays as MUL and ADD, none beside a bias that was there before). macs: as counted here; the papers and Keras
    say 569 M, 300 M, 5.7 G, 7.2 G and 3.9 G. megabytes: Table 1 of LiteRT's optimisation guide, original and int8 per
    tensor; resnet50 is not in it and has Keras's .tflite.
    """

    image: int
    operators: Mapping[str, int]
    parameters: int
    folded: int
    macs: int
    megabytes: float
    int8_megabytes: float | None


HEAD = {"MEAN": 1, "SOFTMAX": 1}
NETWORKS = {
    "mobilenet_v1": Published(
        image=224,
        operators={**HEAD, "CONV_2D": 15, "DEPTHWISE_CONV_2D": 13, "RESHAPE": 1},
        parameters=4_253_864,
        folded=3 * 10_944,
        macs=568_740_352,
        megabytes=16.9,
        int8_megabytes=4.3,
    ),
    "mobilenet_v2": Published(
        image=224,
        operators={**HEAD, "CONV_2D": 35, "DEPTHWISE_CONV_2D": 17, "ADD": 10, "FULLY_CONNECTED": 1},
        parameters=3_538_984,
        folded=3 * 17_056,
        macs=300_774_272,
        megabytes=14.0,
        int8_megabytes=3.6,
    ),
    "inception_v3": Published(
        image=299,
        operators={
            **HEAD,
            "CONV_2D": 94,
            "CONCATENATION": 15,
            "AVERAGE_POOL_2D": 9,
            "MAX_POOL_2D": 4,
            "FULLY_CONNECTED": 1,
        },
        parameters=23_851_784,
        folded=2 * 17_216,
        macs=5_713_216_096,
        megabytes=95.7,
        int8_megabytes=23.9,
    ),
    "resnet_v2_101": Published(
        image=224,
        operators={**HEAD, "CONV_2D": 104, "ADD": 67, "MUL": 34, "PAD": 5, "MAX_POOL_2D": 4, "FULLY_CONNECTED": 1},
        parameters=44_675_560,
        folded=3 * 16_256 + 2 * 32_576,
        macs=7_194_476_544,
        megabytes=178.3,
        int8_megabytes=44.9,
    ),
    "resnet50": Published(
        image=224,
        operators={**HEAD, "CONV_2D": 53, "ADD": 16, "PAD": 2, "MAX_POOL_2D": 1, "FULLY_CONNECTED": 1},
        parameters=25_636_712,
        folded=4 * 26_560,
        macs=3_857_973_248,
        megabytes=102.2,
        int8_megabytes=None,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A skeleton, what is known of it, and its scores (n, 1000) for 16 random images."""

    model: Model
    published: Published
    scores: NDArray[np.float64]


@pytest.fixture(scope="module", params=networks(NETWORKS))
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    model = sample_model(request.param, tmp_path_factory.mktemp("models"))
    (output,) = run_on_host(model.path, dataset_of(model))
    assert output.values is not None
    yield Built(model=model, published=NETWORKS[request.param], scores=output.values[:, 0])
    model.path.unlink()  # up to 178 MB each


def test_takes_an_image_and_gives_a_score_per_class(built: Built) -> None:
    size = built.published.image
    (image,), (scores,) = built.model.inputs, built.model.outputs
    assert (image.name, image.shape, image.dtype) == ("image", (1, size, size, 3), "float32")
    assert (scores.name, scores.shape, scores.dtype) == ("scores", (1, 1000), "float32")
    assert built.model.random_weights


def test_has_the_operators_that_the_converter_leaves(built: Built) -> None:
    assert Counter(node.type for node in read_graph(built.model.path).nodes) == built.published.operators


def test_has_kerass_parameters_less_the_folded_ones(built: Built) -> None:
    assert built.model.parameters == built.published.parameters - built.published.folded


def test_does_the_published_work(built: Built) -> None:
    assert sum(node.macs or 0 for node in read_graph(built.model.path).nodes) == built.published.macs


def test_is_as_large_as_published(built: Built) -> None:
    assert built.model.size_bytes / 1e6 == pytest.approx(built.published.megabytes, rel=0.02)


def test_int8_per_tensor_is_as_large_as_published(built: Built) -> None:
    published, name = built.published.int8_megabytes, "int8-per-tensor"
    samples = ({0: calibration_of(built.model, limit=1).sample(0)[0]},)
    calibration = Calibration(samples={None: samples}, described="a random image")
    source = built.model.path.read_bytes()
    made = compressed(source, name, calibration)
    assert len(made) / 1e6 == pytest.approx(published or len(source) / 4e6, rel=0.02)


def test_scores_are_probabilities_of_unequal_classes(built: Built) -> None:
    np.testing.assert_allclose(built.scores.sum(1), 1, rtol=1e-4)
    assert 0.01 < built.scores.max() < 0.99


def test_tells_images_apart(built: Built) -> None:
    likeness = np.corrcoef(np.log(built.scores))
    assert likeness.max(where=~np.eye(len(likeness), dtype=bool), initial=0) < 0.995
    assert len(set(built.scores.argmax(1))) > 1
