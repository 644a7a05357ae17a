"""The configuration file: what it gives, and how it says what is wrong."""

import json
import re
import time
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.config import Config, load_config, parse_config, schema_text
from harness.config_devices import SimulatedDevice
from harness.config_models import FileModel, Metric, PrebuiltVariant, Sample, SampleModel
from harness.core.compute_unit import ComputeUnit
from harness.core.device import AdbAddress, DeviceSpec, EdgeTpuChoice, PhoneTools, SshAddress
from harness.core.errors import ConfigError
from harness.core.judgement import Bands
from harness.core.launch import MeasureSettings
from harness.core.target import Target
from harness.core.variant import OpSetting
from harness.fidelity.metrics import METRICS
from harness.sources.samples import SAMPLES

ROOT = Path(__file__).parents[3]
LINE = re.compile(r"bench\.yaml:\d+:\d+: .")


def a_config(text: str) -> Config:
    return parse_config(text, source="/folder/bench.yaml")


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, source="bench.yaml")
    return caught.value.problems


def is_judged(text: str) -> bool:
    """Whether the text is a configuration, or at least one problem, each one line that begins with its place."""
    try:
        parse_config(text, source="bench.yaml")
    except ConfigError as error:
        lines = error.problems
        return bool(lines) and all(LINE.match(line) and len(line.splitlines()) == 1 for line in lines)
    return True


def test_the_least_is_a_model() -> None:
    config = a_config("models: [digits]\n")
    assert config.sources == (SampleModel(sample="digits"),)
    assert config.variants is None
    assert [device.name for device in config.devices] == ["local"]
    assert config.units is None
    assert config.settings == MeasureSettings(cold_starts=3)
    assert config.bands == Bands()


def test_everything_that_a_file_may_hold() -> None:
    config = a_config(
        """
name: mine
models:
  - {sample: digits, variants: [int8]}
  - {path: nets/my.tflite, data: my.npz, metric: top1}
  - {path: /elsewhere/ours.tflite, of: my, name: ours-int8}
variants: [float32, {recipe: sparse-50+palette-4, name: small}]
devices:
  - local
  - {name: sim, kind: simulated, scenario: {latency_ms: 3}}
  - {name: slow, kind: simulated, scenario: slow.yaml}
units: [cpu, cpu:4, cpu/builtin]
measure: {launches: 6, inferences: 5, max_launch_s: 2, warmup_inferences: 1, warmup_s: 0, warmup_max_s: 1}
compare: {effect: 0.02, same: 0.03}
seed: 7
"""
    )
    mine, prebuilt = config.models[1], config.models[2]
    assert isinstance(mine, FileModel)
    assert isinstance(prebuilt, PrebuiltVariant)
    assert (mine.name, mine.path, mine.data) == ("my", Path("/folder/nets/my.tflite"), Path("/folder/my.npz"))
    assert (prebuilt.of, prebuilt.path) == ("my", Path("/elsewhere/ours.tflite"))
    assert config.units == (ComputeUnit.parse("cpu"), ComputeUnit.parse("cpu:4"), ComputeUnit.parse("cpu/builtin"))
    assert config.settings == MeasureSettings(
        launches=6,
        inferences=5,
        max_launch_s=2.0,
        warmup_inferences=1,
        warmup_s=0.0,
        warmup_max_s=1.0,
        cold_starts=3,
    )
    assert config.bands == Bands(effect=0.02, same=0.03)
    inline, in_file = config.devices[1], config.devices[2]
    assert isinstance(inline, SimulatedDevice)
    assert isinstance(in_file, SimulatedDevice)
    assert inline.scenario == {"latency_ms": 3}
    assert in_file.scenario == Path("/folder/slow.yaml")
    assert (config.name, config.seed) == ("mine", 7)


def test_a_model_is_run_by_the_signature_and_in_the_shapes_that_are_asked_for() -> None:
    config = a_config("models: [{path: a.tflite, signature: decode, input_shapes: {x: [4, 8], y: []}}]\n")
    (model,) = config.sources
    assert isinstance(model, FileModel)
    assert (model.signature, model.input_shapes) == ("decode", {"x": (4, 8), "y": ()})


