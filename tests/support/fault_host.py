"""A host of its own for a fault bench, to be killed: `python -m tests.support.fault_host FOLDER HOME PORT`.

It says `begun` when the board's first launch has been saved, then goes on until it is killed or done.
"""

import sys
from pathlib import Path

from harness.core.device import SshAddress
from tests.support.fault_bench import FaultBench, Moment


def main(folder: str, home: str, port: str, user: str) -> int:
    root = Path(folder)
    address = SshAddress(
        host="127.0.0.1",
        port=int(port),
        user=user,
        key=root / "sshd" / "client",
        known_hosts=root / "sshd" / f"known_hosts_{port}",
        ssh_config=root / "sshd" / "ssh_config",
    )
    bench = FaultBench(root, address, Path(home))
    given_up = bench.run(at=Moment(step="saved"), strike=lambda: print("begun", flush=True))
    print(*given_up, sep="\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
