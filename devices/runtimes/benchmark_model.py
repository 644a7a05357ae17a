"""One launch on a phone: benchmark_model is the fresh process, its words are made into an outcome.

The tool prints a summary, no samples: LaunchRecord.summary holds it. It makes its inputs up itself.
"""

import contextlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from devices.families import android_folder
from devices.families.android_folder import FOLDER
from devices.runtimes import benchmark_model_flags as flags
from devices.runtimes.benchmark_model_output import OutputUnknown, Report, read
from devices.runtimes.benchmark_model_profile import ProfileUnknown, table_from
from devices.runtimes.evidence import with_counts
from devices.transport.adb import AdbTransport, Streamed, quoted
from devices.transport.adb_errors import is_full, unable
from harness.core.compute_unit import ComputeUnit
from harness.core.deadline import Deadline
from harness.core.device import Cluster, Conditions
from harness.core.digest import of_bytes
from harness.core.errors import DeviceError, DeviceLost
from harness.core.launch import (
    Delegation,
    FailureKind,
    LaunchFailure,
    LaunchOrder,
    LaunchOutcome,
    LaunchRecord,
    LoadTimes,
    OpTable,
    Pass,
    WeightCache,
)
from harness.core.units import Bytes, Seconds

RUNS = f"{FOLDER}/runs"
_MOST_OUTPUT: Bytes = 4 << 20
_PATIENCE_S: Seconds = 20.0
_TAIL = 4000
_KILLED, _SEGFAULT = 137, 139
_ERROR = re.compile(r"^(?:[EF] tflite\s*: |ERROR: )(?P<words>.*)$", re.MULTILINE)
_NO_GRAPH = "per-op unavailable: the order had no graph to key events to"
_BACKENDS = {"xnnpack": "xnnpack", "gpu": "gpu", "nnapi": "nnapi"}
_ALONE = {"gpu": ComputeUnit(kind="gpu"), "npu": ComputeUnit(kind="npu")}
# Ends a process group's leader by its pid file, if it is still the one: it runs in the launch's own folder.
_END = """
pid=$(cat "$1/pid" 2>/dev/null) || exit 0
case "$pid" in ''|*[!0-9]*) exit 0;; esac
for try in 1 2 3 4 5 6 7 8 9 10; do
  [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$1" ] || exit 0
  kill -9 "$pid" 2>/dev/null
  sleep 0.2
done
exit 5
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkModel:
    """Runs orders on one phone. version names the tool in records; conditions reads the phone's state.

    A phone that takes longer than end_s to end a launch is taken for lost, and asked again once it is back.
    """

    phone: AdbTransport
    tools: flags.Tools
    clusters: Sequence[Cluster]
    version: str
    conditions: Callable[[], Conditions]
    end_s: Seconds = 8.0

    def launch(self, order: LaunchOrder, model: str) -> LaunchOutcome:
        """Do one launch of the model at that path of the phone.

        Raises DeviceLost where the phone went away, DeviceFull where the launch needed space that was not there.
        """
        folder = f"{RUNS}/{of_bytes(order.attempt.encode())[:32]}"
        try:
            argv = flags.argv_of(order, model, folder, self.tools, self.clusters)
        except ValueError as exc:
            return _failed(order, FailureKind.ERROR, str(exc))
        outcome = self._launch(order, folder, argv)  # where it is lost, the next session clears its folder
        self._clear(folder)
        return outcome

    def _launch(self, order: LaunchOrder, folder: str, argv: tuple[str, ...]) -> LaunchOutcome:
        before = self.conditions()
        started = time.monotonic()
        ended = self.phone.stream_tied(_script(order, folder, argv), Deadline(order.deadline_s), _MOST_OUTPUT)
        wall_s = time.monotonic() - started
        if ended.ended_by != "exit":
            self.end(folder)
        if (failure := _failure(order, ended)) is not None:
            self._check_room(folder, failure, ended)
            return failure
        try:
            report = read(_words(ended))
            table, unavailable = self._ops(order, folder)
        except (OutputUnknown, ProfileUnknown) as exc:
            failure = _failed(order, FailureKind.PROTOCOL, str(exc), ended)
            self._check_room(folder, failure, ended)
            return failure
        return self._record(order, report, table, unavailable, wall_s, before, self._cluster(order, folder))

    def _check_room(self, folder: str, failure: LaunchFailure, ended: Streamed) -> None:
        """Raises DeviceFull where a launch failed for want of space: by its own words, else by a look at the disk."""
        what = f"a launch in {folder}"
        if (said := next((line for line in _words(ended).splitlines() if is_full(line)), None)) is not None:
            raise unable(self.phone.device, what, said)
        if ended.ended_by == "exit" and failure.kind is not FailureKind.CRASH:
            android_folder.check_room(self.phone, what)

    def _cluster(self, order: LaunchOrder, folder: str) -> str | None:
        """The one that the tool was bound to, by the kernel's word; None where it says other cores, or nothing."""
        cores = flags.cores_of(order.unit, self.clusters)
        if not cores:
            return None
        told = self.phone.run(("cat", f"{folder}/{flags.BOUND}"), Deadline(_PATIENCE_S)).stdout
        return order.unit.cluster if allowed_cores(told.decode("utf-8", "replace")) == cores else None

    def end(self, folder: str) -> None:
        """See that nothing of a launch is left running. Raises DeviceLost, DeviceError where it cannot be ended."""
        done = self.phone.run(("sh", "-c", _END, "end", folder), Deadline(self.end_s))
        if done.exit_code == 5:
            raise DeviceError(self.phone.device, "a launch cannot be ended on the phone; restart it")

    def _clear(self, folder: str) -> None:
        with contextlib.suppress(DeviceError):  # what is left is cleared by the next session
            self.phone.run(("rm", "-rf", folder), Deadline(_PATIENCE_S))

    def _ops(self, order: LaunchOrder, folder: str) -> tuple[OpTable | None, str | None]:
        if order.pass_ is not Pass.OPS:
            return None, None
        if order.graph is None:
            return None, _NO_GRAPH
        with TemporaryDirectory() as place:
            files = {name: Path(place) / name for name in (flags.PROFILE, flags.RUNTIME_INFO)}
            for name, file in files.items():
                try:
                    self.phone.fetch_file(f"{folder}/{name}", file, Deadline(_PATIENCE_S))
                except DeviceLost:
                    raise
                except DeviceError as exc:
                    android_folder.check_room(self.phone, f"{name} in {folder}")
                    return None, f"per-op unavailable: benchmark_model wrote no {name} ({exc.reason})"
            profile, info = (file.read_bytes() for file in files.values())
            return table_from(order.graph, profile, info), None

    def _record(
        self,
        order: LaunchOrder,
        report: Report,
        table: OpTable | None,
        unavailable: str | None,
        wall_s: Seconds,
        before: Conditions,
        cluster: str | None,
    ) -> LaunchRecord:
        delegation = with_counts(_delegation_of(order, report, self.tools), table)
        observed = observed_unit(order.unit, delegation, cluster)
        return LaunchRecord(
            attempt=order.attempt,
            pass_=order.pass_,
            started_at=before.taken_at,
            wall_s=wall_s,
            runtime=self.version,
            backend=_backend_of(order, delegation),
            observed=observed,
            load=LoadTimes(environment_ns=0.0, compile_ns=report.init_ns, first_ns=report.first_ns),
            samples_ns=(),
            cpu_ns=(),
            starts_ns=(),
            warmup_ns=(),
            before=before,
            after=self.conditions(),
            ops=table,
            ops_unavailable=unavailable,
            memory=report.memory if order.pass_ is Pass.MEMORY else None,
            delegation=delegation,
            weight_cache=order.weight_cache,
            summary=report.timed,
        )


