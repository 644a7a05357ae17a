"""The lists of `devices`: what each device is, its state now, what it wants; and the phones of this machine."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from harness.core.device import ABSENT, DeviceFacts
from harness.core.survey import Cleaned, Phones, Seen, Want
from reports.listings import device_fields, devices_text
from reports.names import clipped
from reports.numbers import size
from reports.op_view import Fields

_LONGEST = 600
_ADD = """\
more devices go into a configuration; `run_bench.py devices CONFIG` then looks at them:
  models: [digits]
  devices:
    - {name: board, kind: ssh, host: HOST, user: USER}         # a Linux board: docs/ssh.md
    - {name: coral, kind: edgetpu, accelerator: usb}           # an Edge TPU, here or by `host`: docs/edgetpu.md
    - {name: phone, kind: android, serial: SERIAL}             # a phone by adb: docs/android.md"""


def seen_fields(seen: Seen, wants: Sequence[Want]) -> Fields:
    """The keys that `devices --json` promises of a device; of one that did not answer the facts are empty."""
    facts = seen.facts or DeviceFacts(name=seen.name, family=ABSENT, simulated=False)
    return {
        **device_fields(facts),
        "kind": seen.kind,
        "problem": seen.problem,
        "conditions": asdict(seen.now) if seen.now else None,
        "over": [want.what for want in seen.over],
        "unknown": list(seen.unknown),
        "held": seen.held,
        "wants": [asdict(want) for want in wants],
    }


def seen_text(found: Iterable[Seen], wants: Mapping[str, Sequence[Want]]) -> str:
    """One paragraph a device. wants by the device's name."""
    return "\n\n".join(_paragraph(seen, wants.get(seen.name, ())) for seen in found)


def _paragraph(seen: Seen, wants: Sequence[Want]) -> str:
    if seen.facts is None:
        return clipped(f"{seen.name} ({seen.kind}): does not answer: {seen.problem}", _LONGEST)
    lines = [*_state_lines(seen), *(f"want: {want.what}: {want.advice}" for want in wants)]
    return "\n".join([devices_text([seen.facts]), *(f"  {clipped(line, _LONGEST)}" for line in lines)])


def _state_lines(seen: Seen) -> list[str]:
    unknown = [f"unknown at a first look, and so not judged: {', '.join(seen.unknown)}"] if seen.unknown else []
    held = [f"in use: {seen.held}"] if seen.held else []
    return [*held, *(f"over its limit: {want.what}; {want.advice}" for want in seen.over), *unknown]


def phones_text(phones: Phones) -> str:
    """The phones that adb sees, and how to add more devices."""
    lines = [
        clipped(f"  {phone.serial}: {phone.state}{f': {phone.advice}' if phone.advice else ''}", _LONGEST)
        for phone in phones.found
    ]
    head = f"phones ({phones.server})" if lines else f"phones: none ({phones.server})"
    return "\n".join([head, *lines, "", _ADD])


def phones_fields(phones: Phones) -> Fields:
    """The key `phones` of `devices --json`."""
    return {"server": phones.server, "found": [asdict(phone) for phone in phones.found]}


def cleaned_text(cleaned: Cleaned) -> str:
    """What went from a device."""
    return f"{cleaned.name}: removed {cleaned.files} files, {size(cleaned.bytes)}"