def test_settings_of_types_come_before_those_of_single_operators() -> None:
    text = "models: [digits]\nvariants: [{recipe: int8, name: n, ops: {a*: float16}, op_types: {SOFTMAX: null}}]\n"
    (spec,) = a_config(text).specs("digits", "tflite", ())
    assert (spec.name, spec.recipe) == ("n", "int8")
    assert spec.settings == (OpSetting(op_type="SOFTMAX"), OpSetting(op="a*", recipe="float16"))


def test_a_machine_may_be_measured_through_another_runtime() -> None:
    config = a_config(
        "models: [digits]\n"
        "devices:\n"
        "  - local\n"
        "  - {kind: local, name: old, python: env/bin/python, runtime: tflite-runtime}\n"
        "  - {kind: local, name: npu, dispatch: vendor}\n"
    )
    plain, old, npu = config.device_specs()
    assert plain == DeviceSpec(name="local", kind="local")
    assert (old.name, old.python, old.runtime) == ("old", Path("/folder/env/bin/python"), "tflite-runtime")
    assert (npu.name, npu.dispatch) == ("npu", Path("/folder/vendor"))


def test_a_board_is_reached_by_ssh_as_its_configuration_says() -> None:
    config = a_config(
        "models: [digits]\n"
        "devices: [{name: pi5, kind: ssh, host: 10.0.0.5, port: 2222, user: bench, key: k, python: /usr/bin/python3}]\n"
    )
    (pi5,) = config.device_specs()
    address = SshAddress(host="10.0.0.5", port=2222, user="bench", key=Path("/folder/k"))
    assert pi5 == DeviceSpec(name="pi5", kind="ssh", python=Path("/usr/bin/python3"), ssh=address, prepare=True)


def test_boards_are_prepared_for_measuring_unless_one_says_no_and_this_machine_only_where_it_says_so() -> None:
    config = a_config(
        "models: [digits]\n"
        "devices:\n"
        "  - {name: pi5, kind: ssh, host: 10.0.0.5}\n"
        "  - {name: pi4, kind: ssh, host: 10.0.0.4, prepare: false}\n"
        "  - {name: coral, kind: edgetpu, host: coral.local}\n"
        "  - {name: stick, kind: edgetpu}\n"
        "  - local\n"
        "  - {name: bench, kind: local, prepare: true}\n"
    )
    prepared = {spec.name: spec.prepare for spec in config.device_specs()}
    assert prepared == {"pi5": True, "pi4": False, "coral": True, "stick": False, "local": False, "bench": True}


def test_an_edge_tpu_is_one_of_a_board_or_of_this_machine() -> None:
    config = a_config(
        "models: [digits]\n"
        "devices:\n"
        "  - {name: coral, kind: edgetpu, host: coral.local, accelerator: 'pci:0'}\n"
        "  - {name: stick, kind: edgetpu}\n"
    )
    coral, stick = config.device_specs()
    assert (coral.ssh, coral.edgetpu) == (SshAddress(host="coral.local"), EdgeTpuChoice(accelerator="pci:0"))
    assert (stick.ssh, stick.edgetpu) == (None, EdgeTpuChoice())


def test_a_phone_is_reached_by_adb_as_its_configuration_says() -> None:
    config = a_config(
        "models: [digits]\n"
        "devices:\n"
        "  - {name: pixel8, kind: android, serial: 37021FDJH, tools: t, delegate: q.so, delegate_options: {a: b},\n"
        "     nnapi_accelerator: qti-dsp}\n"
    )
    (pixel,) = config.device_specs()
    assert pixel.adb == AdbAddress(serial="37021FDJH")
    assert pixel.tools == PhoneTools(
        folder=Path("/folder/t"),
        delegate=Path("/folder/q.so"),
        delegate_options={"a": "b"},
        nnapi_accelerator="qti-dsp",
    )


