"""An emulated adbd: the phone's end of adb's protocol, for the real adb program and the real adbutils.

A double. It holds to packages/modules/adb: protocol.txt (CNXN, AUTH, OPEN, OKAY, WRTE, CLSE), SYNC.TXT and the shell
protocol v2 (shell_protocol.h). What it is not: an Android. Commands run in this machine's /bin/sh as this user, with
the planted phone's own programs first on the path; the phone's folders are this machine's below `root`, by rewriting
the paths of `MAPPED` in a command's text. No SELinux, no toybox, no lmkd.
"""

import asyncio
import contextlib
import os
import signal
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.adbd_sync import Sync

CNXN, AUTH, OPEN, OKAY, WRTE, CLSE = (
    int.from_bytes(word, "little") for word in (b"CNXN", b"AUTH", b"OPEN", b"OKAY", b"WRTE", b"CLSE")
)
_VERSION = 0x01000001
_MOST = 1 << 20
_TOKEN = 1
_EXIT, _CLOSE_STDIN = 3, 4  # of the shell protocol
_FEATURES = "shell_v2,cmd,stat_v2,ls_v2,fixed_push_mkdir"
_HEADER = struct.Struct("<6I")
MAPPED = (
    "/data/local/tmp",
    "/sys/devices/system/cpu",
    "/sys/class/thermal",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/loadavg",
    "/proc/uptime",
    "/proc/self/status",
    "/proc/sys/kernel/random/boot_id",
)


class _Ended(Exception):
    """The other side closed the stream."""


@dataclass(eq=False)
class _Stream:
    connection: "_Connection"
    local: int
    remote: int
    arrived: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    may_write: asyncio.Event = field(default_factory=asyncio.Event)
    rest: bytes = b""
    is_closed: bool = False

    async def read(self, count: int) -> bytes:
        while len(self.rest) < count:
            piece = await self.arrived.get()
            if piece is None:
                raise _Ended
            self.rest += piece
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    async def write(self, content: bytes) -> None:
        for at in range(0, len(content), self.connection.most):
            if self.is_closed:
                raise _Ended
            self.may_write.clear()
            await self.connection.say(WRTE, self.local, self.remote, content[at : at + self.connection.most])
            await self.may_write.wait()

    async def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            await self.connection.say(CLSE, self.local, self.remote)


class Adbd:
    """A phone on a free port of this machine. Entered: it listens; left: it and all it started is ended.

    is_authorised False: it asks for a key and takes none. is_mute: it accepts connections and says nothing, which adb
    calls offline. quota is how many bytes may lie below root/data, None for no limit. Set them at any time; cut(),
    restore() and reboot() act on what is connected.
    """

    def __init__(self, root: Path, properties: Mapping[str, str] | None = None) -> None:
        self.root = root
        self.properties = dict(properties or {"ro.product.name": "shiba", "ro.product.device": "shiba"})
        self.is_authorised = True
        self.is_mute = False
        self.quota: int | None = None
        self.push_delay_s = 0.0
        self.commands: list[str] = []
        self.received_bytes = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connections: set[_Connection] = set()
        self.pids: set[int] = set()
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> "Adbd":
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def cut(self) -> None:
        """Break every connection and take no new one, until restored. What runs is hung up on, as adbd does."""
        self._do(self._stop_listening())
        self._do(self._drop_all())

    def restore(self) -> None:
        self._do(self._listen())

    def drop(self) -> None:
        """Break every connection; new ones are taken."""
        self._do(self._drop_all())

    def reboot(self) -> None:
        """Kill all that runs, break every connection, and be another boot."""
        for pid in tuple(self.pids):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        boot = self.root / "proc/sys/kernel/random/boot_id"
        boot.write_text(f"{os.urandom(4).hex()}-0000-4000-8000-{os.urandom(6).hex()}\n")
        (self.root / "proc/uptime").write_text("12.00 40.00\n")
        self._do(self._drop_all())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(self, reader, writer)
        self._connections.add(connection)
        try:
            with contextlib.suppress(asyncio.CancelledError):  # asyncio's streams complain of a cancelled one
                await connection.serve()
        finally:
            self._connections.discard(connection)

    async def _drop_all(self) -> None:
        for connection in tuple(self._connections):
            await connection.drop()

    async def _end(self) -> None:
        await self._stop_listening()
        await self._drop_all()
        for pid in tuple(self.pids):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if tasks:
            await asyncio.wait(tasks, timeout=3)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def host_path(self, path: str) -> Path:
        """Where a path of the phone lies on this machine."""
        return Path(self.rewritten(path))

    def rewritten(self, text: str) -> str:
        for place in MAPPED:
            text = text.replace(place, f"{self.root}{place}")
        return text

    def is_full(self, more: int) -> bool:
        if self.quota is None:
            return False
        used = sum(file.stat().st_size for file in (self.root / "data").rglob("*") if file.is_file())
        return used + more > self.quota


