"""What delegates are called in words, by the names that runtimes give them."""

from collections.abc import Mapping
from types import MappingProxyType

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "xnnpack": "XNNPACK",
        "webgpu": "WebGPU",
        "metal": "Metal",
        "dispatch": "NPU dispatch",
        "edgetpu": "the Edge TPU",
    }
)


def name_delegate(delegate: str | None) -> str:
    """`XNNPACK`; a delegate that is not in the table by its own name, one that is not known as `a delegate`."""
    return _NAMES.get(delegate or "", delegate or "a delegate")