def test_cold_starts_can_be_turned_off() -> None:
    assert a_config("models: [digits]\nmeasure: {cold_starts: 0}\n").settings.cold_starts == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.tflite", "a.tflite", "deep/a.tflite", "notes.txt", "[x].tflite", "folder.tflite/inside"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def _in(folder: Path, text: str) -> Config:
    return parse_config(text, source=str(folder / "bench.yaml"))


def test_a_pattern_stands_for_the_files_that_it_finds_in_order(folder: Path) -> None:
    found = _in(folder, "models: [{path: '*.tflite', variants: [int8]}]").sources
    assert [model.name for model in found] == ["[x]", "a", "b"]
    assert [model.path for model in found if isinstance(model, FileModel)][1] == folder / "a.tflite"
    assert {variant.recipe for model in found for variant in model.variants or ()} == {"int8"}


def test_a_found_file_whose_name_is_taken_is_called_by_its_path(folder: Path) -> None:
    config = _in(folder, "models: [{path: b.tflite, name: a}, {path: '**/a.tflite'}]")
    assert [model.name for model in config.sources] == ["a", str(folder / "a.tflite"), str(folder / "deep/a.tflite")]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(folder: Path) -> None:
    (model,) = _in(folder, "models: [{path: '[x].tflite'}]").sources
    assert isinstance(model, FileModel)
    assert model.path == folder / "[x].tflite"


def test_the_folder_of_the_configuration_is_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "[mine]").mkdir()
    (tmp_path / "[mine]" / "a.tflite").touch()
    assert [model.name for model in _in(tmp_path / "[mine]", "models: [{path: '*.tflite'}]").sources] == ["a"]


def test_a_file_whose_name_looks_like_a_pattern_may_have_a_name_of_its_own(folder: Path) -> None:
    (model,) = _in(folder, "models: [{path: '[x].tflite', name: x}]").sources
    assert (model.name, model.path) == ("x", folder / "[x].tflite")  # type: ignore[union-attr]


def test_patterns_that_overlap_take_a_file_once(folder: Path) -> None:
    config = _in(folder, "models: [{path: b.tflite, name: mine}, {path: '?.tflite'}, {path: '[ab].tflite'}]")
    assert [model.name for model in config.sources] == ["mine", "a"]


def test_a_found_file_without_a_visible_name_goes_by_its_ending(folder: Path) -> None:
    (folder / " .tflite").touch()
    assert [model.name for model in _in(folder, "models: [{path: ' *.tflite'}]").sources] == [" .tflite"]


def test_a_pattern_that_finds_nothing_is_a_mistake_with_its_place(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"bench\.yaml:1:17: .*/none\*: no file fits this pattern"):
        _ = _in(folder, "models: [{path: 'none*'}]").sources


def test_a_found_file_whose_name_is_no_text_is_called_in_text(tmp_path: Path) -> None:
    (tmp_path / "a\udcff.tflite").touch()
    assert _in(tmp_path, "models: [{path: '*.tflite'}]").sources[0].name == "a\\udcff"


def test_a_models_own_variants_go_before_the_common_ones() -> None:
    config = a_config("models: [{sample: digits, variants: [int8]}, mobilenet_v2]\nvariants: [float16]\n")
    assert [spec.recipe for spec in config.specs("digits", "tflite", ("uint8",))] == ["int8"]
    assert [spec.recipe for spec in config.specs("mobilenet_v2", "tflite", ("uint8",))] == ["float16"]


def test_without_variants_the_default_set_is_taken_and_a_prebuilt_one_added() -> None:
    config = a_config("models: [digits, {path: x.tflite, of: digits}]\n")
    specs = config.specs("digits", "tflite", ("uint8", "int8"))
    assert [spec.name for spec in specs] == ["uint8", "int8", "x"]
    assert [spec.prebuilt for spec in specs] == [None, None, Path("/folder/x.tflite")]


def test_a_prebuilt_variant_is_not_called_as_one_of_the_default_set() -> None:
    config = a_config("models:\n  - digits\n  - {path: int8.tflite, of: digits}\n")
    with pytest.raises(ConfigError, match=r"^/folder/bench\.yaml:3:5: digits has a variant 'int8' already"):
        config.specs("digits", "tflite", ("float32", "int8"))


