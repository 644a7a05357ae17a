"""Lives as long as the connection: starts launches, passes their lines on, and ends what does not end.

One thread and one `select`: a heartbeat proves that the loop itself still turns.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import selectors
import signal
import sys
import time

from . import board, canary, conditions, facts, lease, pressure, proof, protocol, runtimes, vulkan
from .child import Child
from .lease import Busy, Lease, LeaseError
from .protocol import ProtocolError, Writer
from .tenure import Ended, Tenure
from .weight_cache import CacheFolder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_HEARTBEAT_S = 1.0
_BUSY = 3  # exit code
_CHUNK = 1 << 16
_LEFT_IN_PIPES = 32  # reads of 64 KB; Linux lets a pipe hold 1 MB at most


def main(argv: list[str]) -> int:
    """Serve stdin until it ends or `stop` comes. Everything that was started is ended by then."""
    parser = argparse.ArgumentParser(prog="agent.pyz supervise")
    parser.add_argument("--root", default="/", help="where the system's files are")
    parser.add_argument("--search", action="append", help="where runtimes are looked for, instead of sys.path")
    parser.add_argument("--launch", type=json.loads, help="JSON list: what to start for a launch, instead of this file")
    parser.add_argument("--lease", help="file of the lease on this device, or `auto`")
    parser.add_argument("--owner", type=json.loads, help="JSON: who takes the lease")
    parser.add_argument("--patience", type=float, help="end where the host was not heard for so many seconds")
    options = parser.parse_args(argv)
    if (options.lease is None) != (options.owner is None):
        parser.error("--lease and --owner go together")
    writer = protocol.claim_stdout()
    try:
        return _serve(writer, options)
    except Busy as busy:
        writer.say("busy", **busy.body)
        return _BUSY
    except LeaseError as problem:
        writer.say("refused", id=None, error=str(problem))
        return _BUSY
    except BrokenPipeError:
        return 0  # nobody listens any more
    except Ended as end:
        sys.stderr.write("{}\n".format(end))
        return 0


def _serve(writer: Writer, options: argparse.Namespace) -> int:
    patience_s = options.patience
    taken: Lease | None = None
    took_over: dict[str, object] | None = None
    if options.lease is not None:
        patience_s = lease.PATIENCE_S if patience_s is None else patience_s
        taken = Lease(lease.find_file(options.lease), lease.check_owner(options.owner), patience_s)
        took_over = taken.take()
    with Tenure(options.root, taken, patience_s) as tenure:
        if took_over is not None:
            writer.say("took_over", **took_over)
        own = [sys.executable, "-I", "-S", os.path.abspath(sys.argv[0])]
        search = [*(options.search or sys.path)]
        search.insert(len(search) if options.search else 0, runtimes.own_folder())
        supervisor = Supervisor(writer, options.launch or [*own, "launch"], search, options.root, tenure)
        try:
            supervisor.serve()
        finally:
            tenure.loosen()
            supervisor.close()
    return 0


class Supervisor:
    """Answers requests, one launch at a time."""

    def __init__(self, writer: Writer, launch: list[str], search: list[str], root: str, tenure: Tenure) -> None:
        self._tenure = tenure
        self._pressure = pressure.Pressure(root, self._own_cpu_s)
        self._clusters: list[dict[str, object]] | None = None
        self._proofs: dict[str, str] = {}
        self._writer = writer
        self._launch = launch
        self._search = search
        self._root = root
        self._selector = selectors.DefaultSelector()
        self._requests = b""
        self._child: Child | None = None
        self._caches = CacheFolder()
        self._runtimes: list[dict[str, object]] = []
        self._adapters: vulkan.Survey | None = None
        self._open = True
        self._parent = os.getppid()
        self._next_beat = time.monotonic()

    def serve(self) -> None:
        """Turn until stdin ends."""
        self._caches.remove_those_of_the_dead()
        self._wake_on_death_of_a_child()
        self._selector.register(0, selectors.EVENT_READ, self._read_requests)
        self._writer.say("hello", pid=os.getpid(), python=platform.python_version())
        while self._open:
            for key, _ in self._selector.select(self._patience()):
                key.data()
            self._beat()
            if self._child is not None:
                self._look_after(self._child)

    def close(self) -> None:
        """End the launch that is running, if any, and leave nothing behind."""
        if self._child is not None:
            self._child.kill("cancelled", "the connection ended")
            self._child.wait()
        self._caches.remove()

    def _wake_on_death_of_a_child(self) -> None:
        reading, writing = os.pipe()
        for end in (reading, writing):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writing)
        self._selector.register(reading, selectors.EVENT_READ, lambda: os.read(reading, _CHUNK))

    def _patience(self) -> float:
        until = self._next_beat
        if self._child is not None:
            until = min(until, self._child.deadline)
        return max(0.0, until - time.monotonic())

    def _beat(self) -> None:
        now = time.monotonic()
        if now >= self._next_beat:
            self._next_beat = now + _HEARTBEAT_S
            self._writer.say("heartbeat")
            self._tenure.sign()
            # A host that was killed may have left copies of our stdin in processes that it forked.
            self._open = self._open and os.getppid() == self._parent

    def _read_requests(self) -> None:
        piece = os.read(0, _CHUNK)
        if not piece:
            self._open = False
            return
        self._tenure.hear()
        self._requests += piece
        while b"\n" in self._requests:
            line, self._requests = self._requests.split(b"\n", 1)
            self._answer(line)
        if len(self._requests) > protocol.MAX_REQUEST:
            self._requests = b""
            self._writer.say("refused", id=None, error="a request is longer than {}".format(protocol.MAX_REQUEST))

    def _answer(self, line: bytes) -> None:
        identity: object = None
        try:
            if len(line) > protocol.MAX_REQUEST:
                raise ProtocolError("a request is longer than {}".format(protocol.MAX_REQUEST))
            message = protocol.parse(line)
            identity = message.pop("id", None)
            self._do(identity, message)
        except ProtocolError as problem:
            self._writer.say("refused", id=identity, error=str(problem))

    def _do(self, identity: object, message: dict[str, object]) -> None:
        kind = message.pop("do", None)
        message.pop("v")
        if not isinstance(identity, str) or not isinstance(kind, str) or kind not in protocol.REQUESTS:
            raise ProtocolError("a request has a text `id` and a `do`, one of " + ", ".join(sorted(protocol.REQUESTS)))
        request = protocol.check(kind, message, protocol.REQUESTS[kind])
        if self._child is not None and kind not in ("cancel", "keep", "stop"):
            raise ProtocolError("launch {} is running".format(self._child.identity))
        handlers: dict[str, Callable[[str, dict[str, object]], None]] = {
            "facts": self._tell_facts,
            "conditions": self._tell_conditions,
            "canary": self._tell_canary,
            "launch": self._start,
            "cancel": self._cancel,
            "prepare": self._prepare,
            "keep": self._keep,
            "stop": self._stop,
        }
        handlers[kind](identity, request)

    def _tell_facts(self, identity: str, _: dict[str, object]) -> None:
        self._writer.say("facts", id=identity, facts=facts.read(self._search, self._root))

    def _tell_conditions(self, identity: str, _: dict[str, object]) -> None:
        self._writer.say("conditions", id=identity, conditions=self._read_conditions())

    def _tell_canary(self, identity: str, _: dict[str, object]) -> None:
        self._writer.say("canary", id=identity, samples_ns=canary.run())

    def _read_conditions(self) -> dict[str, object]:
        read = conditions.read(self._root)
        told = [each for each in (read["throttled"], self._pressure.throttled()) if each is not None]
        throttled = any(told) if told else None
        prepared, neighbours = self._tenure.preparation.in_force(), self._pressure.neighbours()
        return dict(read, throttled=throttled, prepared=prepared, neighbours=neighbours)

    def _own_cpu_s(self) -> float:
        return pressure.of_processes(None if self._child is None else self._child.pid)

    def _prepare(self, identity: str, request: dict[str, object]) -> None:
        settings, refused = self._tenure.preparation.switch(request["wishes"])  # type: ignore[arg-type]
        self._writer.say("prepared", id=identity, settings=settings, refused=refused)

    def _keep(self, _: str, __: dict[str, object]) -> None:
        """That the host lives is all that it says."""

    def _stop(self, _: str, __: dict[str, object]) -> None:
        self._open = False

    def _cancel(self, identity: str, request: dict[str, object]) -> None:
        if self._child is None or self._child.identity != request["launch"]:
            raise ProtocolError("launch {} is not running".format(request["launch"]))
        self._child.kill("cancelled", "cancelled by request {}".format(identity))

    def _start(self, identity: str, request: dict[str, object]) -> None:
        order = protocol.check_order(request["order"])
        runtime = self._find_runtime(order["runtime"])  # type: ignore[arg-type]
        environment = self._environment(order["unit"])  # type: ignore[arg-type]
        task = self._task(identity, order, runtime)
        before = self._read_conditions()
        self._tenure.admit(order)
        try:
            child = Child(identity, self._launch, task, float(order["deadline_s"]), environment)  # type: ignore[arg-type]
        except OSError as problem:
            raise ProtocolError("the launch could not be started: {}".format(problem)) from problem
        self._child = child
        self._tenure.started(order, child.pid)
        self._selector.register(child.output, selectors.EVENT_READ, lambda: self._pass_on(child))
        self._selector.register(child.errors, selectors.EVENT_READ, lambda: self._keep_errors(child))
        self._writer.say("started", id=identity, pid=child.pid, before=before)

    def _task(self, identity: str, order: dict[str, object], runtime: dict[str, object]) -> bytes:
        """What the launch reads, one line without its end."""
        task: dict[str, object] = {"id": identity, "order": order, "runtime": runtime, "path": self._path()}
        task.update(cores=self._cores_of(order["unit"]), proof=self._prove(order, runtime))  # type: ignore[arg-type]
        line = json.dumps(dict(task, v=protocol.VERSION, caches=self._find_caches(order))).encode()
        if len(line) >= protocol.MAX_REQUEST:
            words = "the order, the runtime and its path take {} bytes, a launch reads {} at most"
            raise ProtocolError(words.format(len(line) + 1, protocol.MAX_REQUEST))
        return line

    def _environment(self, unit: dict[str, object]) -> dict[str, str] | None:
        """What a launch has to see from its start, None for ours: on a GPU its adapters alone, sought once."""
        if unit["kind"] != "gpu" or not sys.platform.startswith("linux"):
            return None
        if self._adapters is None:
            self._adapters = vulkan.survey(self._root)
        kind = "software" if unit["backend"] == "software" else "hardware"
        environment = self._adapters.environment(kind == "software", os.environ)
        if environment is None:
            raise ProtocolError("no {} adapter was found; `devices` says what was looked for".format(kind))
        return environment

    def _cores_of(self, unit: dict[str, object]) -> list[int] | None:
        """The cores that a launch is bound to, None for all."""
        if unit["cluster"] is None:
            return None
        if self._clusters is None:
            self._clusters = board.clusters(self._root)
        for each in self._clusters:
            if each["name"] == unit["cluster"]:
                return each["cores"]  # type: ignore[return-value]
        there = ", ".join(str(each["name"]) for each in self._clusters) or "none"
        raise ProtocolError("no cluster {} here; there are: {}".format(unit["cluster"], there))

    def _prove(self, order: dict[str, object], runtime: dict[str, object]) -> str | None:
        """Whether per-op of this runtime can be trusted here, where that has to be proven; once for each library."""
        if order["pass"] != "ops" or not proof.is_wanted(runtime):
            return None
        library = str(runtime["library"])
        if library not in self._proofs:
            self._proofs[library] = proof.seek(runtime, self._path(), self._beat)
            self._tenure.hear()  # the host may have spoken meanwhile
        return self._proofs[library]

    def _find_caches(self, order: dict[str, object]) -> str | None:
        """The folder of weight caches, where the order has to do with one."""
        try:
            return None if order["weight_cache"] == "off" else self._caches.path()
        except OSError as problem:
            raise ProtocolError("no folder for weight caches can be made: {}".format(problem)) from problem

    def _path(self) -> list[str]:
        """Where a launch, which starts without site-packages, may import from."""
        return [os.path.abspath(entry) for entry in [*self._search, *sys.path[1:]] if entry]

    def _find_runtime(self, name: str | None) -> dict[str, object]:
        """Found once: looking through sys.path is not for every launch."""
        found = runtimes.choose(self._runtimes, name)
        if found is None:
            self._runtimes = runtimes.find(self._search)
            found = runtimes.choose(self._runtimes, name)
        if found is None:
            raise ProtocolError(runtimes.lacking(self._runtimes, name, self._search))
        return found

    def _pass_on(self, child: Child) -> None:
        for said, line in child.read_lines():
            if said == "done":
                child.after = self._read_conditions()
            self._writer.forward(line)
        if child.output_ended:
            self._forget(child.output)

    def _keep_errors(self, child: Child) -> None:
        child.read_errors()
        if child.errors_ended:
            self._forget(child.errors)

    def _forget(self, descriptor: int) -> None:
        if descriptor in self._selector.get_map():
            self._selector.unregister(descriptor)

    def _drain(self, child: Child) -> None:
        """Read what a dead launch left in its pipes, no more: something that fled its group may hold them open."""
        for _ in range(_LEFT_IN_PIPES):
            if not child.output_ended:
                self._pass_on(child)
            if not child.errors_ended:
                self._keep_errors(child)
        self._forget(child.output)
        self._forget(child.errors)

    def _look_after(self, child: Child) -> None:
        """Kill it at its deadline; once it is dead, say how it ended."""
        if time.monotonic() >= child.deadline:
            child.kill("deadline", "did not end in {:g} s".format(child.deadline_s))
        if not child.is_dead():
            return
        self._drain(child)
        self._child = None
        child.close()
        self._tenure.ended()
        self._writer.say("ended", id=child.identity, **child.end())
