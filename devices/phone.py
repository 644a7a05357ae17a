"""An Android phone as a Device: no agent runs there, its own programs and benchmark_model do.

Never run on a real phone yet: tests use the real adb against an emulated adbd.
"""

import os
import random
import socket
import statistics
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from devices import lease as leases
from devices.entered import EnteredDevice
from devices.families import android_lease, android_prepare
from devices.families.android import PhoneFacts
from devices.phone_facts import RUNTIME, ask, conditions_of, facts_of
from devices.phone_files import PhoneFiles
from devices.phone_tools import HostTools
from devices.runtimes.benchmark_model import RUNS, BenchmarkModel
from devices.runtimes.benchmark_model_flags import Tools
from devices.transport.adb import AdbTransport, quoted
from devices.transport.adb_server import CONNECT_S
from harness.core import digest
from harness.core.deadline import Deadline
from harness.core.device import AdbAddress, Canary, Cluster, Conditions, DeviceFacts, DeviceSpec, PhoneTools
from harness.core.errors import DeviceError, DeviceLost, DeviceRefused
from harness.core.launch import FailureKind, LaunchFailure, LaunchOrder, LaunchOutcome
from harness.core.units import Seconds

T = TypeVar("T")

_PATIENCE_S: Seconds = 30.0
_CANARY_BYTES = 4 << 20
_CANARY_TIMES = 4  # the file is hashed so often in one repetition
_CANARY_REPETITIONS = 5
_MARGIN_S: Seconds = 120.0
# Words after it: the file. Times in nanoseconds of the phone's clock, two a repetition. One shell call for all.
_CANARY = """
i=0
while [ $i -lt %d ]; do
  a=$(date +%%s%%N); %s sha256sum %s >/dev/null || exit 1; b=$(date +%%s%%N)
  echo "$a $b"; i=$((i + 1))
done
"""
# What launches of an earlier session left: each is ended where it still runs, and its folder removed.
_SWEEP = """
cd / || exit 0
for d in "$1"/*; do
  [ -d "$d" ] || continue
  pid=$(cat "$d/pid" 2>/dev/null)
  case "$pid" in ''|*[!0-9]*) ;; *)
    for try in 1 2 3 4 5 6 7 8 9 10; do
      [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$d" ] || break
      kill -9 "$pid" 2>/dev/null; sleep 0.2
    done;;
  esac
  rm -rf "$d"
done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a phone may take to be connected to, to say which boot it is in, and to end a launch."""

    connect_s: Seconds = CONNECT_S
    look_s: Seconds = 5.0
    end_s: Seconds = 8.0


def open_phone(spec: DeviceSpec, lease_folder: Path | None = None, patience: Patience | None = None) -> "Phone":
    """The phone of a configuration, asked for its facts. Raises DeviceError."""
    patience = patience or Patience()
    transport = AdbTransport(spec.name, spec.adb or AdbAddress(), connect_s=patience.connect_s)
    told = ask(transport)
    facts, tools = facts_of(spec, transport.serial, told)
    return Phone(
        facts, transport, told, tools, lease_folder or leases.lease_folder(), spec.tools or PhoneTools(), patience
    )


@dataclass(frozen=True, slots=True)
class _Session:
    """What is there while the phone is entered and answers."""

    runner: BenchmarkModel
    canary: str