def test_the_samples_are_those_that_ship() -> None:
    assert get_args(Sample) == tuple(SAMPLES)


def test_the_metrics_are_those_of_the_table() -> None:
    assert get_args(Metric) == tuple(METRICS)


def test_a_scenario_keeps_keys_that_are_numbers() -> None:
    config = a_config(
        "models: [digits]\n"
        "devices: [{name: a, kind: simulated, scenario: {heat: {throttle: {44.0: 1.15}}, on: &yes true, off: *yes}}]\n"
    )
    device = config.devices[0]
    assert isinstance(device, SimulatedDevice)
    assert repr(device.scenario) == "{'heat': {'throttle': {44.0: 1.15}}, 'on': True, 'off': True}"


def test_whole_numbers_of_seconds_are_the_same_settings_as_floats() -> None:
    one = a_config("models: [digits]\nmeasure: {max_launch_s: 2}\n")
    two = a_config("models: [digits]\nmeasure: {max_launch_s: 2.0}\n")
    assert repr(one.settings) == repr(two.settings)


def test_the_text_is_kept_as_it_was_read() -> None:
    text = "# mine\nmodels: [digits]   # one\n"
    assert a_config(text).text == text


def test_anchors_and_merges_work() -> None:
    config = a_config(
        "models:\n  - {sample: digits, variants: &set [int8, float16]}\n  - {sample: mobilenet_v2, variants: *set}\n"
        "devices:\n  - &sim {name: a, kind: simulated}\n  - {<<: *sim, name: b}\n"
    )
    assert [spec.name for spec in config.specs("mobilenet_v2", "tflite", ())] == ["int8", "float16"]
    assert [device.name for device in config.devices] == ["a", "b"]


