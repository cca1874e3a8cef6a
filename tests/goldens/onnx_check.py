"""Checks the ONNX files that this package writes with the standard's own checker (not part of the tests).

Run:  node dist/tests/goldens/onnx-models.js DIR && python3 tests/goldens/onnx_check.py DIR
Needs the Python package onnx (1.17 or later).

Each model must pass onnx.checker with full_check (operators, attributes, types, and shape inference over the whole graph),
and the inferred type and shape of each output must be the declared one.
"""

import pathlib
import sys

import onnx
from onnx import shape_inference


def types_of(values):
    out = {}
    for v in values:
        t = v.type.tensor_type
        out[v.name] = (t.elem_type, tuple(d.dim_value if d.HasField("dim_value") else None for d in t.shape.dim))
    return out


def check(path):
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(str(path))
    declared = types_of(model.graph.output)
    # Without the declarations, so that they cannot confirm themselves.
    for v in model.graph.output:
        v.type.tensor_type.ClearField("shape")
    inferred = types_of(shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph.output)
    unknown = 0
    for name, (dtype, shape) in declared.items():
        got = inferred.get(name)
        if got is None or len(got[1]) != len(shape) or None in got[1]:
            unknown += 1
        elif got != (dtype, shape):
            raise ValueError(f"output {name}: declared {(dtype, shape)}, inferred {got}")
    return len(model.graph.node), len(declared), unknown


def main(folder):
    failed = nodes = outputs = unknown = 0
    paths = sorted(pathlib.Path(folder).glob("*.onnx"))
    for path in paths:
        try:
            n, o, u = check(path)
            nodes, outputs, unknown = nodes + n, outputs + o, unknown + u
        except Exception as error:
            failed += 1
            print(f"{path.name}: {error}")
    print(f"{len(paths)} models, {nodes} nodes, {outputs} outputs ({unknown} not inferred), {failed} failed")
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
