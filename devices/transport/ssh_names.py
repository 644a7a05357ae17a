"""Addresses of a host by its name, in a thread: the system's resolver may take its time, and nothing interrupts it."""

import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Any

from harness.core.units import Seconds

_POLL_S: Seconds = 0.1
# Family, kind, protocol, canonical name, address: getaddrinfo(3).
Address = tuple[int, int, int, str, Any]


LookUp = Callable[[str, int], Sequence[Address]]


def of_a_server(host: str, port: int) -> Sequence[Address]:
    """Those of a TCP server, as the system knows them. Raises OSError."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def resolve(host: str, port: int, check: Callable[[], None], look_up: LookUp = of_a_server) -> Sequence[Address]:
    """The addresses. check is called meanwhile, and may raise to end the wait. Raises what look_up raises."""
    found: Future[Sequence[Address]] = Future()

    def ask() -> None:
        try:
            found.set_result(look_up(host, port))
        except BaseException as exc:  # raised where the addresses are asked for
            found.set_exception(exc)

    threading.Thread(target=ask, daemon=True, name=f"resolve {host}").start()
    while wait([found], _POLL_S).not_done:
        check()
    return found.result()
