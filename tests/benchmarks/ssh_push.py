"""Throughput of bringing 50 MB to a board over that of scp, to the same sshd on loopback, in turn; the median ratio.

Ours includes all that Delivery does: asking, sending, having the digest taken there, renaming. Fresh connections for
both, which count. detail holds what a second push sent.
"""

import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from devices.transport.push import Delivery
from devices.transport.ssh import SshTransport
from tests.benchmarks.line import print_line
from tests.support.sshd import Sshd, sshd

_BYTES = 50_000_000
_ROUNDS = 9


def ours(server: Sshd, source: Path, folder: Path) -> tuple[float, int]:
    """Seconds of the first push over a fresh connection, and bytes that a second one sent."""
    transport = SshTransport("board", server.address)
    started = time.perf_counter()
    Delivery("board", lambda: transport, str(folder)).bring(source)
    seconds = time.perf_counter() - started
    again = Delivery("board", lambda: transport, str(folder))
    again.bring(source)
    transport.close()
    return seconds, again.pushed.bytes


def scp(server: Sshd, source: Path, target: Path) -> float:
    """Seconds of one scp, as it is run by hand."""
    options = (f"UserKnownHostsFile={server.known_hosts}", f"IdentityFile={server.client_key}", "IdentitiesOnly=yes")
    words = [word for option in options for word in ("-o", option)]
    place = f"{server.user}@127.0.0.1:{target}"
    started = time.perf_counter()
    command = ("scp", "-q", "-F", "none", *words, "-P", str(server.port), str(source), place)
    subprocess.run(command, check=True, timeout=120)
    return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as root, sshd(Path(root) / "sshd") as server:
        source = Path(root) / "model.tflite"
        source.write_bytes(os.urandom(_BYTES))
        rounds = []
        for turn in range(_ROUNDS):
            theirs = scp(server, source, Path(root) / "copy")
            mine, again = ours(server, source, Path(root) / f"weighbridge-{turn}")
            rounds.append((theirs, mine, again))
    ratios = [theirs / mine for theirs, mine, _ in rounds]
    detail = {
        "ours_mb_s": round(_BYTES / 1e6 / statistics.median(mine for _, mine, _ in rounds), 1),
        "scp_mb_s": round(_BYTES / 1e6 / statistics.median(theirs for theirs, _, _ in rounds), 1),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "second_push_bytes": sum(again for _, _, again in rounds),
        "load": round(os.getloadavg()[0], 1),
    }
    print_line("ssh_push", statistics.median(ratios), "of scp's throughput", detail)


if __name__ == "__main__":
    main()