def _script(order: LaunchOrder, folder: str, argv: tuple[str, ...]) -> str:
    """In a folder of its own, with its process id there, so that what is left can be found and ended.

    exec: the tool is then the process that adbd hangs up on.
    """
    place = quoted((folder,))
    steps = [f"umask 077; mkdir -p {place} {quoted((f'{FOLDER}/caches',))} && cd {place} && echo $$ > pid"]
    if order.weight_cache is WeightCache.FILL:
        steps.append(f"rm -f {quoted((flags.cache_of(order),))}")
    return " && ".join([*steps, f"exec {quoted(argv)}"])


def _words(ended: Streamed) -> str:
    return f"{ended.stdout.decode('utf-8', 'replace')}\n{ended.stderr.decode('utf-8', 'replace')}"


def _failure(order: LaunchOrder, ended: Streamed) -> LaunchFailure | None:
    if ended.ended_by == "deadline":
        return _failed(order, FailureKind.DEADLINE, f"killed: it did not end within {order.deadline_s:g} s", ended)
    if ended.ended_by == "output":
        return _failed(order, FailureKind.PROTOCOL, f"killed: it said more than {_MOST_OUTPUT >> 20} MiB", ended)
    if ended.exit_code == 0:
        return None
    if ended.exit_code == _KILLED:
        words = "the system killed it (exit code 137): out of memory, by lmkd or the kernel; a smaller model may do"
        return _failed(order, FailureKind.CRASH, words, ended)
    if ended.exit_code > 128:
        signal = ended.exit_code - 128
        kind = "a segmentation fault" if ended.exit_code == _SEGFAULT else f"signal {signal}"
        return _failed(order, FailureKind.CRASH, f"the process died by {kind} (exit code {ended.exit_code})", ended)
    said = [found["words"].strip() for found in _ERROR.finditer(_words(ended))]
    words = "; ".join(dict.fromkeys(word for word in said if word)) or ended.stderr.decode("utf-8", "replace").strip()
    return _failed(order, FailureKind.ERROR, words or f"it ended with exit code {ended.exit_code}", ended)


