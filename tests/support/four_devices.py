"""One campaign over four devices at once: this machine, and doubles of a board, of an Edge TPU's board and of a phone.

What is real: sshd twice, adb, the agents, LiteRT on all four. What is not says so in its name.
"""

import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.core.device import SshAddress
from tests.support.edgetpu_models import build_fake_edgetpu, install_fake_compiler
from tests.support.phones import Bed, a_bed
from tests.support.sshd import Sshd, sshd

LOCAL, BOARD, CORAL, PHONE = "local", "board (sshd here)", "coral (FakeEdgeTpu)", "phone (emulated)"
PASSWORD_ENV, PASSWORD = "FOUR_DEVICES_PASSWORD", "correct horse battery staple"  # unlocks nothing
COMPILED = "int8-edgetpu+edgetpu"
_CONFIG = """
name: four devices
models: [digits]
variants: [float32, int8, {compiled}]
units: [cpu, edgetpu]
measure: {{launches: 2, inferences: 20, warmup_s: 0.05, cold_starts: 0}}
limits: {{neighbours: null, canary: null}}
devices:
  - local
  - {{name: "{board}", kind: ssh, {board_address}}}
  - {{name: coral, kind: edgetpu, accelerator: usb, library: {library}, compiler: {compiler}, {coral_address}}}
  - {{name: "{phone}", kind: android, address: "{phone_address}", server_port: {server_port}, tools: {tools}}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FourDevices:
    """All four, ready to be measured. cache is where this host keeps its agent and its secret."""

    config: Path
    cache: Path
    board: Sshd
    coral: Sshd
    bed: Bed

    @property
    def environment(self) -> dict[str, str]:
        """What the command is given besides this process's own."""
        return {"XDG_CACHE_HOME": str(self.cache), PASSWORD_ENV: PASSWORD}

    @property
    def places(self) -> tuple[str, ...]:
        """Where each device's files lie: what runs there has one of them in its command line."""
        return (str(self.cache), str(self.board.home), str(self.coral.home), str(self.bed.folder))

    def running(self) -> list[str]:
        """Command lines of what runs on the devices now."""
        return [line for line in _command_lines() if any(place in line for place in self.places)]

    def left_on(self) -> list[Path]:
        """Notes of what is switched on, on the boards."""
        return [path for server in (self.board, self.coral) for path in server.folder.rglob("*.prepared")]


@contextmanager
def four_devices(folder: Path) -> Iterator[FourDevices]:
    """For the duration."""
    compiler = install_fake_compiler(folder, FAKE_EDGETPU_UNSUPPORTED="SOFTMAX")
    with sshd(folder / "board") as board, sshd(folder / "coral") as coral, a_bed(folder / "phone") as bed:
        adb, tools = bed.spec.adb, bed.spec.tools
        assert adb is not None
        assert tools is not None
        config = folder / "four.yaml"
        text = _CONFIG.format(
            compiled=COMPILED,
            board=BOARD,
            board_address=f"{address_text(board.address)}, password_env: {PASSWORD_ENV}",
            library=build_fake_edgetpu(folder),
            compiler=compiler,
            coral_address=f"{address_text(coral.address)}, password_env: {PASSWORD_ENV}",
            phone=PHONE,
            phone_address=adb.address,
            server_port=adb.server_port,
            tools=tools.folder,
        )
        config.write_text(text)
        yield FourDevices(config=config, cache=folder / "cache", board=board, coral=coral, bed=bed)


def address_text(of: SshAddress) -> str:
    return (
        f"host: {of.host}, port: {of.port}, user: {of.user}, key: {of.key}, known_hosts: {of.known_hosts}, "
        f"ssh_config: {of.ssh_config}, python: {sys.executable}"
    )


def _command_lines() -> Iterator[str]:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
