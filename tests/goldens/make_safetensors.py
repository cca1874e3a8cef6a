"""Writes data/reference.safetensors with the reference implementation, one tensor of each type, and checks that it reads the
file of the other side where one is given:

    python tests/goldens/make_safetensors.py [file written by this package]
"""

import pathlib
import sys

import safetensors.torch
import torch

tensors = {
    "f64": torch.tensor([1.5, -2.25], dtype=torch.float64),
    "f32": torch.tensor([[0.1, -0.2, 3.0], [4.0, 5.5, -6.25]], dtype=torch.float32),
    "f16": torch.tensor([1.0, -0.5, 65504.0], dtype=torch.float16),
    "bf16": torch.tensor([1.0, -3.140625], dtype=torch.bfloat16),
    "i64": torch.tensor([2**62, -7], dtype=torch.int64),
    "i32": torch.tensor([[1], [-2]], dtype=torch.int32),
    "i16": torch.tensor([300, -300], dtype=torch.int16),
    "i8": torch.tensor([127, -128, 5], dtype=torch.int8),
    "u8": torch.tensor([255, 0], dtype=torch.uint8),
    "bool": torch.tensor([True, False, True], dtype=torch.bool),
    "empty": torch.zeros((0, 4), dtype=torch.float32),
    "scalar": torch.tensor(2.5, dtype=torch.float32),
    "layers.10.\u00fc\"": torch.tensor([7.0], dtype=torch.float32),
    "7": torch.tensor([8.0], dtype=torch.float32),
}

target = pathlib.Path(__file__).parent / "data" / "reference.safetensors"
target.parent.mkdir(exist_ok=True)
safetensors.torch.save_file(tensors, target, metadata={"format": "pt"})

if len(sys.argv) > 1:
    other = safetensors.torch.load_file(sys.argv[1])
    assert other.keys() == tensors.keys(), sorted(other)
    for name, value in tensors.items():
        assert other[name].dtype == value.dtype and torch.equal(other[name], value), name
    print("equal")
