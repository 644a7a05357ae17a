"""How long the report takes over 200 cells of 150 operators, and how large it is.

    python -m tests.benchmarks.report

Value: seconds from the results in memory to the page's bytes, imports included, in this fresh process. Making the
results is not part of it. detail holds the page's size, to be held against 4 MB.
"""

import sys
import time

from tests.benchmarks.line import print_line
from tests.support.results import a_huge_campaign_result

CELLS = 200
OPS = 150


def main() -> int:
    result = a_huge_campaign_result(cells=CELLS, ops=OPS)
    began = time.perf_counter()
    from reports.html import render
    from reports.view import document

    made = document(result)
    viewed = time.perf_counter()
    page = render(made).encode()
    ended = time.perf_counter()
    detail = {
        "cells": len(result.cells),
        "ops_per_cell": OPS,
        "page_bytes": len(page),
        "document_s": round(viewed - began, 3),
        "render_s": round(ended - viewed, 3),
    }
    print_line("report", ended - began, "s", detail)
    return 0


if __name__ == "__main__":
    sys.exit(main())