def _failed(order: LaunchOrder, kind: FailureKind, message: str, ended: Streamed | None = None) -> LaunchFailure:
    return LaunchFailure(
        attempt=order.attempt,
        pass_=order.pass_,
        kind=kind,
        message="; ".join(line.strip() for line in message.splitlines() if line.strip()),
        exit_code=ended.exit_code if ended is not None and ended.ended_by == "exit" else None,
        stderr_tail=_words(ended)[-_TAIL:] if ended is not None else "",
    )


def _delegation_of(order: LaunchOrder, report: Report, tools: flags.Tools) -> Delegation | None:
    """That of the delegate the unit stands for. LiteRT's npu ended well, so all was taken: it was demanded."""
    if order.unit == ComputeUnit(kind="npu") and tools.npu_is_litert:
        return Delegation(delegate="dispatch", full=True)
    if order.unit.backend == "builtin":
        return Delegation(delegate=None, full=False, taken=0, partitions=0)
    wanted = {"cpu": "xnnpack", "gpu": "gpu"}.get(order.unit.kind) or ("nnapi" if order.unit == flags.NNAPI else None)
    named = [each for each in report.delegations if wanted is None or each.delegate == wanted]
    return named[0] if named else None


def allowed_cores(text: str) -> tuple[int, ...]:
    """Those of the kernel's line `Cpus_allowed_list: 0-3,8`; none where there is none."""
    found = re.fullmatch(r"Cpus_allowed_list:\s*(?P<list>\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)", text.strip())
    ranges = [part.partition("-") for part in found["list"].split(",")] if found else []
    return tuple(core for first, _, last in ranges for core in range(int(first), int(last or first) + 1))


def observed_unit(unit: ComputeUnit, delegation: Delegation | None, cluster: str | None = None) -> ComputeUnit | None:
    """What ran, by the tool's own words: the unit where all was taken, the CPU where nothing was, else both.

    cluster is that of the cores it was seen to be bound to. None where the tool says nothing of the delegate.
    """
    if unit.kind == "cpu":
        backend = unit.backend if unit.backend == "builtin" else None
        if delegation is not None and delegation.full:
            backend = "xnnpack"
        return ComputeUnit(kind="cpu", backend=backend, cluster=cluster)
    if delegation is None or delegation.full is None:
        return None
    if delegation.full:
        return unit
    return ComputeUnit(kind="cpu") if delegation.taken == 0 else ComputeUnit(kind=f"cpu+{unit.kind}")


def _backend_of(order: LaunchOrder, delegation: Delegation | None) -> str | None:
    if order.unit.backend == "builtin":
        return "builtin"
    if delegation is None or delegation.full is None:
        return None
    if delegation.full:
        return delegation.delegate
    if order.unit.kind == "cpu":
        return "builtin" if delegation.taken == 0 else "xnnpack+builtin"
    return None
