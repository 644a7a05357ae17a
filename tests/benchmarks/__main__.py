"""Run all benchmarks, or those named: one JSON line each on standard output."""

import subprocess
import sys

NAMES = ("startup", "report", "power", "parity", "per_op", "overhead", "aa")
_LONGEST_S = 1800


def main(arguments: list[str]) -> int:
    unknown = [name for name in arguments if name not in NAMES]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    # A process each: what one imports or leaves in memory must not show in the next.
    codes = [
        subprocess.run((sys.executable, "-m", f"tests.benchmarks.{name}"), timeout=_LONGEST_S, check=False).returncode
        for name in arguments or NAMES
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
