"""A bad network between two programs of this machine: slow, stalled, reset, cut. By threads, without privileges."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_CHUNK = 1 << 14
_TICK_S = 0.005
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: close says RST


@dataclass(slots=True)
class Weather:
    """How the network is now. Set its fields while it runs; they hold for every connection.

    latency_s: each piece comes so much later, one way. bytes_per_s: no more than that, each way, None for no limit.
    stalled: nothing passes and nothing is lost. cut_after: bytes towards the server after which connections are reset.
    refusing: new connections are reset at once.
    """

    latency_s: float = 0.0
    bytes_per_s: float | None = None
    stalled: bool = False
    cut_after: int | None = None
    refusing: bool = False


class TcpProxy:
    """Listens on a free port of 127.0.0.1 (port) and passes everything on to another."""

    def __init__(self, target: int) -> None:
        self.weather = Weather()
        self.passed = 0  # bytes towards the server
        self.accepted = 0  # connections
        self._target = target
        self._open = True
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._abandoned: set[socket.socket] = set()
        self._was_cut = threading.Event()
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def stall(self) -> None:
        """Nothing passes any more, both ends believe in the connection."""
        self.weather.stalled = True

    def abandon(self) -> None:
        """Nothing passes on the connections of now, for good; new ones are fine."""
        with self._lock:
            self._abandoned.update(end for pair in self._pairs for end in pair)
            self._pairs = []

    def await_reset(self, seconds: float) -> None:
        """Until a connection was reset because of cut_after."""
        self._was_cut.wait(seconds)

    def resume(self) -> None:
        self.weather.stalled = False

    def reset(self) -> None:
        """End every connection with RST; new ones are fine."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    end.shutdown(socket.SHUT_RD)
                end.close()

    def cut(self) -> None:
        """Reset, and refuse whoever comes, until restore."""
        self.weather.refusing = True
        self.reset()

    def restore(self) -> None:
        self.weather = Weather()

    def close(self) -> None:
        self._open = False
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.reset()
        for end in self._abandoned:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while self._open:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            if self.weather.refusing:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                client.close()
                continue
            self._join(client)

    def _join(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target), 5)
        except OSError:
            client.close()
            return
        for end in (client, server):
            end.settimeout(None)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._pairs.append((client, server))
            self.accepted += 1
        for source, sink, up in ((client, server, True), (server, client, False)):
            thread = threading.Thread(target=self._pass, args=(source, sink, up), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _pass(self, source: socket.socket, sink: socket.socket, up: bool) -> None:
        with contextlib.suppress(OSError):
            while self._open:
                self._wait()
                piece = source.recv(_CHUNK)
                if not piece:
                    break
                if source in self._abandoned:
                    continue
                self._weather_the(len(piece))
                if up and self._is_over(len(piece)):
                    self.reset()
                    self._was_cut.set()
                    return
                sink.sendall(piece)
        if source not in self._abandoned:
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

    def _is_over(self, size: int) -> bool:
        self.passed += size
        return self.weather.cut_after is not None and self.passed > self.weather.cut_after

    def _weather_the(self, size: int) -> None:
        """Latency for every piece: throughput falls with it, as with a real line and a small window."""
        if self.weather.latency_s:
            time.sleep(self.weather.latency_s)
        if self.weather.bytes_per_s:
            time.sleep(size / self.weather.bytes_per_s)
        self._wait()

    def _wait(self) -> None:
        while self.weather.stalled and self._open:
            time.sleep(_TICK_S)


@contextmanager
def proxy_to(port: int) -> Iterator[TcpProxy]:
    """One for the duration."""
    proxy = TcpProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
