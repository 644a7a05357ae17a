"""An emulated Android phone: the emulated adbd with a planted system, and an adb server of the test's own."""

import contextlib
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devices.phone import Patience, Phone, open_phone
from devices.transport.adb_server import AdbServer, bundled_adb
from harness.core.device import AdbAddress, DeviceSpec, PhoneTools
from harness.core.errors import DeviceError
from tests.support.adbd import Adbd
from tests.support.sshd import free_port

# An emulated phone does in milliseconds what it does at all; the machine is shared.
SOON = Patience(connect_s=3.0, look_s=3.0, end_s=4.0)
# It looks for no phone by itself: not on USB, for which it takes 3 s to start, nor for emulators, nor by mDNS.
_SERVER = {"ADB_USB": "0", "ADB_EMU": "0", "ADB_MDNS_AUTO_CONNECT": "0"}


@contextlib.contextmanager
def an_adb_server(home: Path) -> Iterator[int]:
    """The real adb's server on a free port, with a key of its own; its port. It is ended by its process id."""
    port = free_port()
    home.mkdir(exist_ok=True)
    environment = {**os.environ, **_SERVER, "HOME": str(home), "ANDROID_ADB_SERVER_PORT": str(port)}
    argv = (str(bundled_adb()), "-P", str(port), "server", "nodaemon")
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(argv, env=environment, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        until = time.monotonic() + 20
        while not _answers(port):
            assert process.poll() is None, "the adb server ended"
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


def _answers(port: int) -> bool:
    """Whether an adb server speaks there: a bare connection to a free port may be one to itself."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as link:
        link.sendall(b"000chost:version")
        return link.recv(4) == b"OKAY"
    return False


REPOSITORY = Path(__file__).parents[2]
SERIAL = "37021FDJH0001"
_PROPERTIES = f"""[ro.product.manufacturer]: [Google]
[ro.product.model]: [Pixel 8]
[ro.product.device]: [shiba]
[ro.hardware]: [shiba]
[ro.soc.manufacturer]: [Google]
[ro.soc.model]: [Tensor G3]
[ro.serialno]: [{SERIAL}]
[ro.build.fingerprint]: [google/shiba/shiba:14/UD1A.230803.041/10808477:user/release-keys]
[ro.build.version.release]: [14]
[ro.build.version.sdk]: [34]
[ro.build.version.security_patch]: [2023-10-05]
[ro.product.cpu.abilist]: [arm64-v8a]
[init.svc.neuralnetworks_hal]: [running]
"""
_CPUINFO = "".join(
    f"processor\t: {core}\nBogoMIPS\t: 49.15\nCPU implementer\t: 0x41\nCPU part\t: 0x{part}\n\n"
    for core, part in enumerate(["d46"] * 4 + ["d4d"] * 4 + ["d4e"])
)
_POLICIES = {0: ("0 1 2 3", 1704000), 4: ("4 5 6 7", 2367000), 8: ("8", 2914000)}
THERMAL = """IsStatusOverride: false
ThermalEventListeners:
\tcallbacks: 1
Thermal Status: 0
Cached temperatures:
\tTemperature{mValue=61.0, mType=0, mName=CPU0, mStatus=0}
HAL Ready: true
HAL connection:
\tThermalHAL AIDL 1  connected: yes
Current temperatures from HAL:
\tTemperature{mValue=31.4, mType=0, mName=BIG, mStatus=0}
\tTemperature{mValue=28.7, mType=3, mName=VIRTUAL-SKIN, mStatus=0}
\tTemperature{mValue=-99.9, mType=5, mName=PA, mStatus=0}
\tTemperature{mValue=0.0, mType=4, mName=USB, mStatus=0}
Current cooling devices from HAL:
\tCoolingDevice{mValue=0, mType=2, mName=tpu_cooling}
"""
BATTERY = """Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  Max charging current: 500000
  status: 2
  health: 2
  present: true
  level: 87
  scale: 100
  voltage: 4289
  temperature: 274
  technology: Li-ion
"""
# The phone's own programs, which keep their state in files and note what they were asked for.
_PROGRAMS = {
    "getprop": 'cat "$ANDROID_ROOT/state/properties"',
    "dumpsys": 'cat "$ANDROID_ROOT/state/dumpsys.$1" 2>/dev/null || { echo "Can\'t find service: $1" >&2; exit 1; }',
    "cmd": """
if [ "$1 $2" != "power set-fixed-performance-mode-enabled" ]; then echo "cmd: Can't find service: $1" >&2; exit 20; fi
if [ -e "$ANDROID_ROOT/state/no_fixed_performance" ]; then
  echo "Failed to set FIXED_PERFORMANCE mode"
  echo "This is likely because Power HAL AIDL is not implemented on this device"; exit 255
fi
echo "$3" > "$ANDROID_ROOT/state/fixed_performance" """,
    "svc": """
[ "$1 $2" = "power stayon" ] || exit 1
case "$3" in true) echo 15;; *) echo 0;; esac > "$ANDROID_ROOT/state/stay_on" """,
    "settings": """
