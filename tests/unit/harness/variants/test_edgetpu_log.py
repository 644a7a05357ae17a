"""Logs of edgetpu_compiler, of all versions that users quoted, as data and as sentences."""

import pytest

from harness.core.variant import CompiledOperators, EdgeTpuCompilation
from harness.variants.tflite.edgetpu_log import NoCompilerLog, parse_log, size_in
from harness.variants.tflite.edgetpu_notes import notes_of
from tests.unit.harness.variants import edgetpu_logs as logs

MIB, KIB = 1 << 20, 1 << 10


def only(text: str) -> EdgeTpuCompilation:
    (told,) = parse_log(text)
    return told


@pytest.mark.parametrize(
    ("text", "version", "on_tpu", "on_cpu", "off_chip"),
    [
        (logs.V2_0, "2.0.291256449", 77, 0, round(18.43 * MIB)),
        (logs.V2_1, "2.1.302470888", 83, 10, round(1.22 * MIB)),
        (logs.V14, "14.1.317412892", 6, 18, 0),
        (logs.V15, "15.0.340273435", 2, 34, 0),
        (logs.V15_NOTHING, "15.0.340273435", 0, 69, 0),
        (logs.V16_STDOUT, "16.0.384591198", 264, 3, 0),
        (logs.V16_LOG, "16.0.384591198", 264, 3, None),
        (logs.V16_WHOLE, "16.0.384591198", 50, 0, round(3.45 * MIB)),
        (logs.V16_SHORT_TABLE, None, 138, 3, round(6.63 * MIB)),
    ],
)
def test_every_version_tells_the_split_and_what_is_streamed(
    text: str, version: str | None, on_tpu: int, on_cpu: int, off_chip: int | None
) -> None:
    told = only(text)
    assert (told.compiler, told.on_tpu, told.on_cpu, told.off_chip_bytes) == (version, on_tpu, on_cpu, off_chip)


def test_version_2_says_what_is_available_and_not_what_remains() -> None:
    told = only(logs.V2_0)
    assert (told.on_chip_bytes, told.on_chip_remaining_bytes) == (round(6.25 * MIB), 0)


def test_one_type_of_operator_stands_on_several_rows() -> None:
    quantize = [each for each in only(logs.V15).operators if each.type == "QUANTIZE"]
    assert [each.count for each in quantize] == [2, 1, 1]
    assert quantize[1].status is None


def test_the_table_of_the_log_joins_what_standard_output_says_of_the_same_file() -> None:
    told = only(logs.V16_STDOUT + "\n" + logs.V16_LOG)
    assert (told.on_chip_bytes, len(told.operators)) == (round(4.21 * MIB), 11)
    assert CompiledOperators(type="CONV_2D", count=102) in told.inside


def test_each_segment_is_one() -> None:
    first, second = parse_log(logs.V16_SEGMENTS)
    assert (first.on_tpu, first.on_cpu, first.off_chip_bytes) == (84, 0, 0)
    assert (second.on_tpu, second.on_cpu, second.off_chip_bytes) == (2, 1, round(41.75 * KIB))


def test_lines_that_nobody_knows_are_passed_over() -> None:
    strange = logs.V16_STDOUT.replace("\n\n", "\nI ./something.cc:12] a line of version 17: 3\n\n")
    assert only(strange) == only(logs.V16_STDOUT)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (logs.NOT_QUANTIZED, "Invalid model: mobilenet_v2_1.0_224_quant.tflite; Model not quantized"),
        (logs.INTERNAL, "Internal compiler error. Aborting!"),
        (logs.TOO_NEW, "ERROR: Didn't find op for builtin opcode 'QUANTIZE' version '3'"),
        ("", "no log of edgetpu_compiler"),
        ("make: nothing to be done\n", "no log of edgetpu_compiler"),
        ("Edge TPU Compiler version 16.0.384591198\n", "no log of edgetpu_compiler"),
    ],
)
def test_what_tells_of_no_model_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(NoCompilerLog, match=words.replace(".", r"\.")):
        parse_log(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0.00B", 0), ("3.00KiB", 3072), ("7.67MiB", 8042578), ("1.5GiB", 3 << 29), ("7.67", None), ("1.2.3MiB", None)],
)
def test_sizes_are_in_bytes(text: str, size: int | None) -> None:
    assert size_in(text) == size


def test_success_without_an_operator_on_it_is_no_success() -> None:
    assert notes_of(only(logs.V15_NOTHING))[0].startswith(
        "Edge TPU compiler 15.0.340273435: none of the operators is on it, 69 stay on the CPU"
    )


def test_the_notes_name_the_gravest_reasons_first() -> None:
    split, _ = notes_of(only(logs.V15))
    assert split.startswith(
        "Edge TPU compiler 15.0.340273435: 2 of 36 operators are on it, 34 stay on the CPU: "
        "12 x CONV_2D, More than one subgraph is not supported; 11 x LEAKY_RELU, Operation not supported"
    )
    assert split.endswith("; 3 other reasons")


def test_parameters_that_are_streamed_are_told_beside_those_that_stay() -> None:
    assert notes_of(only(logs.V16_WHOLE)) == (
        "Edge TPU compiler 16.0.384591198: all 50 operators are on it",
        "Edge TPU compiler 16.0.384591198: 0.59 MiB of parameters stay on chip, 3.45 MiB are sent in every inference",
    )
