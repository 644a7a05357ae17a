"""What is damaged: small models of many kinds, so that most of a file is structure and little of it weights."""

from collections.abc import Mapping

from tests.support import models


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
    }
