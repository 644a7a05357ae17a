"""The steps of a run around measuring: what a resume refuses, which campaign it takes, when a run is complete."""

import dataclasses
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.bench import (
    changed_devices,
    check_models_unchanged,
    is_complete,
    loadables,
    read,
    unfinished,
)
from harness.building import build, deadline_s
from harness.config import parse_config
from harness.core import digest
from harness.core.campaign import Campaign, CampaignResult, ModelFailed
from harness.core.device import ABSENT
from harness.core.errors import ConfigError
from harness.core.model import Model
from harness.core.variant import BuildFailed, Variant, VariantSpec
from harness.intake import Intake, take_in
from harness.places import Places
from harness.sources.tflite import read_model
from harness.store import Store
from tests.support.models import custom_op, no_signature, tiny_cnn
from tests.support.plans import some_facts
from tests.support.results import a_campaign_result, a_cell_result, a_variant
from tests.support.unusual import (
    FOLDER,
    dynamic_batch,
    folder_of_models,
    huge_im2col,
    resource_output,
    two_signatures_two_graphs,
)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny_cnn())
    return read_model(path, name="m")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "bench.db") as opened:
        yield opened


def begin(
    store: Store, identity: str, *, ended: bool = False, config: str = "", model: Model | None = None
) -> Campaign:
    specs = (VariantSpec(model="m", name="float32", recipe="float32"),) if model else ()
    campaign = Campaign(
        id=identity,
        name="c",
        started_at=float(identity),
        ended_at=None,
        config=config,
        command="",
        seed=0,
        version="0",
        specs=specs,
    )
    store.begin_campaign(
        campaign,
        environment={},
        devices=[],
        models=[model] if model else [],
        models_failed=[],
        exclusions=[],
        cells=[],
        skipped={},
    )
    if ended:
        store.end_campaign(identity, 9.0)
    return campaign


def test_changed_model_is_not_resumed(model: Model) -> None:
    check_models_unchanged([model])
    model.path.write_bytes(tiny_cnn(seed=1))
    with pytest.raises(ConfigError, match="no longer the model that was planned"):
        check_models_unchanged([model])


def test_changed_data_is_not_resumed(model: Model, tmp_path: Path) -> None:
    data = tmp_path / "data.npz"
    data.write_bytes(b"one")
    planned = dataclasses.replace(model, data=data, data_digest=digest.of_file(data))
    check_models_unchanged([planned])
    data.write_bytes(b"two")
    with pytest.raises(ConfigError, match="no longer the data that was planned"):
        check_models_unchanged([planned])


