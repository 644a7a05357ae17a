"""Stand-ins for an adb server, which say what a test wants to hear: SERVICES.TXT of packages/modules/adb."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Answer = Callable[[bytes], bytes]


@contextmanager
def a_stand_in(answer: Answer) -> Iterator[int]:
    """Answers each connection's one question; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_serve, args=(listening, answer), daemon=True)
        thread.start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def _serve(listening: socket.socket, answer: Answer) -> None:
    with suppress(OSError):
        while True:
            link, _ = listening.accept()
            with link:
                length = int(link.recv(4) or b"0", 16)
                link.sendall(answer(link.recv(length)))


def okay(said: str) -> bytes:
    """An answer of success."""
    return b"OKAY%04x%s" % (len(said), said.encode())