@pytest.mark.parametrize(
    "name", ["</script><img>", 'a "quoted" \\ name', "two\nlines", "../../etc/passwd", "$(reboot); `x`", "n" * 10_000]
)
def test_a_hostile_name_is_a_name(name: str) -> None:
    config = a_config(f"models: [{{path: a.tflite, name: {json.dumps(name)}}}]\n")
    assert config.sources[0].name == name


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("models: [digits]\nunts: auto\n", "bench.yaml:2:1: unts: unknown key, did you mean units? allowed: name, "),
        ("models: [digits]\nssh: 1\n", "bench.yaml:2:1: ssh: unknown key, allowed: name, models, variants"),
        ("models:\n - {path: a, ops: 1}\n", "bench.yaml:2:14: models.0.ops: unknown key, allowed: path, name, data"),
        ("models:\n - {name: a}\n", "bench.yaml:2:4: models.0.path: missing, allowed keys: path, name"),
        ("name: a\n", "bench.yaml:1:1: models: missing, allowed keys: name, models"),
        ("models: [digits]\nname: 5\n", "bench.yaml:2:7: name: given 5, allowed: text (put it in quotes)"),
        ("models: [digits]\nname: ' '\n", "bench.yaml:2:7: name: given ' ', allowed: text that shows something"),
        ("models: [digits]\nseed: 1.5\n", "bench.yaml:2:7: seed: given 1.5, allowed: a whole number"),
        ("models: [digits]\nseed: yes\n", "bench.yaml:2:7: seed: given 'yes', allowed: a whole number"),
        ("models: [digits]\nseed: true\n", "bench.yaml:2:7: seed: given True, allowed: a whole number"),
        ("models: [digits]\nseed: -1\n", "bench.yaml:2:7: seed: given -1, allowed: 0 or more"),
        ("models: digits\n", "bench.yaml:1:9: models: given 'digits', allowed: a list"),
        ("models: []\n", "bench.yaml:1:9: models: given an empty list, allowed: 1 item or more"),
        ("models:\n", "bench.yaml:1:1: models: given nothing, allowed: a list"),
        (
            "models: [digit]\n",
            "bench.yaml:1:10: models.0: given 'digit', allowed: 'digits', 'mobilenet_v1', 'mobilenet_v2'",
        ),
        ("models: [{path: ''}]\n", "bench.yaml:1:17: models.0.path: given '', allowed: text that shows something"),
        ("models: [{path: 3}]\n", "bench.yaml:1:17: models.0.path: given 3, allowed: the path of a file, as text"),
        ('models: [{path: "a\\0b"}]\n', "bench.yaml:1:17: models.0.path: given 'a\\x00b', allowed: text that shows"),
        (
            "models: [{path: ~nobody-here/a}]\n",
            "bench.yaml:1:17: models.0.path: given '~nobody-here/a', allowed: a path; there is no such home",
        ),
        ("models: [digits]\nvariants: []\n", "bench.yaml:2:11: variants: given an empty list, allowed: 1 item"),
        (
            "models: [digits]\nvariants:\n- flaot16\n",
            "bench.yaml:3:3: variants.0: 'flaot16' is no technique; did you mean float16",
        ),
        (
            "models: [digits]\nvariants:\n- int8\n- {recipe: sparse-75, name: int8}\n",
            "bench.yaml:4:29: variants.1.name: variant 'int8' is there twice (also item 1), allowed: once",
        ),
        ("models: [digits, digits]\n", "bench.yaml:1:18: models.1: model 'digits' is there twice, allowed: once"),
        (
            "models: [{path: a.tflite}, {path: b/a.tflite}]\n",
            "bench.yaml:1:28: models.1: model 'a' is there twice, allowed: once",
        ),
        ("models: [{path: a, of: b}]\n", "bench.yaml:1:24: models.0.of: no model 'b', allowed: none is given"),
        (
            "models: [{sample: digits, variants: [int8]}, {path: a, of: digits, name: int8}]\n",
            "bench.yaml:1:74: models.1.name: digits has a variant 'int8' already, allowed: once",
        ),
        (
            "models: [digits]\ndevices: [local, local]\n",
            "bench.yaml:2:18: devices.1: device 'local' is there twice (also item 1), allowed: once",
        ),
        (
            "models: [digits]\ndevices: [loca]\n",
            "bench.yaml:2:11: devices.0: given 'loca', allowed: local, simulated, ssh, edgetpu or android",
        ),
        (
            "models: [digits]\ndevices: [{name: a, kind: sshd}]\n",
            "bench.yaml:2:27: devices.0.kind: given 'sshd', allowed: local, simulated, ssh, edgetpu or android",
        ),
        (
            "models: [digits]\ndevices: [{name: local, kind: simulated}]\n",
            "bench.yaml:2:18: devices.0.name: given 'local', allowed: a name other than local, which is this machine",
        ),
        (
            "models: [{path: m.tflite, metric: top1}]\n",
            "bench.yaml:1:35: models.0.metric: top1 without data, allowed: beside data that has labels",
        ),
        (
            "models: [digits]\nvariants: [5]\n",
            "bench.yaml:2:12: variants.0: given 5, allowed: text, or a mapping (key: value)",
        ),
        ("models: [digits]\nunits: cpu\n", "bench.yaml:2:8: units: given 'cpu', allowed: auto, or a list of units"),
        ("models: [digits]\nunits: []\n", "bench.yaml:2:8: units: given an empty list, allowed: 1 item or more"),
        ("models: [digits]\nunits: [cpu, qpu]\n", "bench.yaml:2:14: units.1: unknown compute unit 'qpu'; one of cpu,"),
        ("models: [digits]\nunits: [gpu:2]\n", "bench.yaml:2:9: units.0: gpu:2: a thread count of 1 or more goes"),
        (
            "models: [digits]\nunits: [cpu, cpu:1]\n",
            "bench.yaml:2:14: units.1: unit 'cpu' is there twice (also item 1), allowed: once",
        ),
        (
            "models: [digits]\nmeasure: {launches: 0}\n",
            "bench.yaml:2:21: measure.launches: given 0, allowed: 1 or more",
        ),
        (
            "models: [digits]\nmeasure: {max_launch_s: .inf}\n",
            "bench.yaml:2:25: measure.max_launch_s: given inf, allowed: a finite number",
        ),
        ("models: [digits]\nmeasure: 5\n", "bench.yaml:2:10: measure: given 5, allowed: a mapping (key: value)"),
        (
            "models: [digits]\ncompare: {effect: 2}\n",
            "bench.yaml:2:19: compare.effect: given 2, allowed: less than 1",
        ),
        (
            "models: [{path: a, signature: ''}]\n",
            "bench.yaml:1:31: models.0.signature: given '', allowed: text that shows something",
        ),
        (
            "models: [{path: a, input_shapes: {}}]\n",
            "bench.yaml:1:34: models.0.input_shapes: given an empty mapping, allowed: 1 item or more",
        ),
        (
            "models: [{path: a, input_shapes: [4]}]\n",
            "bench.yaml:1:34: models.0.input_shapes: given a list, allowed: a mapping (key: value)",
        ),
        (
            "models: [{path: a, input_shapes: {x: 4}}]\n",
            "bench.yaml:1:38: models.0.input_shapes.x: given 4, allowed: a list",
        ),
        (
            "models: [{path: a, input_shapes: {x: [1, 0]}}]\n",
            "bench.yaml:1:42: models.0.input_shapes.x.1: given 0, allowed: 1 or more",
        ),
        (
            "models: [{path: a, input_shapes: {x: [-1]}}]\n",
            "bench.yaml:1:39: models.0.input_shapes.x.0: given -1, allowed: 1 or more",
        ),
        (
            "models: [{path: a, input_shapes: {x: [2147483648]}}]\n",
            "bench.yaml:1:39: models.0.input_shapes.x.0: given 2147483648, allowed: less than 2147483648",
        ),
        (
            "models: [{path: 'a/*.tflite', name: x}]\n",
            "bench.yaml:1:31: models.0.name: unknown key, allowed: path, variants",
        ),
        (
            "models: [{sample: digits, signature: x}]\n",
            "bench.yaml:1:27: models.0.signature: unknown key, allowed: sample, format, name, variants",
        ),
        (
            "models: [digits]\nvariants: [{recipe: int8, ops: {a: flaot16}}]\n",
            "bench.yaml:2:36: variants.0.ops.a: 'flaot16' is no technique; did you mean float16",
        ),
        (
            "models: [digits]\nvariants: [{recipe: int8, op_types: [a]}]\n",
            "bench.yaml:2:37: variants.0.op_types: given a list, allowed: a mapping (key: value)",
        ),
        (
            "models: [digits]\nvariants: [int8, {recipe: int8, op_types: {SOFTMAX: null}}]\n",
            "bench.yaml:2:18: variants.1: variant 'int8' is there twice (also item 1), allowed: once",
        ),
        (
            "models: [digits]\ndevices: [{kind: local, runtime: tflite-runtime}]\n",
            "bench.yaml:2:11: devices.0: needs a name other than local, which is this machine",
        ),
        (
            "models: [digits]\ndevices: [{name: stick, kind: edgetpu, user: mendel}]\n",
            "bench.yaml:2:11: devices.0: user goes with host; without host the Edge TPU is one of this machine",
        ),
        (
            "models: [digits]\ndevices: [{kind: local, name: old, runtime: tflite}]\n",
            "bench.yaml:2:45: devices.0.runtime: given 'tflite', allowed: 'LiteRT' or 'tflite-runtime'",
        ),
        (
            "models: [digits]\ndevices: [{kind: simulated, name: a, python: b}]\n",
            "bench.yaml:2:38: devices.0.python: unknown key, allowed: kind, name, scenario",
        ),
        (
            "models: [digits]\ndevices: [{name: old, python: b}]\n",
            "bench.yaml:2:11: devices.0.kind: missing, allowed keys: kind, name, python, runtime, dispatch",
        ),
        (
            "models: [digits]\nmeasure: {cold_starts: -1}\n",
            "bench.yaml:2:24: measure.cold_starts: given -1, allowed: 0 or more",
        ),
        ("a: 1\na: 2\n", 'bench.yaml:2:1: "a": given twice in one mapping, allowed: once'),
        ("models: [a\n", "bench.yaml:2:1: not YAML while parsing a flow sequence: "),
        ("models:\n\t- a\n", "bench.yaml:2:1: not YAML: indented with a tab; use spaces"),
        ("a: 1\n---\nb: 2\n", "bench.yaml:2:1: not YAML expected a single document"),
        ("a: \x07\n", "bench.yaml:1:4: not YAML: the character U+0007 is not allowed; remove it"),
        ("", "bench.yaml:1:1: nothing given, allowed: keys with values; the least is `models: [digits]`"),
        ("- a\n", "bench.yaml:1:1: no mapping given, allowed: keys with values"),
        ("a: *b\n", "bench.yaml:1:4: not YAML: found undefined alias 'b'"),
        ("&a [*a]\n", "bench.yaml:1:1: more than 50000 values; an alias that holds itself"),
        ("a: " + "[" * 1000, "bench.yaml:1:1: nested too deeply to be a configuration; flatten it"),
        ("models: [digits]\nseed: " + "9" * 5000, "bench.yaml:1:1: not YAML that can be read: "),
    ],
)
def test_a_mistake_is_one_line_with_its_place(text: str, line: str) -> None:
    found = problems(text)
    assert len(found) == 1, found
    assert found[0].startswith(line)


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    found = problems("nam: 1\nmodels: [digit]\nunits: [qpu]\nmeasure: {launches: 0, inferenses: 3}\nseed: x\n")
    assert [line.split(": ")[1] for line in found] == [
        "nam",
        "models.0",
        "units.0",
        "measure.launches",
        "measure.inferenses",
        "seed",
    ]