def test_changed_variant_from_elsewhere_is_not_resumed(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.tflite"
    theirs.write_bytes(b"one")
    spec = VariantSpec(model="m", name="p", recipe="theirs", prebuilt=theirs, prebuilt_digest=digest.of_file(theirs))
    check_models_unchanged([], [spec])
    theirs.write_bytes(b"two")
    with pytest.raises(ConfigError, match="no longer the variant that was planned"):
        check_models_unchanged([], [spec])


def test_variant_from_elsewhere_that_was_missing_may_come(tmp_path: Path) -> None:
    check_models_unchanged([], [VariantSpec(model="m", name="p", recipe="theirs", prebuilt=tmp_path / "theirs.tflite")])


@pytest.mark.parametrize("change", [{"runtimes": {"LiteRT": "9"}}, {"cores": 64}, {"processor": "another"}])
def test_changed_device_is_told_by_what_changed(change: dict[str, object]) -> None:
    assert changed_devices([some_facts()], [some_facts()]) == {}
    (why,) = changed_devices([some_facts()], [dataclasses.replace(some_facts(), **change)]).values()  # type: ignore[arg-type]
    assert next(iter(change)) in why


def test_another_device_at_the_same_address_is_a_changed_one() -> None:
    planned = dataclasses.replace(some_facts(), serial="one")
    changed = changed_devices([planned], [dataclasses.replace(some_facts(), serial="two")])
    assert changed == {"local": "serial was one when the campaign began and is two; start a new run"}
    assert changed_devices([some_facts()], [planned]) == {}  # an older campaign did not say


def test_device_that_is_no_longer_configured_is_a_changed_one() -> None:
    assert changed_devices([some_facts()], []) == {"local": "is no longer among the devices; start a new run"}


def test_device_that_does_not_answer_is_not_a_changed_one() -> None:
    absent = dataclasses.replace(some_facts(), family=ABSENT, cores=None)
    assert changed_devices([some_facts()], [absent]) == {}
    assert changed_devices([absent], [some_facts()]) == {}


def test_other_artefact_does_not_take_the_place_of_the_measured_one(store: Store, model: Model, tmp_path: Path) -> None:
    begin(store, "1", model=model)
    gone = dataclasses.replace(a_variant("float32"), model="m", name="float32", path=tmp_path / "gone.tflite")
    store.save_build("1", gone)
    with pytest.raises(ConfigError, match="gives another"):
        build(store, store.load("1"), tmp_path / "variants", lambda *_: None)
    assert store.load("1").builds == (gone,)


def test_artefact_that_was_written_over_is_built_again(store: Store, model: Model, tmp_path: Path) -> None:
    begin(store, "1", model=model)
    (built,) = build(store, store.load("1"), tmp_path / "variants", lambda *_: None)
    assert isinstance(built, Variant)
    right = built.path.read_bytes()
    built.path.write_bytes(tiny_cnn(seed=3))
    build(store, store.load("1"), tmp_path / "variants", lambda *_: None)
    assert built.path.read_bytes() == right


def test_failed_build_is_tried_again_on_a_resume(store: Store, model: Model, tmp_path: Path) -> None:
    begin(store, "1", model=model)
    store.save_build("1", BuildFailed(model="m", name="float32", recipe="float32", error="no memory"))
    (built,) = build(store, store.load("1"), tmp_path / "variants", lambda *_: None)
    assert not isinstance(built, BuildFailed)
    assert store.load("1").builds == (built,)


def test_model_that_does_not_run_costs_one_build(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(custom_op())
    model = read_model(path, name="m")
    begin(store, "1", model=model)
    specs = tuple(VariantSpec(model="m", name=recipe, recipe=recipe) for recipe in ("float16", "float32", "int8"))
    stored = store.load("1")
    stored = dataclasses.replace(stored, campaign=dataclasses.replace(stored.campaign, specs=specs))
    built = build(store, stored, tmp_path / "variants", lambda *_: None)
    assert [outcome.name for outcome in built] == ["float16", "float32", "int8"]
    errors = [outcome.error for outcome in built if isinstance(outcome, BuildFailed)]
    assert ["the model itself does not run" in error for error in errors] == [True, False, True]


def test_a_build_has_time_for_every_sample_that_is_scored(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(huge_im2col(256))
    slow = read_model(path, name="m")  # a thousand million multiply-accumulates
    data = tmp_path / "data.npz"
    np.savez(data, image=np.zeros((300, 256, 256, 1), np.float32))
    assert 100 < deadline_s(slow) < 200
    assert 1000 < deadline_s(dataclasses.replace(slow, data=data)) < 2000


def test_a_file_that_claims_more_work_than_any_network_has_gets_no_time_for_it(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(huge_im2col())
    assert deadline_s(read_model(path, name="m")) == 3600  # 70 thousand million multiply-accumulates
    path.write_bytes(huge_im2col(20_000))
    assert deadline_s(read_model(path, name="m")) == 60


def test_unfinished_campaign_comes_before_newer_finished_ones(store: Store) -> None:
    begin(store, "1", config="a")
    begin(store, "2", config="a", ended=True)
    begin(store, "3", config="b")
    found = unfinished(store, "a")
    assert found is not None
    assert found.id == "1"


def test_finished_campaign_is_found_where_none_is_open(store: Store) -> None:
    begin(store, "1", ended=True)
    begin(store, "2", ended=True)
    found = unfinished(store, None)
    assert found is not None
    assert found.id == "2"


def test_campaign_is_found_by_the_start_of_its_id(store: Store, tmp_path: Path) -> None:
    begin(store, "12", ended=True)
    assert read(Places(root=tmp_path), "1").campaign.id == "12"
    with pytest.raises(ConfigError, match=r"bench\.db: no campaign '2'; there are 12"):
        read(Places(root=tmp_path), "2")


def test_ambiguous_start_of_an_id_is_refused(tmp_path: Path, store: Store) -> None:
    begin(store, "11")
    begin(store, "12")
    with pytest.raises(ConfigError, match="2 campaigns begin with 1: 12, 11; give more of the id"):
        read(Places(root=tmp_path), "1")


@pytest.mark.usefixtures("model")
def test_digest_of_a_prebuilt_file_is_part_of_what_is_asked(tmp_path: Path) -> None:
    other = tmp_path / "other.tflite"
    other.write_bytes(tiny_cnn(seed=2))
    text = "models: [{path: m.tflite}, {path: other.tflite, of: m}]\nvariants: [float32]"
    intake = take_in(parse_config(text, source=str(tmp_path / "c.yaml")), Places(root=tmp_path / "b"))
    assert [model.name for model in intake.models] == ["m"]
    assert intake.specs["m"][-1].prebuilt_digest == digest.of_file(other)


def _take_in(directory: Path, text: str) -> Intake:
    return take_in(parse_config(text, source=str(directory / "c.yaml")), Places(root=directory / "b"))


def test_model_is_taken_in_by_the_signature_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(two_signatures_two_graphs())
    intake = _take_in(
        tmp_path, "models: [{path: m.tflite, signature: decode}, {path: m.tflite, name: n, signature: x}]"
    )
    assert [(model.name, model.signature) for model in intake.models] == [("m", "decode")]
    assert [(failed.name, failed.error.partition(": ")[2]) for failed in intake.failed] == [
        ("n", "has no signature 'x'; its signatures: 'encode', 'decode'")
    ]


def test_model_is_taken_in_with_its_shapes_fixed(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(dynamic_batch())
    (model,) = _take_in(tmp_path, "models: [{path: m.tflite, input_shapes: {image: [4, 16, 16, 3]}}]").models
    assert (model.inputs[0].shape, model.outputs[0].shape) == ((4, 16, 16, 3), (4, 4))
    assert model.notes == ("input shapes fixed to image (4, 16, 16, 3); the file leaves them open",)
    assert model.path.is_relative_to(tmp_path / "b" / "models")
    check_models_unchanged([model])


def test_shapes_that_do_not_fit_fail_the_model_alone(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(dynamic_batch())
    text = "models: [{path: m.tflite, input_shapes: {image: [4]}}, {path: m.tflite, name: n}]"
    intake = _take_in(tmp_path, text)
    assert [model.name for model in intake.models] == ["n"]
    assert [failed.name for failed in intake.failed] == ["m"]
    assert "'image' is given [4] and its shape is [-1, -1, -1, 3]" in intake.failed[0].error


def test_model_that_hands_out_a_resource_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(resource_output())
    (tmp_path / "n.tflite").write_bytes(tiny_cnn())
    intake = _take_in(tmp_path, "models: [{path: m.tflite}, {path: n.tflite}]")
    assert "n" in {model.name for model in intake.models}
    assert intake.specs["m"][0].recipe == "float32"


def test_every_file_of_a_folder_is_a_model_or_fails_with_one_line(tmp_path: Path) -> None:
    folder_of_models(tmp_path / "folder")
    intake = _take_in(tmp_path, "models: [{path: 'folder/*.tflite'}]")
    assert {model.name for model in intake.models} == FOLDER.keys() - {"open_shape", "wrong_version", "zero_size_input"}
    failed = {failed.name: failed.error for failed in intake.failed}
    assert failed.keys() == {"cut_short", "empty", "open_shape", "wrong_version", "zero_size_input"}
    assert all(len(error.splitlines()) == 1 for error in failed.values())


def _built(model: Model, path: Path, name: str) -> Variant:
    read = read_model(path, name=name)
    return dataclasses.replace(
        a_variant("float32"), model=model.name, name=name, path=path, inputs=read.inputs, outputs=read.outputs
    )


def test_launches_are_given_the_signature_by_the_key_that_the_variant_has(model: Model, tmp_path: Path) -> None:
    other = tmp_path / "other.tflite"
    other.write_bytes(no_signature())
    plain = dataclasses.replace(read_model(other, name="m"), signature=model.signature, signatures=model.signatures)
    theirs = loadables([plain], [_built(plain, other, "theirs")], tmp_path / "inputs")
    own = loadables([model], [_built(model, model.path, "own")], tmp_path / "inputs")
    assert [loadable.signature for loadable in (*theirs.values(), *own.values())] == [None, "serving_default"]


def test_data_of_one_model_is_held_at_a_time(model: Model, tmp_path: Path) -> None:
    samples = 4000
    path = tmp_path / "data.npz"
    np.savez(path, image=np.zeros((samples, 8, 8, 3), np.float32))
    several = [dataclasses.replace(model, name=name, data=path) for name in "abc"]
    builds = [_built(each, model.path, "float32") for each in several]
    loadables(several[:1], builds[:1], tmp_path / "inputs")  # what is imported and kept once
    tracemalloc.start()
    try:
        loadables(several, builds, tmp_path / "inputs")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * samples * 8 * 8 * 3 * 4  # a dataset and its checks; three of them would take more


def ended(result: CampaignResult) -> CampaignResult:
    return dataclasses.replace(result, campaign=dataclasses.replace(result.campaign, ended_at=1.0))


def test_complete_is_all_that_was_asked_for() -> None:
    whole = ended(a_campaign_result([a_cell_result("float32")]))
    assert is_complete(whole)
    unread = ModelFailed(name="m", path="m", error="empty")
    assert not is_complete(dataclasses.replace(whole, models_failed=(unread,)))
    unbuilt = BuildFailed(model="m", name="int8", recipe="int8", error="no")
    assert not is_complete(dataclasses.replace(whole, builds_failed=(unbuilt,)))
    refused = dataclasses.replace(unbuilt, refused=True)
    assert is_complete(dataclasses.replace(whole, builds_failed=(refused,)))
    open_ = dataclasses.replace(whole, campaign=dataclasses.replace(whole.campaign, ended_at=None))
    assert not is_complete(open_)