[ "$2 $3" = "global stay_on_while_plugged_in" ] || exit 1
case "$1" in
  get) cat "$ANDROID_ROOT/state/stay_on" 2>/dev/null || echo null;;
  put) echo "$4" > "$ANDROID_ROOT/state/stay_on";;
  delete) rm -f "$ANDROID_ROOT/state/stay_on";;
esac""",
    "taskset": """
echo "$1" >> "$ANDROID_ROOT/state/masks"
cores=; core=0; mask=$((0x$1))
if [ -e "$ANDROID_ROOT/state/unbound" ]; then mask=511; fi
while [ $mask -gt 0 ]; do
  [ $((mask & 1)) = 0 ] || cores="$cores${cores:+,}$core"
  mask=$((mask >> 1)); core=$((core + 1))
done
printf 'Cpus_allowed_list:\\t%s\\n' "$cores" > "$ANDROID_ROOT/proc/self/status"
shift
exec "$@" """,
}


def plant(root: Path) -> Path:
    """A phone's system below root, as much of it as is looked at."""
    for folder in (
        "data/local/tmp",
        "system/bin",
        "state",
        "proc/self",
        "proc/sys/kernel/random",
        "sys/devices/system/cpu/cpufreq",
    ):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, body in _PROGRAMS.items():
        program = root / "system/bin" / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    state = root / "state"
    (state / "properties").write_text(_PROPERTIES)
    (state / "dumpsys.thermalservice").write_text(THERMAL)
    (state / "dumpsys.battery").write_text(BATTERY)
    (state / "stay_on").write_text("0\n")
    _plant_kernel(root)
    return root


def _plant_kernel(root: Path) -> None:
    (root / "proc/cpuinfo").write_text(_CPUINFO)
    (root / "proc/meminfo").write_text("MemTotal:        7858112 kB\nMemFree: 100 kB\nMemAvailable:    3000000 kB\n")
    (root / "proc/loadavg").write_text("0.42 0.50 0.60 1/900 12345\n")
    (root / "proc/uptime").write_text("5000.00 30000.00\n")
    (root / "proc/sys/kernel/random/boot_id").write_text("11111111-2222-4333-8444-555555555555\n")
    cpus = root / "sys/devices/system/cpu"
    for number, (cores, clock) in _POLICIES.items():
        policy = cpus / f"cpufreq/policy{number}"
        policy.mkdir(exist_ok=True)
        (policy / "related_cpus").write_text(f"{cores}\n")
        for name in ("cpuinfo_max_freq", "scaling_max_freq", "scaling_cur_freq"):
            (policy / name).write_text(f"{clock}\n")
        (policy / "scaling_governor").write_text("sched_pixel\n")
        for core in cores.split():
            (cpus / f"cpu{core}").mkdir(exist_ok=True)
            (cpus / f"cpu{core}/cpufreq").symlink_to(policy)


def plant_tools(folder: Path) -> Path:
    """The stand-in for benchmark_model, as a tools folder of the host has it."""
    place = folder / "arm64-v8a"
    place.mkdir(parents=True)
    tool = place / "benchmark_model"
    tool.write_text(
        f"#!/bin/sh\nexport PYTHONPATH={shlex.quote(str(REPOSITORY))}\n"
        f'exec {shlex.quote(sys.executable)} -m tests.support.benchmark_model_double "$@"\n'
    )
    tool.chmod(0o755)
    return folder


@dataclass(frozen=True, slots=True)
class Bed:
    """A phone that is attached, with all that is needed to open it. state is the folder of its programs' state."""

    phone: Adbd
    spec: DeviceSpec
    leases: Path

    @property
    def state(self) -> Path:
        return self.phone.root / "state"

    @property
    def folder(self) -> Path:
        return self.phone.root / "data/local/tmp/weighbridge"

    def behave(self, mood: str) -> None:
        """How the stand-in goes on from now."""
        (self.state / "benchmark").write_text(mood)

    def open(self) -> Phone:
        return open_phone(self.spec, self.leases, SOON)


@contextlib.contextmanager
def a_bed(folder: Path, port: int | None = None) -> Iterator[Bed]:
    """An emulated phone with the stand-in for benchmark_model, on the adb server of a port, else on one of its own."""
    tools = plant_tools(folder / "tools")
    server = contextlib.nullcontext(port) if port is not None else an_adb_server(folder / "home")
    with server as port, Adbd(plant(folder / "phone")) as phone:
        address = AdbAddress(address=phone.address, server_port=port)
        spec = DeviceSpec(name="pixel8", kind="android", adb=address, tools=PhoneTools(folder=tools))
        yield Bed(phone, spec, folder / "leases")
        with contextlib.suppress(DeviceError):
            AdbServer("test", address).ask(lambda client: client.disconnect(phone.address))
