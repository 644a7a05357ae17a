"""Samples and op tables as bytes."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.launch import OpTable
from harness.store.blobs import CODEC, Samples, pack, pack_samples, unpack, unpack_samples
from harness.store.codec import CodecError
from tests.unit.harness.store.nouns import a_record, of_type


@given(of_type(Samples))
def test_samples_come_back_the_same(samples: Samples) -> None:
    assert unpack_samples(CODEC, pack_samples(samples)) == samples


@given(of_type(OpTable))
def test_an_op_table_comes_back_the_same(table: OpTable) -> None:
    assert unpack(CODEC, pack(table, OpTable), OpTable) == table


def test_fifty_samples_take_less_than_half_a_kilobyte() -> None:
    assert len(pack_samples(Samples.of(a_record(samples=50)))) < 512


@pytest.mark.parametrize("sample", [2**63, 1.5, "1"])
def test_what_is_no_count_of_nanoseconds_is_refused(sample: object) -> None:
    samples = Samples(samples_ns=(sample,), cpu_ns=(), starts_ns=(), warmup_ns=())  # type: ignore[arg-type]
    with pytest.raises(CodecError, match="not a whole number of nanoseconds"):
        pack_samples(samples)


def test_an_unknown_codec_is_refused() -> None:
    blob = pack_samples(Samples.of(a_record()))
    with pytest.raises(CodecError, match="written with codec 2, this version reads codec 1"):
        unpack_samples(2, blob)
    with pytest.raises(CodecError, match="written with codec 2"):
        unpack(2, blob, OpTable)


@given(st.binary() | st.binary().map(zlib.compress))
def test_damaged_samples_are_refused(blob: bytes) -> None:
    try:
        samples = unpack_samples(CODEC, blob)
    except CodecError:
        return
    assert unpack_samples(CODEC, pack_samples(samples)) == samples


@given(st.binary() | st.binary().map(zlib.compress))
def test_a_damaged_op_table_is_refused(blob: bytes) -> None:
    with pytest.raises(CodecError):
        unpack(CODEC, blob, OpTable)
