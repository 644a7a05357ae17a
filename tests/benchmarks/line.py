"""The one line that a benchmark prints."""

import json
from collections.abc import Mapping


def print_line(benchmark: str, value: float, unit: str, detail: Mapping[str, object]) -> None:
    """Print a benchmark's result as one line of JSON."""
    print(json.dumps({"benchmark": benchmark, "value": round(value, 4), "unit": unit, "detail": detail}), flush=True)
