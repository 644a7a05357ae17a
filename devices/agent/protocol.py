"""The agent's language: JSON lines with a version number; unknown keys are refused. See docs/agent-protocol.md.

The host reads the tables here too, so that both ends refuse the same things.
"""

from __future__ import annotations

import json
import os

VERSION = 3
MAX_REQUEST = 1 << 15  # bytes; fits a pipe's buffer, so that handing an order to a launch never blocks
MAX_LINE = 1 << 24  # bytes; the profile of 4000 operators over 200 runs is below it
MAX_LINES = 64  # a launch has at most a handful of things to say

NUMBER = (int, float)
_MAYBE_NUMBER = (int, float, type(None))
_MAYBE_INT = (int, type(None))
_MAYBE_TEXT = (str, type(None))

REQUESTS: dict[str, dict[str, object]] = {
    "facts": {},
    "conditions": {},
    "canary": {},
    "launch": {"order": dict},
    "cancel": {"launch": str},
    "prepare": {"wishes": dict},
    "keep": {},
    "stop": {},
}

# Who uses a device. Its token goes with `--owner` and is told to nobody.
OWNER: dict[str, object] = {"host": str, "user": str, "pid": int, "purpose": str, "since": NUMBER}

# What a launch reads from its supervisor, beside v.
TASK: dict[str, object] = {
    "id": str,
    "order": dict,
    "runtime": dict,
    "path": list,
    "caches": _MAYBE_TEXT,
    "cores": (list, type(None)),
    "proof": _MAYBE_TEXT,
}

ORDER: dict[str, object] = {
    "attempt": str,
    "variant": str,
    "variant_digest": str,
    "pass": str,
    "unit": dict,
    "settings": dict,
    "deadline_s": NUMBER,
    "inputs": list,
    "seed": int,
    "signature": _MAYBE_TEXT,
    "api": _MAYBE_TEXT,
    "runtime": _MAYBE_TEXT,
    "dispatch": _MAYBE_TEXT,
    "weight_cache": str,
    "delegate": (dict, type(None)),
}

UNIT: dict[str, object] = {"kind": str, "backend": _MAYBE_TEXT, "threads": _MAYBE_INT, "cluster": _MAYBE_TEXT}
# A TensorFlow Lite external delegate: its library and the options that it is given, texts by name.
DELEGATE: dict[str, object] = {"library": str, "options": dict}

SETTINGS: dict[str, object] = {
    "launches": int,
    "inferences": int,
    "max_launch_s": NUMBER,
    "warmup_inferences": int,
    "warmup_s": NUMBER,
    "warmup_max_s": NUMBER,
    "cold_starts": int,
}

PASSES = ("latency", "ops", "memory", "cold")
APIS = (None, "compiled-model", "interpreter")
WEIGHT_CACHES = ("off", "fill", "use")

CONDITIONS: dict[str, object] = {
    "taken_at": NUMBER,
    "temperatures": dict,
    "clocks_mhz": dict,
    "governor": _MAYBE_TEXT,
    "load": _MAYBE_NUMBER,
    "power": _MAYBE_TEXT,
    "memory_available_bytes": _MAYBE_INT,
    "throttled": (bool, type(None)),
    "clock_caps_mhz": dict,
    "battery_percent": _MAYBE_NUMBER,
    "thermal_status": _MAYBE_INT,
    "neighbours": _MAYBE_NUMBER,
    "prepared": dict,
}
# What the objects in conditions hold.
READINGS = {"temperatures": NUMBER, "clocks_mhz": NUMBER, "clock_caps_mhz": NUMBER, "prepared": str}

FACTS: dict[str, object] = {
    "system": str,
    "os": _MAYBE_TEXT,
    "arch": _MAYBE_TEXT,
    "processor": _MAYBE_TEXT,
    "cores": _MAYBE_INT,
    "memory_bytes": _MAYBE_INT,
    "runtimes": list,
    "accelerators": list,
    "serial": _MAYBE_TEXT,
    "clusters": list,
    "details": dict,
}
CLUSTER: dict[str, object] = {"name": str, "cores": list, "max_mhz": _MAYBE_NUMBER, "part": _MAYBE_TEXT}

RUNTIME: dict[str, object] = {"name": str, "version": _MAYBE_TEXT, "package": str, "library": _MAYBE_TEXT}
ACCELERATOR: dict[str, object] = {"unit": str, "found": list, "looked_for": list, "adapters": list}
ADAPTER: dict[str, object] = {"name": str, "software": bool, "driver": _MAYBE_TEXT}
DELEGATION: dict[str, object] = {
    "delegate": _MAYBE_TEXT,
    "full": (bool, type(None)),
    "taken": _MAYBE_INT,
    "total": _MAYBE_INT,
    "partitions": _MAYBE_INT,
}

# The profile that another program wrote, and which; its two files in base64.
TOOL: dict[str, object] = {"path": str, "sha256": str, "profile": str, "runtime_info": str}
EVENT: dict[str, object] = {"tag": str, "type": int, "first": int, "second": int, "elapsed_us": list}

