"""Errors that users of an Edge TPU meet, in the words of their reports, and what the bench says of each."""

import pytest

from devices.runtimes.edgetpu_advice import advice_on, crash_advice
from harness.core.compute_unit import ComputeUnit

# google-coral/edgetpu issues 435, 259, 192; LiteRT 2.3.0; libedgetpu by the loader of glibc
NEWER = (
    "Failed to prepare for TPU. Failed precondition: Package requires runtime version (14), which is newer than this "
    "runtime version (13).Node number 2 (EdgeTpuDelegateForCustomOp) failed to prepare."
)
DATA_TYPE = "Internal: Unsupported data type in custom op handler: 0Node number 1 (EdgeTpuDelegateForCustomOp) failed"


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (NEWER, "compile it with `edgetpu_compiler -m 13`"),
        (DATA_TYPE, "of different TensorFlow versions"),
        ("Node number 0 (EdgeTpuDelegateForCustomOp) failed to prepare.", "do not belong together"),
        ("Encountered unresolved custom op: edgetpu-custom-op.", "runs on the unit edgetpu alone"),
        (
            "libedgetpu.so.1 cannot be loaded: libedgetpu.so.1: cannot open shared object file: No such file",
            "install libedgetpu1-std",
        ),
        ("/x/libedgetpu.so.1 cannot be loaded: /x/libedgetpu.so.1: wrong ELF class: ELFCLASS32", "own architecture"),
        ("Deadline exceeded: USB transfer error 2 [LibUsbDataOutCallback]", "the USB link broke"),
    ],
)
def test_each_mistake_has_its_own_advice(words: str, advice: str) -> None:
    assert advice in str(advice_on(words))


@pytest.mark.parametrize("words", ["no Edge TPU is attached: no /dev/apex_*", "something else went wrong"])
def test_what_says_it_all_or_is_unknown_has_none(words: str) -> None:
    assert advice_on(words) is None


def test_a_crash_off_the_edge_tpu_is_none_of_its() -> None:
    assert crash_advice(ComputeUnit(kind="cpu"), 139) is None
    assert crash_advice(ComputeUnit(kind="edgetpu"), 137) is None
