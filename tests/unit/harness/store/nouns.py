"""Arbitrary nouns by their type hints, and a small campaign, for tests of the store."""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from harness.core.campaign import Campaign
from harness.core.cell import Cell
from harness.core.compute_unit import KINDS, ComputeUnit
from harness.core.device import Conditions
from harness.core.launch import LaunchOutcome, LaunchRecord, LoadTimes, MeasureSettings, OpRecord, OpTable, Pass
from harness.core.variant import Variant
from harness.store import BlockRecord, Store, StoredLaunch

_INT64 = st.integers(-(2**63), 2**63 - 1)
# "\x00" to the last code point, lone surrogates too: a file's name may hold them.
_TEXT = st.text(st.characters(), max_size=12)
_SCALARS: dict[object, st.SearchStrategy[object]] = {
    types.NoneType: st.none(),
    bool: st.booleans(),
    int: _INT64,
    float: st.floats(allow_nan=False) | _INT64,
    str: _TEXT,
    Path: st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=12).map(Path),
    ComputeUnit: st.builds(ComputeUnit, kind=st.sampled_from(KINDS), backend=st.none() | _TEXT),
}


def of_type(kind: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401  # type hints have no type
    """Every value that a noun of this type may have, NaN left out: it is not equal to itself."""
    if kind in _SCALARS:
        return _SCALARS[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return st.one_of([of_type(member) for member in inner])
    if origin is tuple:
        fixed = inner[-1] is not Ellipsis
        return st.tuples(*map(of_type, inner)) if fixed else st.lists(of_type(inner[0]), max_size=3).map(tuple)
    if origin is Mapping:
        return st.dictionaries(_TEXT, of_type(inner[1]), max_size=3)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return st.sampled_from(kind)
    assert is_dataclass(kind)
    assert isinstance(kind, type)
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: of_type(hints[field.name]) for field in fields(kind)})


def a_campaign(identity: str = "c1", *, started_at: float = 100.0, ended_at: float | None = None) -> Campaign:
    return Campaign(
        id=identity,
        name="first",
        started_at=started_at,
        ended_at=ended_at,
        config="models: [digits]\n",
        command="run",
        seed=1,
        version="0.1",
    )


def a_cell(variant: str = "int8") -> Cell:
    return Cell(
        model="digits",
        model_digest="d" * 64,
        format="tflite",
        variant=variant,
        recipe=variant,
        device="local",
        family="linux",
        unit=ComputeUnit.parse("cpu"),
        settings=MeasureSettings(),
        is_source=variant == "float32",
    )


def a_block(identity: str = "b1", campaign: str = "c1") -> BlockRecord:
    return BlockRecord(
        id=identity, campaign=campaign, device="local", group="digits on cpu", pass_=Pass.LATENCY, index=0
    )


def a_record(attempt: str = "a1", samples: int = 3, ops: int = 0) -> LaunchRecord:
    calm = Conditions(taken_at=1.0, temperatures={"cpu": 41.5})
    series = tuple(range(1_000_000, 1_000_000 + samples))
    rows = tuple(
        OpRecord(
            index=index,
            name=f"block_{index}/conv",
            type="CONV_2D",
            shape=(1, 56, 56, 64),
            kernels=("Convolution (NHWC, F32) IGEMM",),
            placed_on="cpu/xnnpack",
            latency_ns=12345.5 + index,
            label="measured",
            share=0.01,
            macs=1 << 24,
            bytes=1 << 20,
        )
        for index in range(ops)
    )
    table = OpTable(ops=rows, coverage=0.97, mapping_cost=0.0, approximate=False, partitions=1, runs=50)
    return LaunchRecord(
        attempt=attempt,
        pass_=Pass.OPS if ops else Pass.LATENCY,
        started_at=2.0,
        wall_s=0.5,
        runtime="litert 2.3.0",
        backend="xnnpack",
        observed=ComputeUnit.parse("cpu"),
        load=LoadTimes(environment_ns=1e6, compile_ns=2e6, first_ns=3e6),
        samples_ns=series,
        cpu_ns=series,
        starts_ns=tuple(range(0, 2000 * samples, 2000)),
        warmup_ns=(1_200_000,),
        before=calm,
        after=calm,
        ops=table if ops else None,
    )


def a_launch(block: str = "b1", position: int = 0, outcome: LaunchOutcome | None = None) -> StoredLaunch:
    record = outcome or a_record(f"{block}.{position}")
    return StoredLaunch(block=block, cell=a_cell().id, position=position, outcome=record)


def a_variant(name: str = "int8", digest: str = "e" * 64) -> Variant:
    return Variant(
        model="digits",
        name=name,
        recipe=name,
        format="tflite",
        digest=digest,
        path=Path("/cache/e.tflite"),
        size_bytes=4096,
        zip_bytes=2048,
        weights_compressed=3,
        weights_total=4,
        parameters=1000,
        tensors=(),
        inputs=(),
        outputs=(),
        build_s=0.5,
    )


def begin(store: Store, identity: str = "c1", *, started_at: float = 100.0) -> None:
    """A campaign of one cell, ready for its first block."""
    store.begin_campaign(
        a_campaign(identity, started_at=started_at),
        environment={},
        devices=(),
        models=(),
        models_failed=(),
        exclusions=(),
        cells=(a_cell(),),
        skipped={},
    )
