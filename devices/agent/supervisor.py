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

from . import canary, conditions, facts, protocol, runtimes, vulkan
from .child import Child
from .protocol import ProtocolError, Writer
from .weight_cache import CacheFolder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_HEARTBEAT_S = 1.0
_CHUNK = 1 << 16
_LEFT_IN_PIPES = 32  # reads of 64 KB; Linux lets a pipe hold 1 MB at most


def main(argv: list[str]) -> int:
    """Serve stdin until it ends or `stop` comes. Everything that was started is ended by then."""
    parser = argparse.ArgumentParser(prog="agent.pyz supervise")
    parser.add_argument("--root", default="/", help="where the system's files are")
    parser.add_argument("--search", action="append", help="where runtimes are looked for, instead of sys.path")
    parser.add_argument("--launch", type=json.loads, help="JSON list: what to start for a launch, instead of this file")
    options = parser.parse_args(argv)
    own = [sys.executable, "-I", "-S", os.path.abspath(sys.argv[0]), "launch"]
    supervisor = Supervisor(protocol.claim_stdout(), options.launch or own, options.search or sys.path, options.root)
    try:
        supervisor.serve()
    except BrokenPipeError:
        pass  # nobody listens any more
    finally:
        supervisor.close()
    return 0


class Supervisor:
    """Answers requests, one launch at a time."""

    def __init__(self, writer: Writer, launch: list[str], search: list[str], root: str) -> None:
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
            # A host that was killed may have left copies of our stdin in processes that it forked.
            self._open = self._open and os.getppid() == self._parent

    def _read_requests(self) -> None:
        piece = os.read(0, _CHUNK)
        if not piece:
            self._open = False
            return
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
        if self._child is not None and kind not in ("cancel", "stop"):
            raise ProtocolError("launch {} is running".format(self._child.identity))
        handlers: dict[str, Callable[[str, dict[str, object]], None]] = {
            "facts": self._tell_facts,
            "conditions": self._tell_conditions,
            "canary": self._tell_canary,
            "launch": self._start,
            "cancel": self._cancel,
            "stop": self._stop,
        }
        handlers[kind](identity, request)

    def _tell_facts(self, identity: str, _: dict[str, object]) -> None:
        self._writer.say("facts", id=identity, facts=facts.read(self._search, self._root))

    def _tell_conditions(self, identity: str, _: dict[str, object]) -> None:
        self._writer.say("conditions", id=identity, conditions=conditions.read(self._root))

    def _tell_canary(self, identity: str, _: dict[str, object]) -> None:
        self._writer.say("canary", id=identity, samples_ns=canary.run())

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
        before = conditions.read(self._root)
        task = self._task(identity, order, runtime)
        try:
            child = Child(identity, self._launch, task, float(order["deadline_s"]), environment)  # type: ignore[arg-type]
        except OSError as problem:
            raise ProtocolError("the launch could not be started: {}".format(problem)) from problem
        self._child = child
        self._selector.register(child.output, selectors.EVENT_READ, lambda: self._pass_on(child))
        self._selector.register(child.errors, selectors.EVENT_READ, lambda: self._keep_errors(child))
        self._writer.say("started", id=identity, pid=child.pid, before=before)

    def _task(self, identity: str, order: dict[str, object], runtime: dict[str, object]) -> bytes:
        """What the launch reads, one line without its end."""
        task = {"id": identity, "order": order, "runtime": runtime, "path": self._path()}
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
                child.after = conditions.read(self._root)
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
        self._writer.say("ended", id=child.identity, **child.end())
