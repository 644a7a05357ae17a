"""What has come from a process that is spoken to in lines, until somebody asks for it."""

import queue
from collections import deque
from collections.abc import Callable

from harness.core.deadline import Deadline
from harness.core.errors import DeviceLost
from harness.core.units import Seconds

LONGEST_LINE = 1 << 25
_TAIL_LINES = 40
LONGEST_TAIL_LINE = 500


class Inbox:
    """Lines of stdout and the tail of stderr. Reader threads put in, one thread takes out.

    lost makes the error of what has become of the process; await_end waits a moment, once stdout has ended, for the
    process to end and for its last words.
    """

    def __init__(self, silence_s: Seconds, lost: Callable[[str], DeviceLost], await_end: Callable[[], None]) -> None:
        self._silence_s = silence_s
        self._lost = lost
        self._await_end = await_end
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def put(self, line: bytes | None) -> None:
        """A line of stdout without its newline; None: there are no more."""
        self._lines.put(line)

    def note(self, line: bytes) -> None:
        """A line of stderr."""
        self._tail.append(line[:LONGEST_TAIL_LINE].decode("utf-8", "replace").rstrip())

    @property
    def last_words(self) -> str:
        """The tail of stderr, on one line."""
        return " / ".join(self._tail) or "nothing on stderr"

    def take(self, deadline: Deadline) -> bytes:
        """The next line. Raises what lost makes at the end, after too long a silence, and at the deadline."""
        patience = min(deadline.remaining, self._silence_s)
        try:
            line = self._lines.get(timeout=patience)
        except queue.Empty:
            raise self._lost(f"said nothing for {patience:g} s") from None
        if line is None:
            self._lines.put(None)  # the end stays the end
            self._await_end()
            raise self._lost("ended")
        return line
