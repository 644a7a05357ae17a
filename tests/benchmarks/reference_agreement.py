"""How far the reference of ML Programs is from torch, in decibels: eight architectures, converted as a user does it.

The value is the lowest signal to noise of whole programs at float32. Detail has each architecture's, at float16 too,
and the lowest of any operator at float16, where each operation is given what the reference had before it and held
against float64, rounded: end to end, one result rounded the other way is seen by all that follow.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.line import print_line
from tests.benchmarks.stdout import on_stderr
from tests.support.mil_oracle import Result, decibels
from tests.support.torch_packages import PRECISIONS, Converted, convert


def lowest_of_operators(results: Sequence[Result]) -> dict[str, float]:
    """Decibels of every operator whose float16 results are not all what float64 gives, the lowest first."""
    operators = sorted({result.case.op for result in results if result.dtype == "fp16"})
    found = {operator: decibels(results, operator, "fp16") for operator in operators}
    unequal = [(reached, operator) for operator, reached in found.items() if reached != float("inf")]
    return {operator: round(reached, 1) for reached, operator in sorted(unequal)}


def share_equal(results: Sequence[Result]) -> float:
    """Of all float16 results of operations, those that are float64's to the last bit."""
    chosen = [result for result in results if result.dtype == "fp16"]
    equal = sum(int((result.actual == result.expected).sum()) for result in chosen)
    return equal / sum(result.expected.size for result in chosen)


def measure(networks: Mapping[str, Converted]) -> tuple[float, dict[str, object]]:
    """The value and its detail."""
    from tests.support.torch_agreement import alone, end_to_end

    whole = {
        precision: {name: round(end_to_end(network, precision), 1) for name, network in networks.items()}
        for precision in PRECISIONS
    }
    results = [result for network in networks.values() for result in alone(network)]
    by_operator = lowest_of_operators(results)
    return min(whole["float32"].values()), {
        "float32_db": whole["float32"],
        "float16_db": whole["float16"],
        "lowest_operator_float16_db": min(by_operator.values(), default=None),
        "operators_float16_db": by_operator,
        "equal_to_the_last_bit": round(share_equal(results), 5),
    }


def main() -> None:
    from tests.support.torch_networks import NETWORKS

    with on_stderr(), tempfile.TemporaryDirectory() as scratch:
        value, detail = measure(convert(NETWORKS, Path(scratch)))
    print_line("reference_agreement", value, "dB", detail)


if __name__ == "__main__":
    main()