# What a launch says, in this order; `profile` in an ops pass, `memory` in a memory pass, `bound` on a cluster.
LAUNCH_SAYS: dict[str, dict[str, object]] = {
    "begun": {"started_at": NUMBER, "runtime": str, "api": str, "fallback": _MAYBE_TEXT},
    "loaded": {
        "environment_ns": int,
        "compile_ns": int,
        "first_ns": int,
        "delegation": (dict, type(None)),
        "adapter": _MAYBE_TEXT,
    },
    "samples": {"wall_ns": list, "cpu_ns": list, "starts_ns": list, "warmup_ns": list, "clock_ns": NUMBER},
    "profile": {
        "events": list,
        "runs": int,
        "dropped": int,
        "unavailable": _MAYBE_TEXT,
        "tool": (dict, type(None)),
    },
    "memory": {
        "after_load": _MAYBE_INT,
        "after_run": _MAYBE_INT,
        "peak": _MAYBE_INT,
        "anonymous": _MAYBE_INT,
        "file_backed": _MAYBE_INT,
        "method": str,
    },
    "bound": {"asked": list, "cores": list},
    "done": {},
    "error": {"error": str},
}

# What the supervisor says on its own account.
SUPERVISOR_SAYS: dict[str, dict[str, object]] = {
    "hello": {"pid": int, "python": str},
    "heartbeat": {},
    "facts": {"facts": dict},
    "conditions": {"conditions": dict},
    "canary": {"samples_ns": list},
    "prepared": {"settings": dict, "refused": dict},
    "busy": {"owner": (dict, type(None)), "held_s": _MAYBE_NUMBER, "heard_s": _MAYBE_NUMBER, "error": str},
    "took_over": {"owner": dict, "held_s": _MAYBE_NUMBER, "heard_s": _MAYBE_NUMBER, "why": str},
    "refused": {"error": str},
    "started": {"pid": int, "before": dict},
    "ended": {
        "exit_code": int,
        "reason": str,
        "message": str,
        "wall_s": NUMBER,
        "stderr_tail": str,
        "after": (dict, type(None)),
    },
}


class ProtocolError(Exception):
    """A line that is not the agent's language."""


def parse(line: bytes) -> dict[str, object]:
    """One line as a message of this version. Raises ProtocolError in words."""
    try:
        message = json.loads(line.decode("utf-8"), parse_constant=_refuse)
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise ProtocolError("not a JSON line: " + repr(line[:80])) from None
    if not isinstance(message, dict):
        raise ProtocolError("not a JSON object: " + repr(line[:80]))
    if message.get("v") != VERSION:
        raise ProtocolError("protocol version {!r}, this end speaks {}".format(message.get("v"), VERSION))
    return message


def _refuse(constant: str) -> object:
    raise ValueError(constant + " is Python's, not JSON's")


def check(what: str, given: object, fields: dict[str, object]) -> dict[str, object]:
    """given, if it has exactly these fields with these types. Raises ProtocolError naming the key."""
    if not isinstance(given, dict):
        raise ProtocolError("{}: an object is wanted, not {!r}".format(what, given))
    unknown = sorted(set(given) - set(fields))
    missing = sorted(set(fields) - set(given))
    if unknown or missing:
        raise ProtocolError("{}: unknown keys {}, missing keys {}".format(what, unknown, missing))
    for key, kinds in fields.items():
        if not _is_a(given[key], kinds):
            raise ProtocolError("{}: {} is {!r}".format(what, key, given[key])[:400])
    return given


def check_task(message: dict[str, object]) -> dict[str, object]:
    """The fields of what a supervisor hands to a launch, without v, if every part of it is what the tables say."""
    task = check("launch", {key: value for key, value in message.items() if key != "v"}, TASK)
    check_order(task["order"])
    check("runtime", task["runtime"], RUNTIME)
    return task


def check_said(message: dict[str, object], sayings: dict[str, dict[str, object]]) -> dict[str, object]:
    """The fields of a message that says one of `sayings`, without v, id and say."""
    kind = message.get("say")
    if not isinstance(kind, str) or kind not in sayings:
        raise ProtocolError("says {!r}, which is not one of {}".format(kind, ", ".join(sorted(sayings))))
    body = {key: value for key, value in message.items() if key not in ("v", "id", "say")}
    return check(kind, body, sayings[kind])


def check_order(order: object) -> dict[str, object]:
    """An order, if every part of it is what the tables say."""
    checked = check("order", order, ORDER)
    check("order.unit", checked["unit"], UNIT)
    check("order.settings", checked["settings"], SETTINGS)
    if checked["delegate"] is not None:
        check("order.delegate", checked["delegate"], DELEGATE)
    for key, allowed in (("pass", PASSES), ("api", APIS), ("weight_cache", WEIGHT_CACHES)):
        if checked[key] not in allowed:
            words = ", ".join("null" if each is None else each for each in allowed)
            raise ProtocolError("order: {} is {!r}, one of {}".format(key, checked[key], words))
    if checked["weight_cache"] != "off" and checked["pass"] != "cold":
        raise ProtocolError("order: weight_cache goes with the pass cold, not {}".format(checked["pass"]))
    return checked


def _is_a(value: object, kinds: object) -> bool:
    allowed = kinds if isinstance(kinds, tuple) else (kinds,)
    if isinstance(value, bool):
        return bool in allowed
    return isinstance(value, allowed)


class Writer:
    """Writes messages to a file descriptor that nothing else writes to."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def say(self, kind: str, **fields: object) -> None:
        """One message. Raises BrokenPipeError where nobody listens any more."""
        message = dict(fields, v=VERSION, say=kind)
        self.forward(json.dumps(message, separators=(",", ":"), allow_nan=False).encode("utf-8"))

    def forward(self, line: bytes) -> None:
        """A line as it is, without its newline."""
        rest = memoryview(line + b"\n")
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


def claim_stdout() -> Writer:
    """Keep stdout for the protocol: whatever else prints to it, native code too, goes to stderr from here on."""
    writer = Writer(os.dup(1))
    os.dup2(2, 1)
    return writer
