"""What to do about the errors that users of an Edge TPU meet, by the words of the runtime, libedgetpu or the agent.

The words were read in public reports (the issue is named beside each) and, where FakeEdgeTpu or LiteRT says the same,
in tests; libedgetpu itself has not run here yet.
"""

import re
from collections.abc import Callable

from harness.core.compute_unit import ComputeUnit

_SEGFAULT = 139

_Advice = str | Callable[["re.Match[str]"], str]


def _newer_package(match: "re.Match[str]") -> str:
    return (
        f"the model was compiled for runtime version {match['needs']} and the device's libedgetpu is version "
        f"{match['has']}: compile it with `edgetpu_compiler -m {match['has']}`, or install a newer libedgetpu"
    )


# The first that fits is told.
_TABLE: tuple[tuple[str, _Advice], ...] = (
    # google-coral/edgetpu 435, 561; pycoral 104
    (
        r"requires runtime version \((?P<needs>\d+)\), which is newer than this runtime version \((?P<has>\d+)\)",
        _newer_package,
    ),
    # google-coral/edgetpu 44, 259
    (
        r"Unsupported data type in custom op handler",
        "the runtime and libedgetpu are of different TensorFlow versions: install the pair that belongs together "
        "(docs/edgetpu.md)",
    ),
    # google-coral/edgetpu 192; tflite 16. Without a reason before it.
    (
        r"EdgeTpuDelegateForCustomOp\) failed to prepare",
        "libedgetpu could not take the program: the versions of compiler, libedgetpu and runtime do not belong "
        "together (docs/edgetpu.md)",
    ),
    # said by every runtime without the delegate
    (
        r"unresolved custom op: edgetpu-custom-op",
        "this file is compiled for the Edge TPU and runs on the unit edgetpu alone: "
        "devices: [{name: coral, kind: edgetpu}], units: [edgetpu]",
    ),
    # google-coral/edgetpu 141, 611, 756; tensorflow 35054: why is said by the agent already
    (r"Failed to load delegate from|no Edge TPU is attached|no permission for /dev|is in use by process", ""),
    # the dynamic loader's words for a library that is missing, or is of another processor
    (
        r"libedgetpu\S* cannot be loaded: .*cannot open shared object file",
        "install libedgetpu1-std (coral.ai/software), or say where it is: `library` of the device",
    ),
    (
        r"libedgetpu\S* cannot be loaded: .*(wrong ELF class|invalid ELF header|file too short)",
        "it is no library of this processor and system: take the one of the board's own architecture",
    ),
    # google-coral/edgetpu 589: USB power, cables and hubs
    (
        r"USB transfer|HandleQueuedBulk|Deadline exceeded: USB",
        "the USB link broke in an inference: use a port with enough power, a short cable and no hub",
    ),
)
_SEGFAULT_ADVICE = (
    "a runtime that is newer or older than libedgetpu was built for ends so: install the pair that belongs together "
    "(docs/edgetpu.md)"
)


def advice_on(words: str) -> str | None:
    """What to do about an error, None where nothing is known or its words say it."""
    for pattern, advice in _TABLE:
        if match := re.search(pattern, words):
            told = advice if isinstance(advice, str) else advice(match)
            return told or None
    return None


def crash_advice(unit: ComputeUnit, exit_code: int) -> str | None:
    """What to do about a process that died while it was on an Edge TPU."""
    return _SEGFAULT_ADVICE if unit.kind == "edgetpu" and exit_code == _SEGFAULT else None