def test_aliases_that_multiply_are_refused_quickly() -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))
    started = time.monotonic()
    assert problems("a0: &a0 [x]\n" + levels)[0].startswith("bench.yaml:1:1: more than 50000 values")
    assert time.monotonic() - started < 5


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.yaml: cannot be read: No such file"):
        load_config(tmp_path / "no.yaml")


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        load_config(tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"models: [digits]\n\xff\xfe", r":2:1: byte 0xff is not UTF-8 text"),
        ("models: [digits]".encode("utf-16"), r":1:1: byte 0xff is not UTF-8 text"),
        (b"#" * (1 << 21), r":1:1: larger than allowed, 1048576 bytes"),
        (b"TFL3\0\0", r":1:5: not YAML: the character U\+0000"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "bench.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"bench\.yaml" + reason):
        load_config(path)


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "bench.yaml"
    path.write_text("models: [digits]\n", encoding="utf-8-sig")
    assert load_config(path).sources[0].name == "digits"


@given(st.text() | st.text(alphabet="{}[]:,-&*!|>'\"%@`#?~<= \n\tab01.", max_size=40))
def test_any_text_is_a_configuration_or_problems_with_places(text: str) -> None:
    assert is_judged(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["name", "models", "path", "of", "variants", "recipe", "devices", "kind"]), inner
            )
        ),
    )
)
def test_any_values_are_a_configuration_or_problems_with_places(value: object) -> None:
    assert is_judged(json.dumps({"models": value, "variants": value, "devices": value}))