class _Connection:
    """One host's connection."""

    def __init__(self, phone: Adbd, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.phone = phone
        self.most = 4096
        self._reader = reader
        self._writer = writer
        self._version = 0x01000000
        self._streams: dict[int, _Stream] = {}
        self._opened = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def say(self, command: int, first: int, second: int, content: bytes = b"") -> None:
        check = sum(content) & 0xFFFFFFFF if self._version < _VERSION else 0
        self._writer.write(_HEADER.pack(command, first, second, len(content), check, command ^ 0xFFFFFFFF) + content)
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    async def drop(self) -> None:
        self._writer.transport.abort()

    async def serve(self) -> None:
        try:
            while True:
                command, first, second, length, _, _ = _HEADER.unpack(await self._reader.readexactly(_HEADER.size))
                content = await self._reader.readexactly(length) if length else b""
                if not self.phone.is_mute:
                    await self._hear(command, first, second, content)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            for stream in self._streams.values():
                stream.is_closed = True
                stream.arrived.put_nowait(None)
                stream.may_write.set()
            self._writer.close()

    async def _hear(self, command: int, first: int, second: int, content: bytes) -> None:
        if command in (CNXN, AUTH):
            await self._greet(command, first, second)
        elif command == OPEN:
            self._open(first, content.rstrip(b"\0").decode())
        elif command in (WRTE, OKAY, CLSE) and second in self._streams:
            await self._pass_on(command, self._streams[second], content)

    async def _greet(self, command: int, first: int, second: int) -> None:
        if command == CNXN:
            self._version, self.most = min(first, _VERSION), min(second, _MOST)
        if not self.phone.is_authorised:
            if command == CNXN or first == 2:  # a signature that is not known: another chance, then silence
                await self.say(AUTH, _TOKEN, 0, os.urandom(20))
            return
        about = "".join(f"{key}={value};" for key, value in self.phone.properties.items())
        await self.say(CNXN, self._version, _MOST, f"device::{about}features={_FEATURES}".encode())

    def _open(self, remote: int, service: str) -> None:
        self._opened += 1
        stream = self._streams[self._opened] = _Stream(self, self._opened, remote)
        task = asyncio.ensure_future(self._serve(stream, service))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, command: int, stream: _Stream, content: bytes) -> None:
        if command == WRTE:
            stream.arrived.put_nowait(content)
            await self.say(OKAY, stream.local, stream.remote)
        elif command == OKAY:
            stream.may_write.set()
        else:
            stream.is_closed = True
            stream.arrived.put_nowait(None)
            stream.may_write.set()
            self._streams.pop(stream.local, None)

    async def _serve(self, stream: _Stream, service: str) -> None:
        head, _, rest = service.partition(":")
        serve: Callable[[], Awaitable[None]] | None = None
        if head == "exec" or head.partition(",")[0] == "shell":
            serve = _Shell(self.phone, stream, rest, is_v2="v2" in head.split(",")).serve
        elif head == "sync":
            serve = Sync(self.phone, stream).serve
        if serve is None:
            await self.say(CLSE, 0, stream.remote)
            return
        await self.say(OKAY, stream.local, stream.remote)
        with contextlib.suppress(_Ended, OSError):
            await serve()
        await stream.close()


@dataclass
class _Shell:
    """A command by /bin/sh. Where the host hangs up, the process itself gets SIGHUP, not its children: as adbd does."""

    phone: Adbd
    stream: _Stream
    command: str
    is_v2: bool

    async def serve(self) -> None:
        self.phone.commands.append(self.command)
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            self.phone.rewritten(self.command),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe if self.is_v2 else asyncio.subprocess.STDOUT,
            env=self._environment(),
            cwd=self.phone.root,
            start_new_session=True,
        )
        self.phone.pids.add(process.pid)
        listening = asyncio.ensure_future(self._feed(process))
        try:
            await asyncio.gather(
                *(self._tell(number, out) for number, out in ((1, process.stdout), (2, process.stderr)) if out)
            )
            code = await process.wait()
            if self.is_v2:
                await self.stream.write(struct.pack("<BI", _EXIT, 1) + bytes([code & 255 if code >= 0 else 128 - code]))
        finally:
            self.phone.pids.discard(process.pid)
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
            if process.returncode is None:
                self._hang_up(process)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(process.wait(), 2)
            process._transport.close()  # type: ignore[attr-defined]  # asyncio leaves it to the garbage collector

    def _environment(self) -> dict[str, str]:
        path = f"{self.phone.root}/system/bin:{os.environ.get('PATH', '/usr/bin:/bin')}"
        keep = {key: os.environ[key] for key in ("LANG",) if key in os.environ}
        return {**keep, "PATH": path, "ANDROID_ROOT": str(self.phone.root), "HOME": str(self.phone.root)}

    async def _tell(self, number: int, out: asyncio.StreamReader) -> None:
        while piece := await out.read(32768):
            await self.stream.write(struct.pack("<BI", number, len(piece)) + piece if self.is_v2 else piece)

    async def _feed(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        try:
            while True:
                if self.is_v2:
                    number, length = struct.unpack("<BI", await self.stream.read(5))
                    content = await self.stream.read(length)
                else:
                    number, content = 0, await self.stream.read(1)
                if number == 0:
                    process.stdin.write(content)
                elif number == _CLOSE_STDIN:
                    process.stdin.close()
        except _Ended:
            self._hang_up(process)

    def _hang_up(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGHUP)
