"""`python -m tests.fuzz [COUNT] [SEED]`: one JSON line of what came of it; exit code 1 where something must not be."""

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.fuzz.campaign import throw
from tests.fuzz.sources import sources


def main(arguments: list[str]) -> int:
    """COUNT defaults to 500, SEED to 0."""
    count, seed = (int(given) for given in (*arguments, *("500", "0")[len(arguments) :]))
    with tempfile.TemporaryDirectory() as folder:
        survived = throw(sources(), Path(folder), count=count, seed=seed)
    print(json.dumps({"fuzz": asdict(survived), "seed": seed}))
    return 1 if survived.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
