"""The reference of ML Programs against torch, which it shares no kernels with: eight architectures, converted here."""

import pytest

from tests.support.mil_oracle import FLOAT32_BAR, Result, misses
from tests.support.torch_agreement import alone, end_to_end, end_to_end_by_litert, unchecked
from tests.support.torch_networks import NETWORKS
from tests.support.torch_oracle import operators
from tests.support.torch_packages import Converted, convert

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Converted]:
    return convert(NETWORKS, tmp_path_factory.mktemp("torch"))


@pytest.fixture(scope="module")
def results(networks: dict[str, Converted]) -> list[Result]:
    return [result for network in networks.values() for result in alone(network)]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_float32_program_gives_what_torch_gives(name: str, networks: dict[str, Converted]) -> None:
    assert end_to_end(networks[name], "float32") >= FLOAT32_BAR


@pytest.mark.parametrize("name", NETWORKS)
def test_a_tflite_of_the_same_program_gives_what_torch_gives(name: str, networks: dict[str, Converted]) -> None:
    assert end_to_end_by_litert(networks[name]) >= FLOAT32_BAR


@pytest.mark.parametrize("operator", operators())
def test_an_operation_of_a_float16_program_gives_what_float64_rounded_gives(
    operator: str, results: list[Result]
) -> None:
    assert operator in {result.case.op for result in results}
    assert misses(results, operator) == []


def test_no_operator_of_the_architectures_is_unchecked(networks: dict[str, Converted]) -> None:
    assert unchecked(networks.values()) == set()
