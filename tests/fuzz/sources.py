"""What is damaged: small models of many kinds, so that most of a file is structure and little of it weights."""

from collections.abc import Mapping

from tests.support import models, unusual

_UNUSUAL = ("branch", "hash_table", "lstm", "open_output", "resource_variable", "string_gather", "two_graphs", "while")


def sources() -> Mapping[str, bytes]:
    return {
        "cnn": models.tiny_cnn(),
        "partitioned": models.partitioned(),
        "chain": models.many_ops(12),
        "inputs": models.several_inputs(),
        "signatures": models.several_signatures(),
        "quantised": models.int8_io(),
        "unnamed": models.no_signature(),
        "open": models.open_signature_shape(),
        **{name: build() for name, build in unusual.FOLDER.items() if name in _UNUSUAL},
    }
