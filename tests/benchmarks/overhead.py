"""The share of a campaign's wall time in which a launch was alive: `digits` in seven variants on every unit here.

Wall time runs from the first launch order to the end of the last block; building is not part of it. detail holds the
share in which an inference was being timed, warm-up included.
"""

import tempfile
import time
from pathlib import Path

from devices.inventory import local_device
from harness.bench import Origin, begin, loadables
from harness.building import RULES, build
from harness.campaign import run_campaign
from harness.config import parse_config
from harness.core.launch import LaunchRecord
from harness.intake import take_in, wishes
from harness.journal import Journal
from harness.places import Places
from harness.plan import make_plan, schedule
from harness.store import Store
from tests.benchmarks.line import print_line

_CONFIG = """
models: [digits]
variants: [float32, float16, dynamic-int8, weight-int8, int8, uint8, sparse-50+palette-4]
"""


def measure(root: Path) -> tuple[float, list[LaunchRecord], int]:
    """Run the campaign; the wall time in seconds, its launches, and the number of cells."""
    places = Places(root=root)
    config = parse_config(_CONFIG, source=str(root / "overhead.yaml"))
    intake = take_in(config, places)
    with Store.open(places.store) as store, local_device() as device:
        plan = make_plan(wishes(config, intake), intake.models, [device.facts], RULES)
        campaign = begin(store, config, Origin(path=root / "overhead.yaml"), intake, plan, [device.facts])
        stored = store.load(campaign)
        builds = build(store, stored, places.variants, lambda *_: None)
        ready = loadables(stored.models, builds, places.inputs)
        started = time.monotonic()
        run_campaign(
            schedule(plan.cells, 0), ready, {device.facts.name: device}, Journal(store, stored), lambda _: None
        )
        wall_s = time.monotonic() - started
        launches = [launch.outcome for launch in store.load(campaign).launches]
    return wall_s, [record for record in launches if isinstance(record, LaunchRecord)], len(plan.cells)


def main() -> None:
    with tempfile.TemporaryDirectory() as root:
        wall_s, launches, cells = measure(Path(root))
    alive_s = sum(launch.wall_s for launch in launches)
    timed_s = sum(sum(launch.samples_ns) + sum(launch.warmup_ns) for launch in launches) / 1e9
    detail = {
        "cells": cells,
        "launches": len(launches),
        "wall_s": round(wall_s, 1),
        "timed": round(timed_s / wall_s, 3),
    }
    print_line("overhead", alive_s / wall_s, "share of wall time", detail)


if __name__ == "__main__":
    main()
