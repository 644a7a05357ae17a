"""A device that is an Edge TPU: the route of its launches, and what its facts say besides the board's.

Never run on a real Edge TPU yet: only with FakeEdgeTpu, a double for the tests.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace

from devices.agent.edgetpu import LIBRARY
from devices.runtimes.agent_launch import DelegateLibrary, Route
from harness.core.device import DeviceFacts, DeviceSpec, EdgeTpuChoice

FAMILY = "edgetpu"
Lease = Callable[[], AbstractContextManager[None]]
_DOUBLE = "FakeEdgeTpu, which computes on the processor: its times say nothing of an Edge TPU"


def delegate_of(choice: EdgeTpuChoice) -> DelegateLibrary:
    """The library with the options that it gets; what the configuration says of `device` itself stands above all."""
    device = {"device": choice.accelerator} if choice.accelerator else {}
    return DelegateLibrary(library=choice.library or LIBRARY, options={**device, **choice.options})


def route_of(spec: DeviceSpec) -> Route:
    """How the launches of a device of this kind run."""
    return Route(runtime=spec.runtime, delegate=delegate_of(spec.edgetpu or EdgeTpuChoice()))


def facts_of(facts: DeviceFacts, delegate: DelegateLibrary) -> DeviceFacts:
    """A board's facts as those of its Edge TPU. A library that is a double of the tests says so."""
    details = dict(facts.details)
    if "/" in delegate.library:
        details["libedgetpu"] = delegate.library
    if is_double(delegate.library):
        details["double"] = _DOUBLE
    return replace(facts, family=FAMILY, details=details)


def name_of(name: str, delegate: DelegateLibrary) -> str:
    """What the device is called."""
    return f"{name} (FakeEdgeTpu)" if is_double(delegate.library) else name


def is_double(library: str) -> bool:
    """Whether a library is FakeEdgeTpu of the tests, by its name."""
    return "fake" in library.rpartition("/")[2].lower()


def accelerator_key(machine: str, delegate: DelegateLibrary) -> str:
    """What the accelerator's own lease is called: by machine, for every name that a device may have."""
    return f"{machine} edgetpu {delegate.options.get('device', 'any')}"


def with_accelerator(board: Lease, accelerator: Lease) -> Lease:
    """Both at once: the board's, since its processor is measured too and does part of the work, then the accelerator's.

    In this order everywhere, so that two who want both cannot wait for one another.
    """

    @contextmanager
    def held() -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(board())
            stack.enter_context(accelerator())
            yield

    return held