def test_the_place_of_a_value_can_be_asked_for_later() -> None:
    config = a_config("models: [digits]\ndevices:\n  - {name: a, kind: simulated, scenario: {x: 1}}\n")
    assert str(config.place("devices", 0, "scenario", "x")) == "/folder/bench.yaml:3:46"


def test_the_shipped_configuration_holds_eight_variants_and_more() -> None:
    config = load_config(ROOT / "examples" / "first.yaml")
    assert config.name == "first"
    assert [model.name for model in config.sources] == ["digits", "digits.mlpackage", "mobilenet_v2"]
    recipes = {spec.recipe for model in config.sources for spec in config.specs(model.name, "tflite", ())}
    assert len(recipes) >= 8
    assert "int16x8" not in {spec.recipe for spec in config.specs("mobilenet_v2", "tflite", ())}


def test_the_exported_schema_is_the_codes_own() -> None:
    stored = (ROOT / "docs" / "config.schema.json").read_text(encoding="utf-8")
    how = "python -c \"from harness.config import schema_text; print(schema_text(), end='')\" > docs/config.schema.json"
    assert stored == schema_text(), f"run: {how}"


def test_the_schema_takes_the_short_forms() -> None:
    schema = json.loads(schema_text())
    models = schema["properties"]["models"]["items"]
    assert {"enum": list(SAMPLES), "type": "string"} in models["anyOf"]
    assert schema["additionalProperties"] is False


