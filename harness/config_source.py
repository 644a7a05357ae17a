"""What a command was given, as a configuration: a file, a shipped model's name, models or folders of them."""

import glob
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.config import Config, load_config, parse_config
from harness.core.device import DeviceSpec
from harness.core.errors import ConfigError
from harness.core.limits import Limits, limits_of
from harness.sources.reading import ENDINGS, is_torch
from harness.sources.samples import SAMPLES

_LOCAL = "local"


def config_of(source: str | None, first: Path, format: str | None = None) -> tuple[Config, Path]:
    """A configuration and where it stands: a YAML file, a sample's name, a model file, a pattern or a folder of them.

    first is taken where nothing was given; format is that of a shipped model. Raises ConfigError.
    """
    if source == "":
        raise ConfigError("an empty name was given; give a configuration, a model, or nothing for the shipped models")
    path = Path(source) if source else first
    if source in SAMPLES and not path.exists():
        return _config_with({"sample": source} | ({"format": format} if format else {}))
    if path.suffix.lower() in (".tflite", *ENDINGS):
        return _config_with({"path": str(source).rstrip("/")})
    if is_torch(path):
        return _config_with({"path": str(source)} | ({"format": format} if format else {}))
    if (path / "Manifest.json").is_file():
        raise ConfigError(
            f"{source}: looks like a Core ML package without its ending; rename it to {path.name}.mlpackage"
        )
    if path.is_dir():
        folder = glob.escape(str(source))
        return _config_with(*[{"path": f"{folder}/*{ending}"} for ending in _endings_in(path)])
    if not path.exists():
        shipped = ", ".join(SAMPLES)
        reason = f"no such file; give a configuration, a .tflite, an .mlpackage or a shipped model ({shipped})"
        raise ConfigError(f"{source}: {reason}")
    return load_config(path), path


def devices_of(target: str) -> tuple[Sequence[DeviceSpec], Sequence[Limits]]:
    """The devices that a configuration has, or this machine by its name, and their limits. Raises ConfigError."""
    if target == _LOCAL:
        return (DeviceSpec(name=target, kind=target),), (limits_of(target),)
    if not Path(target).is_file():
        raise ConfigError(f"{target}: no such file; give a configuration that names the device, or `local`")
    config = load_config(Path(target))
    return config.device_specs(), config.device_limits


def _config_with(*models: Mapping[str, str]) -> tuple[Config, Path]:
    return parse_config(json.dumps({"models": models}), source="argument"), Path("argument")


def _endings_in(folder: Path) -> list[str]:
    """Endings of the models in a folder. Raises ConfigError where there are none."""
    known = (".tflite", *ENDINGS)
    found = [ending for ending in known if any(folder.glob(f"*{ending}"))]
    if not found:
        raise ConfigError(f"{folder}: no model in it; looked for {', '.join(f'*{ending}' for ending in known)}")
    return found
