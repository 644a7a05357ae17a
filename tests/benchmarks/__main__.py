"""Run all benchmarks but the long one, or those named: one JSON line each on stdout, what failed on stderr."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec

# Run by name alone: it takes an hour.
LONG = ("architectures",)
NEED_TORCH = ("reference_agreement", "reference_speed")
NAMES = (
    "startup",
    "report",
    "power",
    "parity",
    "per_op",
    "overhead",
    "aa",
    "build_variants",
    "ssh_push",
    "ssh_exec",
    *NEED_TORCH,
)
_LONGEST_S = 1800.0
_LONGER = 8  # times as long
_INSTALL = "pip install 'weighbridge[torch]'"


def main(
    arguments: Sequence[str],
    argv_of: Callable[[str], tuple[str, ...]],
    longest_s: float = _LONGEST_S,
    *,
    has_torch: bool = True,
) -> int:
    """Exit code: 0 where all went well, 1 where any failed, 2 for a name that is none. argv_of: what runs one.

    Those that need torch are left out without it, and that is said.
    """
    unknown = [name for name in arguments if name not in (*NAMES, *LONG)]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join((*NAMES, *LONG))}", file=sys.stderr)
        return 2
    wanted = [name for name in arguments or NAMES if has_torch or name not in NEED_TORCH]
    for name in sorted(set(arguments or NAMES) - set(wanted)):
        print(f"{name} is left out: it needs torch; {_INSTALL}", file=sys.stderr)
    failed = [f"{name} {why}" for name in wanted if (why := run(argv_of(name), _limit_s(name, longest_s)))]
    for line in failed:
        print(line, file=sys.stderr)
    return 1 if failed else 0


def _limit_s(name: str, longest_s: float) -> float:
    return longest_s * (_LONGER if name in LONG else 1)


def run(argv: tuple[str, ...], longest_s: float) -> str | None:
    """Run one in a process of its own: what it imports or leaves in memory must not show in the next. Why it failed."""
    try:
        code = subprocess.run(argv, timeout=longest_s, check=False).returncode
    except subprocess.TimeoutExpired:
        return f"did not end in {longest_s:g} s and was killed"
    if code < 0:
        return f"died by signal {-code}"
    return f"ended with exit code {code}" if code else None


def module_of(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"tests.benchmarks.{name}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], module_of, has_torch=find_spec("torch") is not None))
