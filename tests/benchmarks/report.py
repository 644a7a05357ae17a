"""How long the report takes over large campaigns, how large it is, and how fast it answers in a browser.

    python -m tests.benchmarks.report

Value: seconds from the results of 200 cells of 150 operators in memory to the page's bytes, imports included, in this
fresh process. Making the results is not part of it. detail holds that page's size, to be held against 4 MB, and under
`campaign` the same of five architectures with every recipe, to be held against 6 MB, with the milliseconds from each
act of a reader to the end of the frame that shows its effect, to be held against 200: the median of five visits. The
machine may be busy with other things: load is its load average, and cpu_ms the processor time that the page's main
thread took for the same, what the act costs on a machine of its own.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from harness.core.campaign import CampaignResult
from tests.benchmarks.line import print_line
from tests.support.interactions import ACTS, main_thread_ms, settle, time_act, watch_main_thread
from tests.support.large_campaign import a_large_campaign_result
from tests.support.results import a_huge_campaign_result

CELLS = 200
OPS = 150
VISITS = 5
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def main() -> int:
    result = a_huge_campaign_result(cells=CELLS, ops=OPS)
    page, document_s, render_s = build(result)
    detail = {
        "cells": len(result.cells),
        "ops_per_cell": OPS,
        "page_bytes": len(page),
        "document_s": round(document_s, 3),
        "render_s": round(render_s, 3),
        "campaign": large_campaign(),
    }
    print_line("report", document_s + render_s, "s", detail)
    return 0


def build(result: CampaignResult) -> tuple[bytes, float, float]:
    """The page, seconds to the document and seconds from there to the page."""
    began = time.perf_counter()
    from reports.html import render
    from reports.view import document

    made = document(result)
    viewed = time.perf_counter()
    page = render(made).encode()
    return page, viewed - began, time.perf_counter() - viewed


def large_campaign() -> dict[str, object]:
    result = a_large_campaign_result()
    page, document_s, render_s = build(result)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        file.write_bytes(page)
        frames, computed = time_visits(file)
    return {
        "cells": len(result.cells),
        "page_bytes": len(page),
        "build_s": round(document_s + render_s, 3),
        "frame_ms": {act: round(statistics.median(taken)) for act, taken in frames.items()},
        "cpu_ms": {act: round(statistics.median(taken)) for act, taken in computed.items()},
        "load": round(os.getloadavg()[0], 2),
    }


def time_acts(file: Path) -> dict[str, list[float]]:
    """Milliseconds to the frame of each act, once a visit."""
    return time_visits(file)[0]


def time_visits(file: Path) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Milliseconds to the frame, and of the main thread, of each act, once a visit."""
    from playwright.sync_api import sync_playwright

    frames: dict[str, list[float]] = {act: [] for act in ACTS}
    computed: dict[str, list[float]] = {act: [] for act in ACTS}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for _ in range(VISITS):
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.goto(file.as_uri())
            settle(page)
            watched = watch_main_thread(page)
            for name, act in ACTS.items():
                before = main_thread_ms(watched)
                frames[name].append(time_act(page, act))
                computed[name].append(main_thread_ms(watched) - before)
                settle(page)
            page.close()
        browser.close()
    return frames, computed


if __name__ == "__main__":
    sys.exit(main())
