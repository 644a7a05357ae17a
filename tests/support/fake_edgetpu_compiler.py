"""FakeEdgeTpuCompiler: a stand-in for Google's edgetpu_compiler, for the tests alone. It compiles nothing.

It takes the arguments that the bench gives, prints what version 16 prints and leaves the two files that it leaves; the
program in the first is none (tests/support/edgetpu_models.py). FAKE_EDGETPU_UNSUPPORTED names operators, with commas,
that it leaves to the processor with everything behind them; FAKE_EDGETPU_SAYS is printed instead of any work.
"""

import os
import sys
from pathlib import Path

VERSION = "Edge TPU Compiler version 16.0.384591198"
_ROW = "{:<30} {:<10} {}"
_SAID = """{version}
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in 12 ms.

Input model: {source}
Input size: {before:.2f}KiB
Output model: {made}
Output size: {after:.2f}KiB
On-chip memory used for caching model parameters: 3.00KiB
On-chip memory remaining for caching model parameters: 7.67MiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: {subgraphs}
Total number of operations: {total}
Operation log: {log}
{counts}
{table}
Compilation child process completed within timeout period.
Compilation succeeded!
"""


def main(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        print(VERSION)
        return 0
    if words := os.environ.get("FAKE_EDGETPU_SAYS"):
        print(words)
        return 1
    assert arguments[:2] == ["-s", "-o"], arguments
    _compile(Path(arguments[3]), Path(arguments[2]))
    return 0


def _compile(source: Path, folder: Path) -> None:
    from tests.support.edgetpu_models import MAPPED, compile_like

    compiled = compile_like(source.read_bytes(), os.environ.get("FAKE_EDGETPU_UNSUPPORTED", "").split(","))
    made, log = folder / f"{source.stem}_edgetpu.tflite", folder / f"{source.stem}_edgetpu.log"
    made.write_bytes(compiled.content)
    table = "\n".join([_ROW.format("Operator", "Count", "Status"), "", *(_ROW.format(*row) for row in compiled.rows)])
    log.write_text(f"{VERSION}\nInput: {source}\nOutput: {made}\n\n{table}\n")
    on_tpu = sum(count for _, count, status in compiled.rows if status == MAPPED)
    total = sum(count for _, count, _ in compiled.rows)
    counts = (
        f"\nModel successfully compiled but not all operations are supported by the Edge TPU.\n"
        f"Number of operations that will run on Edge TPU: {on_tpu}\n"
        f"Number of operations that will run on CPU: {total - on_tpu}\n"
    )
    print(
        _SAID.format(
            version=VERSION,
            source=source,
            made=made,
            log=log,
            before=source.stat().st_size / 1024,
            after=made.stat().st_size / 1024,
            subgraphs=int(on_tpu > 0),
            total=total,
            counts=counts if on_tpu < total else "",
            table=table,
        )
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
