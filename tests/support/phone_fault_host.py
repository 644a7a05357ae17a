"""A host that runs the faults' campaign over a phone and is killed: FOLDER ADDRESS SERVER_PORT."""

import sys
from dataclasses import dataclass
from pathlib import Path

from harness.core.device import AdbAddress, DeviceSpec, PhoneTools
from tests.support.adbd import Adbd
from tests.support.fault_bench import Moment
from tests.support.phone_fault_bench import PhoneFaultBench
from tests.support.phones import Bed


@dataclass
class _Elsewhere:
    """What a bench asks of a phone that another process emulates."""

    root: Path


def main(folder: Path, address: str, port: int) -> None:
    adb = AdbAddress(address=address, server_port=port)
    spec = DeviceSpec(name="pixel8", kind="android", adb=adb, tools=PhoneTools(folder=folder / "tools"))
    phone: Adbd = _Elsewhere(folder / "phone")  # type: ignore[assignment]
    bench = PhoneFaultBench(folder, Bed(phone, spec, folder / "leases"))
    bench.run(at=Moment(step="saved"), strike=bench.in_launch(lambda: print("hangs", flush=True)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
