"""A benchmark prints one line to standard output, whatever the runtime prints."""

import subprocess
import sys

NOISY = """
import ctypes, os, subprocess, sys
from tests.benchmarks.line import print_line
from tests.benchmarks.stdout import on_stderr
with on_stderr():
    print("INFO: python")
    ctypes.CDLL(None).printf(b"INFO: native, buffered by C\\n")
    os.write(1, b"INFO: native\\n")
    subprocess.run((sys.executable, "-c", "print('INFO: a child')"), check=True)
print_line("noisy", 1.0, "share", {})
"""


def test_what_is_printed_while_a_benchmark_measures_goes_to_standard_error() -> None:
    done = subprocess.run((sys.executable, "-c", NOISY), capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == '{"benchmark": "noisy", "value": 1.0, "unit": "share", "detail": {}}\n'
    assert sorted(done.stderr.splitlines()) == [
        "INFO: a child",
        "INFO: native",
        "INFO: native, buffered by C",
        "INFO: python",
    ]
