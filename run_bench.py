#!/usr/bin/env python3
"""Weighbridge: weigh every variant of an on-device model before you ship it."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

try:
    import click
except ModuleNotFoundError as missing:
    print(
        f"{missing.name} is not here; `make bench` makes the environment, `. .venv/bin/activate` enters it",
        file=sys.stderr,
    )
    sys.exit(2)

from harness import __version__
from harness.core.errors import ConfigError, DeviceError, WeighbridgeError
from harness.core.interruption import Interruption

if TYPE_CHECKING:
    from harness.config import Config
    from harness.core.device import DeviceSpec
    from harness.core.ports import Device
    from harness.core.survey import Seen
    from harness.places import Places
    from harness.quarantine import Quarantine
    from harness.store import Store

FIRST = Path(__file__).parent / "examples" / "first.yaml"
FINE, WRONG_USAGE, INCOMPLETE = 0, 2, 3
INTERRUPTION = Interruption()

Command = Callable[..., Any]


def _bench(command: Command) -> Command:
    kept = "Folder for results, variants and reports."
    path = click.Path(path_type=Path, file_okay=False)
    option = click.option(
        "--bench", type=path, default=".bench", show_default=True, envvar="WEIGHBRIDGE_BENCH", help=kept
    )
    return option(command)


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
_only = click.option("--only", metavar="PATTERN", help="Only cells whose model/variant/device/unit matches the glob.")
_dry_run = click.option("--dry-run", is_flag=True, help="Measure on the simulated device in place of real ones.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="weighbridge")
def cli() -> None:
    """Weigh every variant of an on-device model before you ship it.

    Exit codes: 0 fine; 2 wrong usage or config; 3 incomplete, everything else was done and saved.
    """


@cli.command()
@click.argument("config", required=False, metavar="[CONFIG]")
@_bench
@_json
def doctor(config: str | None, bench: Path, as_json: bool) -> int:
    """Say what this machine can measure, and what would make its numbers better.

    With CONFIG also what each of its devices wants, and the command that helps.
    """
    from devices.attached import attached_phones
    from devices.inventory import local_state
    from harness.doctor import examine, examine_device, examine_phones

    looked = [examine_device(seen, config) for seen in _survey(config)] if config else []
    more = [finding for each in looked for finding in each] if config else examine_phones(attached_phones())
    findings = [*examine(*local_state(), bench), *more]
    if as_json:
        _print_json({"findings": [finding.fields() for finding in findings]})
    else:
        click.echo("\n".join(str(finding) for finding in findings))
    return FINE if all(finding.ok for finding in findings) else INCOMPLETE


@cli.command()
@click.argument("config", required=False, metavar="[CONFIG]")
@click.option("--release", metavar="NAME", help="Lift a device's quarantine; its history stays.")
@click.option(
    "--clean", is_flag=True, help="Remove what the bench left on the devices; one that is in use is left alone."
)
@click.option(
    "--older-than",
    "days",
    metavar="DAYS",
    type=click.IntRange(min=0),
    help="--clean: what was not used for so many days, 0 for all.  [default: 30]",
)
@_bench
@_json
def devices(config: str | None, release: str | None, clean: bool, days: int | None, bench: Path, as_json: bool) -> int:
    """List devices with their compute units, their state, who uses them, what they want, and their troubles.

    Without CONFIG: this machine, and the phones that adb sees. With CONFIG: each of its devices is asked.
    """
    if release is not None and (config or clean):
        raise ConfigError("--release lifts one device's quarantine; leave out CONFIG and --clean")
    if days is not None and not clean:
        raise ConfigError("--older-than says what --clean removes; give both")
    if clean and as_json:
        raise ConfigError("--clean prints what it removed; leave out --json")
    if release is not None:
        return _release(release, _places(bench))
    return _clean(config or "local", 30 if days is None else days) if clean else _list(config, _places(bench), as_json)


def _list(config: str | None, places: "Places", as_json: bool) -> int:
    """Exit code of `devices`: 3 where one does not answer."""
    from devices.attached import attached_phones
    from harness.doctor import wants_of
    from harness.quarantine import record_at
    from reports import device_listing
    from reports.troubles import record_fields, record_text

    record = record_at(places.store)
    held = {device: kept.reason for device, kept in record.quarantines.items()}
    found = _survey(config or "local")
    wants = {seen.name: wants_of(seen, config or "local") for seen in found}
    phones = None if config else attached_phones()
    if as_json:
        rows = [device_listing.seen_fields(seen, wants[seen.name]) for seen in found]
        more = {"phones": device_listing.phones_fields(phones)} if phones else {}
        _print_json({"devices": rows, **more, **record_fields(record.troubles, held)})
    else:
        attached = device_listing.phones_text(phones) if phones else ""
        parts = (device_listing.seen_text(found, wants), attached, record_text(record.troubles, held))
        click.echo("\n\n".join(filter(None, parts)))
    return INCOMPLETE if any(seen.problem for seen in found) else FINE


def _survey(target: str) -> "Sequence[Seen]":
    """Look at the devices of a configuration, or at this machine by its name."""
    from devices.survey import survey
    from harness.config_source import devices_of

    specs, limits = devices_of(target)
    return survey(
        specs, limits, lambda late: click.echo(f"waiting for {', '.join(late)}", err=True), INTERRUPTION.check
    )


def _clean(target: str, days: int) -> int:
    """Exit code of `devices --clean`."""
    from devices.cleaning import clean_device
    from reports.device_listing import cleaned_text

    def clean_one(spec: "DeviceSpec") -> None:
        click.echo(f"{spec.name}: looking for what the bench left there", err=True)
        click.echo(cleaned_text(clean_device(spec, days)))

    return _on_each(target, clean_one, otherwise="; nothing was removed")


def _on_each(target: str, work: "Callable[[DeviceSpec], None]", otherwise: str = "") -> int:
    """Exit code of work on each device of a target; what one has against it is told, and the others go on."""
    from harness.config_source import devices_of

    code = FINE
    for spec in devices_of(target)[0]:
        try:
            work(spec)
        except DeviceError as error:
            click.echo(f"{error}{otherwise}", err=True)
            code = INCOMPLETE
    return code


@cli.command()
@click.argument("target", metavar="DEVICE|CONFIG")
@click.option(
    "--wheels",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder with the runtime's wheels. Default: pip downloads them here.",
)
@click.option(
    "--benchmark-model",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Also send this program, for operators where a runtime has no profiler (docs/boards.md).",
)
def setup(target: str, wheels: Path | None, benchmark_model: Path | None) -> int:
    """Install the runtime on devices, into a directory of its own. They need no internet and no pip.

    CONFIG sets up each of its devices that can be; DEVICE is `local`, this machine.
    """
    from devices.setup import set_up
    from devices.tool_setup import send_tool

    def set_up_one(spec: "DeviceSpec") -> None:
        click.echo(str(set_up(spec, wheels, lambda words: click.echo(words, err=True))))
        if benchmark_model is not None:
            click.echo(send_tool(spec, benchmark_model))

    return _on_each(target, set_up_one)


@cli.command()
@click.argument("source", required=False, metavar="[MODEL|CONFIG]")
@click.option("--format", "format_", type=click.Choice(["tflite", "mlpackage"]), help="Variants of this format alone.")
@click.option(
    "--prune",
    is_flag=True,
    help="Remove what this version would build anew, and what was left over an hour ago or more.",
)
@_bench
@_json
def variants(source: str | None, format_: str | None, prune: bool, bench: Path, as_json: bool) -> int:
    """Build variants without measuring them: sizes, fidelity, accuracy.

    MODEL is a shipped model's name, a .tflite, an .mlpackage or a folder of them, and gets its format's default set.
    A shipped model is a .tflite unless --format says otherwise.
    """
    from harness.building import build_only
    from harness.core.variant import BuildFailed
    from harness.intake import take_in
    from reports.listings import unread_lines, variants_fields, variants_text
    from reports.progress import progress

    places = _places(bench)
    if prune and source:
        raise ConfigError("--prune looks at all that was built; leave out the model")
    if prune:
        return _say_pruned(places)
    intake = take_in(_config_of(source, format_)[0], places)
    with progress("building") as (step,):
        chosen = [model for model in intake.models if format_ in (None, model.format)]
        built = build_only(intake.specs, chosen, places.variants, step, INTERRUPTION.check)
    if as_json:
        _print_json(variants_fields(built))
    elif built:
        click.echo(variants_text(built))
    elif not intake.failed:
        click.echo(f"{source or 'the shipped models'}: nothing of the format {format_} there", err=True)
    _say(unread_lines(intake.failed))
    failed = any(isinstance(outcome, BuildFailed) and not outcome.refused for outcome in built)
    return INCOMPLETE if intake.failed or failed else FINE


@cli.command()
@click.argument("source", required=False, metavar="[CONFIG|MODEL]")
@_only
@_dry_run
@_bench
@_json
def plan(source: str | None, only: str | None, dry_run: bool, bench: Path, as_json: bool) -> int:
    """Show what a run would do, and about how long it would take."""
    from harness.bench import estimate_s
    from harness.intake import take_in
    from harness.planning import plan_of
    from harness.quarantine import record_at
    from reports.listings import plan_fields, plan_text, unread_lines

    places = _places(bench)
    chosen, _ = _config_of(source)
    facts = [device.facts for device in _open(chosen, dry_run)]
    intake = take_in(chosen, places)
    made = plan_of(chosen, intake, facts, only, record_at(places.store).among(facts))
    shown = (made.cells, made.skipped, made.exclusions, estimate_s(made, intake.models))
    if as_json:
        _print_json(plan_fields(*shown, warnings=made.surprises))
    else:
        click.echo(plan_text(*shown, warnings=made.surprises))
    _say(unread_lines(intake.failed))
    return INCOMPLETE if intake.failed else FINE


@cli.command()
@click.argument("source", required=False, metavar="[CONFIG|MODEL]")
@click.option(
    "--resume", is_flag=True, help="Finish a campaign that was interrupted: CONFIG's, the one named, or the latest."
)
@_only
@_dry_run
@_bench
def run(source: str | None, resume: bool, only: str | None, dry_run: bool, bench: Path) -> int:
    """Build, measure, compare, report. Without CONFIG: the shipped models on this machine.

    MODEL is a shipped model's name, a .tflite, an .mlpackage or a folder of them, and gets its format's default set.

    The last line of the output is the report's path, the line before it the campaign's id.
    """
    from devices.opening import enter_devices
    from harness.bench import Origin, begin
    from harness.intake import take_in
    from harness.planning import plan_of
    from harness.quarantine import record_of
    from harness.resuming import campaign_to_resume, config_begun_with
    from harness.store import Store
    from reports.listings import absent_lines, warning_lines

    if resume and (only or dry_run):
        raise ConfigError("--resume finishes what was begun, as it was begun; leave out --only and --dry-run")
    places = _places(bench)
    asked = None if resume else _config_of(source)  # a wrong one leaves no store behind
    with Store.open(places.store) as store, ExitStack() as stack:
        if resume and (found := campaign_to_resume(store, source, FIRST, places)):
            opened = _open(config_begun_with(found), found.dry_run)
            quarantined = record_of(store).among(device.facts for device in opened)
            targets = enter_devices(opened, stack, leave_alone=quarantined, check=INTERRUPTION.check)
            return _measure(store, found.id, targets, places, quarantined)
        if resume:
            click.echo(f"{source}: never ran as it stands now; starting a new campaign", err=True)
        chosen, path = asked or _config_of(source)
        opened = _open(chosen, dry_run)
        facts = [device.facts for device in opened]
        quarantined = record_of(store).among(facts)
        targets = enter_devices(opened, stack, leave_alone=quarantined, check=INTERRUPTION.check)
        _say(absent_lines(facts))
        intake = take_in(chosen, places)
        made = plan_of(chosen, intake, facts, only, quarantined)
        _say(warning_lines(made.surprises))
        campaign = begin(store, chosen, Origin(path=path, dry_run=dry_run), intake, made, facts)
        return _measure(store, campaign, targets, places, quarantined)


@cli.command()
@click.argument("campaign", required=False)
@click.option("--format", "format_", type=click.Choice(["html", "json", "csv", "markdown", "trace"]), default="html")
@click.option("-o", "--output", metavar="FILE", help="Where to write; - is standard output. Default: the bench folder.")
@_bench
def report(campaign: str | None, format_: str, output: str | None, bench: Path) -> int:
    """Show a campaign again: by its id, the start of its id, or the latest one."""
    from harness.bench import read
    from reports.formats import EXTENSIONS, render
    from reports.output import write_text
    from reports.view import document

    places = _places(bench)
    result = read(places, campaign)
    text = render(document(result), format_)
    if output == "-":
        click.echo(text, nl=not text.endswith("\n"))
        return FINE
    target = Path(output) if output else places.reports / f"{result.campaign.id}.{EXTENSIONS[format_]}"
    write_text(target, text)
    if target.is_file() and not target.is_symlink():
        click.echo(str(target.absolute()))
    return FINE


def _measure(
    store: "Store",
    campaign: str,
    targets: "Mapping[str, Device]",
    places: "Places",
    quarantined: "Mapping[str, Quarantine]",
) -> int:
    """Build and measure what is left of a campaign, then show it. An interruption still shows what there is."""
    from devices.lease import lease
    from devices.opening import notices_of
    from harness.bench import Watchers, carry_out
    from reports.progress import progress

    given_up: Sequence[str] = ()
    _say(notices_of(targets.values()))
    try:
        # Devices have leases of their own; a simulated one has none, and its campaign must not be run twice at once.
        with lease(campaign, campaign, places.leases), progress("building", "measuring") as (built, launched):
            watchers = Watchers(built=built, launched=launched, check=INTERRUPTION.check)
            given_up = carry_out(store, campaign, targets, places, watchers, quarantined)
    except KeyboardInterrupt:
        given_up = ("stopped",)
    _say(f"{reason}; what was measured is saved, `run_bench.py run --resume` does the rest" for reason in given_up)
    _say(notices_of(targets.values()))  # what came up while measuring
    return _show(places, campaign)


def _show(places: "Places", campaign: str) -> int:
    from harness.bench import is_complete, read
    from reports.html import render
    from reports.listings import unread_lines
    from reports.output import write_text
    from reports.text import summary
    from reports.view import document

    result = read(places, campaign)
    shown = document(result)
    target = places.reports / f"{campaign}.html"
    write_text(target, render(shown))
    click.echo(summary(shown, _width()))
    _say(unread_lines(result.models_failed))
    click.echo(campaign)
    click.echo(str(target.absolute()))
    return FINE if is_complete(result) else INCOMPLETE


def _places(bench: Path) -> "Places":
    from harness.places import Places

    return Places(root=bench)


def _config_of(source: str | None, format: str | None = None) -> "tuple[Config, Path]":
    """What a command was given, as a configuration and where it stands. format is that of a shipped model."""
    from harness.config_source import config_of

    return config_of(source, FIRST, format)


def _open(config: "Config", dry_run: bool) -> "Sequence[Device]":
    """The devices of a configuration; those that may take a while to answer are named first."""
    from devices.opening import open_devices

    specs = config.device_specs()
    away = [spec.name for spec in specs if (spec.ssh or spec.adb) and not dry_run]
    if away:
        click.echo(f"asking {', '.join(away)}", err=True)
    return open_devices(specs, dry_run=dry_run, check=INTERRUPTION.check)


def _say_pruned(places: "Places") -> int:
    from harness.bench import prune
    from reports.numbers import size

    files, freed = prune(places)
    click.echo(f"removed {files} files, {size(freed)}")
    return FINE


def _release(name: str, places: "Places") -> int:
    """Exit code of `devices --release`."""
    from harness.quarantine import release_at

    click.echo(f"{release_at(places.store, name)}: released; the next run measures it again")
    return FINE


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line, err=True)


def _print_json(content: object) -> None:
    click.echo(json.dumps(content, indent=2, allow_nan=False))


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 100


def main() -> int:
    """Run the command line. Every error that the bench raises on purpose is one message, never a traceback."""
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, INTERRUPTION)
    try:
        code = cli.main(standalone_mode=False)
        return code if isinstance(code, int) else FINE
    except click.ClickException as error:
        error.show()
        return WRONG_USAGE
    except click.Abort:
        click.echo("stopped", err=True)
        return INCOMPLETE
    except ConfigError as error:
        click.echo(str(error), err=True)
        return WRONG_USAGE
    except WeighbridgeError as error:
        click.echo(str(error), err=True)
        return INCOMPLETE
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not try to flush into it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INCOMPLETE
    except OSError as error:
        click.echo(f"{error.filename or 'output'}: {error.strerror}; check the path, its rights and the disk", err=True)
        return INCOMPLETE


if __name__ == "__main__":
    sys.exit(main())
