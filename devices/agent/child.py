"""A launch as the supervisor sees it: a process group, its lines, the tail of its stderr, its end."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

from . import protocol
from .protocol import ProtocolError

_CHUNK = 1 << 16
_TAIL = 8192
_PR_SET_PDEATHSIG = 1
_FOREVER = float("inf")


class Child:
    """Started on creation, in its own session. Raises OSError where it cannot be started.

    environment None: the supervisor's own.
    """

    def __init__(
        self,
        identity: str,
        argv: list[str],
        order: bytes,
        deadline_s: float,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.identity = identity
        self.deadline_s = deadline_s
        self.after: dict[str, object] | None = None
        self.output_ended = False
        self.errors_ended = False
        self._reason = "exit"
        self._message = ""
        self._partial = bytearray()
        self._lines = 0
        self._tail = b""
        self._begun = time.monotonic()
        self.deadline = self._begun + deadline_s
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            bufsize=0,
            start_new_session=True,
            preexec_fn=_prepare if sys.platform.startswith("linux") else None,
        )
        self.pid = self._process.pid
        self.output = self._process.stdout.fileno()  # type: ignore[union-attr]
        self.errors = self._process.stderr.fileno()  # type: ignore[union-attr]
        for descriptor in (self.output, self.errors):
            os.set_blocking(descriptor, False)
        self._hand_over(order)

    def _hand_over(self, order: bytes) -> None:
        try:
            self._process.stdin.write(order + b"\n")  # type: ignore[union-attr]
        except BrokenPipeError:
            pass  # it is dead already, which its end will tell

    def read_lines(self) -> list[tuple[object, bytes]]:
        """The whole lines that are there, each with what it says.

        Whatever is not the agent's language kills the launch, and only it.
        """
        piece = self._read(self.output)
        if piece is None:
            self.output_ended = True
        elif self._reason == "exit":
            try:
                return self._split(piece)
            except ProtocolError as problem:
                self.kill("protocol", str(problem))
        return []

    def _split(self, piece: bytes) -> list[tuple[object, bytes]]:
        lines: list[bytes] = []
        if b"\n" in piece:
            *lines, piece = (bytes(self._partial) + piece).split(b"\n")
            self._partial.clear()
        self._partial += piece
        self._lines += len(lines)
        if len(self._partial) > protocol.MAX_LINE or self._lines > protocol.MAX_LINES:
            raise ProtocolError("it said more than a launch has to say")
        return [(self._check(line), line) for line in lines]

    def _check(self, line: bytes) -> object:
        message = protocol.parse(line)
        if message.get("id") != self.identity:
            raise ProtocolError("it speaks for {!r}".format(message.get("id"))[:200])
        protocol.check_said(message, protocol.LAUNCH_SAYS)
        return message["say"]

    def read_errors(self) -> None:
        """Keep the tail of what it wrote to stderr."""
        piece = self._read(self.errors)
        if piece is None:
            self.errors_ended = True
        else:
            self._tail = (self._tail + piece)[-_TAIL:]

    def _read(self, descriptor: int) -> bytes | None:
        """What is there, b"" for nothing yet, None at the end."""
        try:
            return os.read(descriptor, _CHUNK) or None
        except BlockingIOError:
            return b""

    def kill(self, reason: str, message: str) -> None:
        """Kill the whole group. The first reason stays."""
        if self._reason == "exit":
            self._reason, self._message = reason, message
        self.deadline = _FOREVER
        _kill_group(self.pid)

    def is_dead(self) -> bool:
        """Whether the process itself has ended. What it left behind in its group is ended then too."""
        if self._process.poll() is None:
            return False
        _kill_group(self.pid)
        return True

    def wait(self) -> None:
        """Until it has ended. Only after a kill."""
        self._process.wait()

    def close(self) -> None:
        """Give the pipes back."""
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            stream.close()  # type: ignore[union-attr]

    def end(self) -> dict[str, object]:
        """The `ended` message. exit_code is 128 + signal for a death by signal."""
        code = self._process.returncode
        return {
            "exit_code": 128 - code if code < 0 else code,
            "reason": self._reason,
            "message": self._message,
            "wall_s": time.monotonic() - self._begun,
            "stderr_tail": self._tail.decode("utf-8", "replace"),
            "after": self.after,
        }


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # PermissionError: macOS, for a group of the dead
        pass


_LIBC = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
_SUPERVISOR = os.getpid()


def _prepare() -> None:
    """In the child, before exec: what the kernel shall do with it (prctl(2), proc_pid_oom_score_adj(5)).

    It dies with a supervisor that is killed outright, and is the first to go where memory runs out.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # type: ignore[union-attr]
    if os.getppid() != _SUPERVISOR:
        os._exit(1)
    try:
        with open("/proc/self/oom_score_adj", "w") as stream:
            stream.write("1000")
    except OSError:
        pass  # no /proc, or a container that does not permit it
