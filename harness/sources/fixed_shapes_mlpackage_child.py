"""The inside of the process that fixes a program's shapes: coremltools says every value's shape, and the copy has them.

    python -m harness.sources.fixed_shapes_mlpackage_child SOURCE TARGET
        '{"function": "main", "shapes": {"image": [4, 3, 224, 224]}}'

What the toolkit refuses is on stdout, in its words; exit code 1. `coremltools.utils.materialize_dynamic_shape_mlmodel`
is not used: it casts to float16, fuses as a conversion does and refuses images. The pass in its midst is.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.sources.mil_package import write_package
from harness.toolkit import import_coremltools, quietly
from harness.variants.coreml.package import load, temporaries_in

Shapes = Mapping[str, Sequence[int]]

_CLEANING = ("common::const_elimination", "common::dead_code_elimination")  # sizes that were computed are known now


def main(source: str, target: str, job: str) -> int:
    """Write the copy; 0, or 1 with the reason on stdout."""
    asked = json.loads(job)
    shapes = {name: tuple(shape) for name, shape in asked["shapes"].items()}
    try:
        with temporaries_in(Path(target).with_suffix(".temporary")), quietly():
            made = _materialize(load(Path(source)), asked["function"], shapes)
            write_package(_described(made, asked["function"], shapes), Path(target))
    except Exception as problem:  # the toolkit raises anything; this is the boundary of one copy
        sys.stdout.write(f"{problem}" or type(problem).__name__)
        return 1
    return 0


def _materialize(program: Any, function: str, shapes: Shapes) -> Any:  # noqa: ANN401 (coremltools has no types)
    """The same program with another function of that name, every operator and weight as before."""
    from coremltools.converters.mil.mil.passes.graph_pass import PassOption
    from coremltools.converters.mil.mil.passes.pass_registry import PASS_REGISTRY
    from coremltools.models.utils import _apply_graph_pass

    fix = PASS_REGISTRY["common::materialize_symbolic_shape_program"]
    options = {"function_name_to_materialization_map": {function: shapes}, "source_function_name": function}
    fix.set_options([PassOption(name, value) for name, value in options.items()])
    passes = [fix, *(PASS_REGISTRY[name] for name in _CLEANING)]
    version = program.get_spec().specificationVersion
    return _apply_graph_pass(program, passes, spec_version=version, skip_model_load=True)


def _described(program: Any, function: str, shapes: Shapes) -> Any:  # noqa: ANN401
    """The program with a description that has these shapes alone, and those of its outputs that follow."""
    specification = program.get_spec()
    description = specification.description
    for described in description.input:
        _fix(described.type, shapes[described.name])
    results = _results(specification.mlProgram.functions[function])
    for described in description.output:
        if described.type.WhichOneof("Type") in ("multiArrayType", "imageType") and described.name in results:
            _fix(described.type, results[described.name])
    models = import_coremltools().models
    return models.MLModel(specification, weights_dir=program.weights_dir, skip_model_load=True)


def _results(function: Any) -> dict[str, list[int]]:  # noqa: ANN401 (MIL_pb2.Function)
    """Shapes of what it returns, of those that are fixed now."""
    block = function.block_specializations[function.opset]
    types = {made.name: made.type.tensorType for operation in block.operations for made in operation.outputs}
    found = {name: types[name].dimensions for name in block.outputs if name in types}
    return {
        name: [each.constant.size for each in dimensions]
        for name, dimensions in found.items()
        if all(each.WhichOneof("dimension") == "constant" for each in dimensions)
    }


def _fix(described: Any, shape: Sequence[int]) -> None:  # noqa: ANN401 (FeatureType)
    if described.WhichOneof("Type") == "imageType":
        image = described.imageType
        image.height, image.width = shape[-2:]
        image.ClearField(image.WhichOneof("SizeFlexibility") or "imageSizeRange")
        return
    array = described.multiArrayType
    array.shape[:] = shape
    array.ClearField(array.WhichOneof("ShapeFlexibility") or "shapeRange")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