def test_several_targets_are_as_many_variants_of_a_program_and_none_of_anything_else() -> None:
    config = a_config("models: [digits]\nvariants: [{recipe: palette-4, target: [iOS16, iOS18]}]\n")
    specs = config.specs("digits", "mlpackage", ())
    assert [(spec.name, spec.target) for spec in specs] == [
        ("palette-4-iOS16", Target.IOS16),
        ("palette-4-iOS18", Target.IOS18),
    ]
    assert [(spec.name, spec.target) for spec in config.specs("digits", "tflite", ())] == [("palette-4", None)]


def test_one_target_keeps_the_name() -> None:
    config = a_config("models: [digits]\nvariants: [{recipe: palette-4, target: iOS17}]\n")
    assert [(s.name, s.target) for s in config.specs("digits", "mlpackage", ())] == [("palette-4", Target.IOS17)]


def test_a_name_with_a_target_behind_it_is_not_given_twice() -> None:
    config = a_config(
        "models: [digits]\n"
        "variants: [{recipe: palette-4, target: [iOS16, iOS18]}, {recipe: int8, name: palette-4-iOS16}]\n"
    )
    with pytest.raises(ConfigError, match="digits has a variant 'palette-4-iOS16' already"):
        config.specs("digits", "mlpackage", ())


def test_a_sample_in_both_formats_needs_two_names() -> None:
    both = "models: [digits, {sample: digits, format: mlpackage, name: digits.mlpackage}]\n"
    assert [entry.name for entry in a_config(both).sources] == ["digits", "digits.mlpackage"]
    with pytest.raises(ConfigError, match="model 'digits' is there twice"):
        a_config("models: [digits, {sample: digits, format: mlpackage}]\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "models: [digits]\nvariants: [{recipe: int8, target: iOS14}]\n",
            "given 'iOS14', allowed: 'iOS15', 'iOS16', 'iOS17', 'iOS18' or 'iOS26'",
        ),
        ("models: [digits]\nvariants: [{recipe: int8, target: [iOS16, iOS16]}]\n", "target 'iOS16' is there twice"),
        ("models: [digits]\nvariants: [{recipe: int8, target: 18}]\n", "allowed: a target such as iOS18"),
        ("models: [digits]\nvariants: [{recipe: int8, target: []}]\n", "variants.0.target"),
        ("models: [{sample: digits, format: onnx}]\n", "allowed: 'tflite' or 'mlpackage'"),
        ("models: [{path: a.tflite, format: mlpackage}]\n", "for a .pt2, .pt or .pth, which is converted to it"),
    ],
)
def test_a_wrong_target_or_format_says_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        a_config(text)


def test_a_variant_built_elsewhere_has_the_format_of_its_model() -> None:
    config = a_config("models: [digits, {path: ours.mlpackage, of: digits}]\n")
    assert [spec.name for spec in config.specs("digits", "mlpackage", ())] == ["ours"]
    with pytest.raises(ConfigError, match=r"ours\.mlpackage is no \.tflite, as digits is"):
        config.specs("digits", "tflite", ())


def test_a_pattern_does_not_walk_into_packages(tmp_path: Path) -> None:
    weights = tmp_path / "models" / "net.mlpackage" / "Data" / "weights"
    weights.mkdir(parents=True)
    (weights / "weight.bin").write_bytes(b"")
    (tmp_path / "models" / "other.tflite").write_bytes(b"")
    config = parse_config("models: [{path: models/**}]\n", source=str(tmp_path / "c.yaml"))
    assert [entry.name for entry in config.sources] == ["net", "other"]
