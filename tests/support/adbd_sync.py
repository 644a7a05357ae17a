"""The emulated adbd's sync service: files, as SYNC.TXT has it."""

import asyncio
import errno
import os
import struct
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.adbd import Adbd, _Stream


@dataclass
class Sync:
    """Files: STAT, STA2, LST2, SEND and RECV."""

    phone: "Adbd"
    stream: "_Stream"

    async def serve(self) -> None:
        while True:
            kind, length = struct.unpack("<4sI", await self.stream.read(8))
            if kind == b"QUIT":
                return
            path = (await self.stream.read(length)).decode()
            if kind == b"SEND":
                await self._send(path)
            elif kind == b"RECV":
                await self._receive(self.phone.host_path(path))
            elif kind in (b"STAT", b"STA2", b"LST2"):
                await self._stat(kind, self.phone.host_path(path))
            else:
                await self._fail(f"unknown command {kind!r}")
                return

    async def _send(self, order: str) -> None:
        path, _, mode = order.rpartition(",")
        target, failure = self.phone.host_path(path), None
        try:
            out = target.open("wb", buffering=0)
        except OSError as exc:
            out, failure = None, f"couldn't create file: {exc.strerror}"
        while True:
            kind, length = struct.unpack("<4sI", await self.stream.read(8))
            if kind == b"DONE":
                break
            content = await self.stream.read(length)
            if self.phone.push_delay_s:
                await asyncio.sleep(self.phone.push_delay_s)
            if failure is None and out is not None:  # after a failure the rest is read and thrown away, as adbd does
                failure = self._write(out, content)
                if failure is not None:
                    target.unlink()
        if out is not None:
            out.close()
        if failure is not None:
            await self._fail(failure)
            return
        target.chmod(int(mode) >> 6 & 0o7 | int(mode) & 0o700 | int(mode) >> 3 & 0o70)  # for all, as adbd has it
        os.utime(target, (length, length))
        await self.stream.write(struct.pack("<4sI", b"OKAY", 0))

    def _write(self, out: FileIO, content: bytes) -> str | None:
        """What the phone says where it cannot."""
        try:
            if self.phone.is_full(len(content)):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            left = content
            while left:  # the end of a disk takes a part
                left = left[out.write(left) :]
        except OSError as exc:
            return f"write failed: {exc.strerror}"
        self.phone.received_bytes += len(content)
        return None

    async def _receive(self, source: Path) -> None:
        try:
            stream = source.open("rb")
        except OSError as exc:
            await self._fail(f"open failed: {exc.strerror}")
            return
        with stream:
            while piece := stream.read(65536):
                await self.stream.write(struct.pack("<4sI", b"DATA", len(piece)) + piece)
        await self.stream.write(struct.pack("<4sI", b"DONE", 0))

    async def _stat(self, kind: bytes, path: Path) -> None:
        try:
            found, error = path.stat(), 0
        except OSError as exc:
            found, error = None, exc.errno or 5
        if kind == b"STAT":
            numbers = (found.st_mode, found.st_size & 0xFFFFFFFF, int(found.st_mtime)) if found else (0, 0, 0)
            await self.stream.write(struct.pack("<4s3I", b"STAT", *numbers))
            return
        about = struct.Struct("<4sIQQIIIIQqqq")
        if found is None:
            await self.stream.write(about.pack(kind, error, *(0,) * 10))
            return
        times = int(found.st_atime), int(found.st_mtime), int(found.st_ctime)
        owner = found.st_nlink, found.st_uid, found.st_gid
        await self.stream.write(
            about.pack(kind, 0, found.st_dev, found.st_ino, found.st_mode, *owner, found.st_size, *times)
        )

    async def _fail(self, words: str) -> None:
        await self.stream.write(struct.pack("<4sI", b"FAIL", len(words.encode())) + words.encode())
