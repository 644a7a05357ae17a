"""How long `true` takes on a board over a connection that stands, in ms: median of 200, to an sshd on loopback.

detail holds, of as many in turn, what a channel of paramiko's takes by itself, without a group to end, a deadline and
deaths by signal; and what a launch takes longer by the SSH path than by the local one: medians of 20 launches of one
tiny model, in turn, through the same agent with the same runtime.
"""

import os
import statistics
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from devices.boards import ssh_device
from devices.inventory import local_device
from devices.transport.ssh import SshTransport
from devices.transport.ssh_address import route_to
from devices.transport.ssh_link import Link, Patience
from harness.core.compute_unit import ComputeUnit
from harness.core.deadline import Deadline
from harness.core.launch import LaunchOrder, LaunchRecord, MeasureSettings, Pass
from harness.core.ports import Device
from harness.sources.tflite import read_graph
from tests.benchmarks.line import print_line
from tests.support.boards import board_spec
from tests.support.models import tiny_cnn, write_model
from tests.support.sshd import Sshd, sshd

_COMMANDS = 200
_LAUNCHES = 20
_SETTINGS = MeasureSettings(inferences=5, warmup_s=0.0, warmup_max_s=0.0, max_launch_s=1.0)


def commands_ms(server: Sshd) -> tuple[list[float], list[float]]:
    """Of each command by our transport and by a channel of paramiko's, in turn; sorted."""
    transport = SshTransport("board", server.address)
    link = Link("board", Patience()).connect(route_to("board", server.address))
    ours, bare = [], []
    for _ in range(_COMMANDS):
        started = time.perf_counter()
        transport.run(("true",), Deadline(30.0))
        between = time.perf_counter()
        run_bare(link)
        ours.append((between - started) * 1e3)
        bare.append((time.perf_counter() - between) * 1e3)
    for each in (transport, link):
        each.close()
    return sorted(ours), sorted(bare)


def run_bare(link: Link) -> None:
    with link.open_session() as channel:
        channel.exec_command("true")
        while channel.recv(1024):
            pass
        channel.recv_exit_status()


def launches_ms(server: Sshd, folder: Path) -> tuple[list[float], list[float]]:
    """Of each launch by the local path and by SSH, in turn. The files are there by then."""
    model = write_model(folder, tiny_cnn())
    order = LaunchOrder(
        attempt="a",
        variant=model,
        variant_digest="0" * 64,
        pass_=Pass.LATENCY,
        unit=ComputeUnit(kind="cpu"),
        settings=_SETTINGS,
        deadline_s=60.0,
        graph=read_graph(model),
    )
    here, there = local_device(), ssh_device(board_spec(server))
    with ExitStack() as entered:
        for device in (here, there):
            entered.enter_context(device)
            launch_ms(device, order)
        pairs = [(launch_ms(here, order), launch_ms(there, order)) for _ in range(_LAUNCHES)]
    return [local for local, _ in pairs], [board for _, board in pairs]


def launch_ms(device: Device, order: LaunchOrder) -> float:
    started = time.perf_counter()
    outcome = device.launch(replace(order, attempt=uuid.uuid4().hex))  # a board starts no attempt twice
    if not isinstance(outcome, LaunchRecord):
        sys.exit(f"a launch on {device.facts.name} failed: {outcome.message}")
    return (time.perf_counter() - started) * 1e3


def main() -> None:
    with tempfile.TemporaryDirectory() as root, sshd(Path(root) / "sshd") as server:
        times, bare = commands_ms(server)
        local, board = launches_ms(server, Path(root))
    overhead = statistics.median(there - here for here, there in zip(local, board, strict=True))
    detail = {
        "min_ms": round(times[0], 2),
        "p90_ms": round(times[len(times) * 9 // 10], 2),
        "paramiko_ms": round(statistics.median(bare), 2),
        "paramiko_min_ms": round(bare[0], 2),
        "launch_overhead_ms": round(overhead, 1),
        "launch_local_ms": round(statistics.median(local), 1),
        "launch_ssh_ms": round(statistics.median(board), 1),
        "load": round(os.getloadavg()[0], 1),
    }
    print_line("ssh_exec", statistics.median(times), "ms", detail)


if __name__ == "__main__":
    main()
