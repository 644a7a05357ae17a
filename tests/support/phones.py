"""An emulated Android phone: the emulated adbd with a planted system, and an adb server of the test's own."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from devices.transport.adb_server import bundled_adb
from tests.support.adbd import Adbd


@contextlib.contextmanager
def an_adb_server(home: Path) -> Iterator[int]:
    """The real adb's server on a free port, with a key of its own; its port. It is ended by its process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    home.mkdir(exist_ok=True)
    environment = {**os.environ, "HOME": str(home), "ANDROID_ADB_SERVER_PORT": str(port), "ADB_MDNS_AUTO_CONNECT": "0"}
    argv = (str(bundled_adb()), "-P", str(port), "server", "nodaemon")
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(argv, env=environment, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        until = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < until, "the adb server did not start"
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


__all__ = ["Adbd", "an_adb_server"]