class Phone(EnteredDevice):
    """Runs launches on one phone. Entered: leased on both sides, and prepared; left: restored.

    A loss during a launch is a LOST launch; the next call connects anew, sees that it is the same phone, prepares it
    again where it was restarted, and ends what is left of the launch. One thread measures, any thread may leave.
    """

    def __init__(
        self,
        facts: DeviceFacts,
        transport: AdbTransport,
        told: PhoneFacts,
        tools: HostTools | None,
        lease_folder: Path,
        wanted: PhoneTools,
        patience: Patience,
    ) -> None:
        super().__init__(facts)
        self._transport = transport
        self._boot_id = told.boot_id
        self._serial = told.serial
        self._tools = tools
        self._lease_folder = lease_folder
        self._wanted = wanted
        self._patience = patience
        self._files = PhoneFiles(transport)
        self._lease = android_lease.PhoneLease(transport, _token(lease_folder))
        self._held = ExitStack()
        self._entering = threading.Lock()  # leaving waits for it: what is being switched on has to be restored
        self._session: _Session | None = None
        self._is_lost = False

    def __enter__(self) -> "Phone":
        """Take the leases, prepare the phone. Raises DeviceBusy, DeviceLost, DeviceRefused, DeviceError."""
        with self._entering, ExitStack() as held:
            self._transport.reopen()
            held.enter_context(self.host_lease())
            self._check_identity()
            self._note(held.enter_context(android_lease.held(self._lease)))
            self._sweep()
            held.enter_context(android_prepare.prepared(self._transport))
            self._is_open, self._is_lost = True, False
            self._left.clear()
            self._held = held.pop_all()
        return self

    def host_lease(self) -> AbstractContextManager[None]:
        """That of this machine alone, by which its own processes take turns."""
        key = f"android-{self._facts.serial}"
        return leases.lease(self._facts.name, key, self._lease_folder)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._entering:
            self._is_open, was_open = False, self._is_open
        self._left.set()
        self._transport.close()  # what runs ends with its client
        with self._lock:
            self._session = None
            held, self._held = self._held, ExitStack()
        self._transport.reopen()
        with held:
            if was_open:
                self._clear_up()
        self._transport.close()

    def _clear_up(self) -> None:
        """End what is left. Where the phone is gone nothing more is asked of it: each question would wait for it."""
        try:
            self._transport.attach()
        except DeviceError:
            self._transport.close()
            return
        with suppress(DeviceError):
            self._sweep()

    def conditions(self) -> Conditions:
        """The phone's state now, in one round trip. Raises DeviceLost."""
        return self._again(self._conditions)

    def canary(self) -> Canary:
        """Time of hashing a fixed file with the phone's own sha256sum, on its fastest cores. Raises DeviceLost."""
        return self._again(self._canary)

    def launch(self, order: LaunchOrder) -> LaunchOutcome:
        """One launch. LOST where the phone went away during it.

        Raises DeviceLost where it does not come back, DeviceFull where no space is left on it.
        """
        session = self._attached()
        if not any(order.unit.is_offered_by(unit) for unit in self._facts.units):
            offered = ", ".join(str(unit) for unit in self._facts.units)
            return _failed(order, FailureKind.ERROR, f"{self._facts.name} cannot run {order.unit}: it offers {offered}")
        try:
            self._lease.keep(order.deadline_s + _MARGIN_S)
            model = self._files.bring(order.variant)
            outcome = session.runner.launch(order, model)
            return self._unless_rebooted(order, outcome)
        except DeviceLost as exc:
            if not self._is_open:
                raise self._closed() from exc
            self._lose()
            return _failed(order, FailureKind.LOST, self._why_lost(exc.reason))
        except OSError as exc:
            return _failed(order, FailureKind.ERROR, f"{order.variant}: {exc.strerror}")

    def _why_lost(self, reason: str) -> str:
        """Says so where the phone was restarted: it may be back by now."""
        with suppress(DeviceError):
            self._transport.attach()
            if self._boot_now() != self._boot_id:
                return f"it was restarted during the launch ({reason})"
        return reason

    def _unless_rebooted(self, order: LaunchOrder, outcome: LaunchOutcome) -> LaunchOutcome:
        """A launch that failed because the phone went down is lost, not crashed."""
        if not isinstance(outcome, LaunchFailure) or outcome.kind is not FailureKind.CRASH:
            return outcome
        if self._boot_now() == self._boot_id:
            return outcome
        self._lose()
        return _failed(order, FailureKind.LOST, "it was restarted during the launch")

    def _boot_now(self) -> str:
        done = self._transport.run(("cat", "/proc/sys/kernel/random/boot_id"), Deadline(self._patience.look_s))
        return done.stdout.decode("utf-8", "replace").strip()

    def _again(self, question: Callable[[], T]) -> T:
        self._attached()
        try:
            return question()
        except DeviceLost as exc:
            if not self._is_open:
                raise self._closed() from exc
            self._lose()
            self._attached()
            return question()

    def _attached(self) -> _Session:
        """The session, made or made anew. Raises DeviceLost, DeviceRefused."""
        with self._lock:
            if not self._is_open:
                raise self._closed()
            if self._session is None:
                if self._is_lost:
                    self._come_back()
                self._session = self._make_session()
            return self._session

    def _note(self, notice: str | None) -> None:
        if notice is not None:
            self.notices.append(notice)

    def _come_back(self) -> None:
        """After a loss: the same phone, nothing left running, leased and prepared as before."""
        self._transport.attach()
        self._check_identity()
        self._note(self._lease.take(again=True))
        self._sweep()
        android_prepare.restore(self._transport)
        android_prepare.switch_on(self._transport)
        self._is_lost = False

    def _lose(self) -> None:
        with self._lock:
            self._session = None
            self._is_lost = True
            self._files.forget()

    def _check_identity(self) -> None:
        """That what answers at the address is the phone that told the facts. Raises DeviceRefused."""
        told = ask(self._transport)
        if told.serial != self._serial:
            words = f"another phone answers at its address (serial {told.serial}, it was {self._serial})"
            raise DeviceRefused(
                self._facts.name, f"{words}; attach the old one again, or give this one a name of its own"
            )
        self._boot_id = told.boot_id

    def _sweep(self) -> None:
        self._transport.run(("sh", "-c", _SWEEP, "sweep", RUNS), Deadline(_PATIENCE_S))

    def _make_session(self) -> _Session:
        if self._tools is None:
            raise DeviceError(self._facts.name, self._facts.exclusions[0].reason)
        tools = self._bring_tools(self._tools)
        runner = BenchmarkModel(
            phone=self._transport,
            tools=tools,
            clusters=self._facts.clusters,
            version=f"{RUNTIME} {self._tools.benchmark.sum[:16]}",
            conditions=self._conditions,
            end_s=self._patience.end_s,
        )
        return _Session(runner, self._bring_canary())

    def _bring_tools(self, found: HostTools) -> Tools:
        bring, together = self._files.bring_program, self._files.bring_together
        return Tools(
            benchmark=bring(found.benchmark),
            litert=bring(found.litert) if found.litert else None,
            delegate=together([found.delegate, *found.libraries]) if found.delegate else None,
            delegate_options=self._wanted.delegate_options,
            dispatch=together(found.dispatch).rpartition("/")[0] if found.dispatch else None,
            nnapi_accelerator=self._wanted.nnapi_accelerator,
        )

    def _bring_canary(self) -> str:
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "canary"
            file.write_bytes(random.Random(0).randbytes(_CANARY_BYTES))
            return self._files.bring(file)

    def _conditions(self) -> Conditions:
        return conditions_of(self._transport)

    def _canary(self) -> Canary:
        file = self._attached().canary
        pinned = quoted(_fastest(self._facts.clusters))
        script = _CANARY % (_CANARY_REPETITIONS, pinned, quoted((file,) * _CANARY_TIMES))
        done = self._transport.shell(script, Deadline(_PATIENCE_S))
        try:
            pairs = [tuple(map(int, line.split())) for line in done.stdout.decode().splitlines()]
            samples = tuple(float(end - begin) for begin, end in pairs)
        except ValueError as exc:
            raise DeviceError(self._facts.name, f"its canary says {done.words[:200]!r}") from exc
        if done.exit_code != 0 or len(samples) != _CANARY_REPETITIONS or min(samples) <= 0:
            raise DeviceError(self._facts.name, f"its canary did not run ({done.words[:200]})")
        return Canary(median_ns=statistics.median(samples), samples_ns=samples)


def _fastest(clusters: Sequence[Cluster]) -> tuple[str, ...]:
    if not clusters:
        return ()
    return ("taskset", f"{sum(1 << core for core in clusters[-1].cores):x}")


def _token(lease_folder: Path) -> str:
    """The same for all who share this host's own lease, and for nobody else: those never hold it at once."""
    with suppress(OSError):
        lease_folder.mkdir(parents=True, exist_ok=True)  # its inode is part of the token, so it has to be there
        place = lease_folder.stat()
        mark = f"{socket.gethostname()}/{place.st_dev}/{place.st_ino}/{lease_folder}"
        boot = Path("/proc/sys/kernel/random/boot_id")
        return digest.of_bytes(f"{mark}/{boot.read_text() if boot.exists() else ''}".encode())[:32]
    return os.urandom(16).hex()


def _failed(order: LaunchOrder, kind: FailureKind, message: str) -> LaunchFailure:
    return LaunchFailure(attempt=order.attempt, pass_=order.pass_, kind=kind, message=message)
