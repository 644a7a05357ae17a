"""Names of the numbers in TFLite's schema."""

from typing import Any

from ai_edge_litert import schema_py_generated as schema

OPERATORS: dict[int, str] = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
TYPES: dict[int, str] = {code: name.lower() for name, code in vars(schema.TensorType).items() if isinstance(code, int)}


def operator_name(code: Any) -> str:  # noqa: ANN401 (generated code)
    """Of an unpacked operator code; `?` for one that this schema does not know."""
    return OPERATORS.get(max(code.builtinCode, code.deprecatedBuiltinCode), "?")
