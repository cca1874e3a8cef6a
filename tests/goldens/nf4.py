"""Weights in 4 bits by bitsandbytes (NF4, blocks of 64, scales in float32 and, "double", in 8 bits).

Run:  python3 tests/goldens/nf4.py        (needs torch, safetensors and bitsandbytes 0.50; the tests need none)

Writes tests/goldens/data/nf4.safetensors.
"""
import pathlib

import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
torch.manual_seed(4)
# Rows of different size, so that the scales differ; more than 256 blocks, so that there are two blocks of scales.
weight = torch.randn(48, 384) * torch.rand(48, 1) * 0.1
weight[3, :64] = 0
codes, plain = quantize_4bit(weight, blocksize=64, quant_type="nf4", compress_statistics=False)
same, double = quantize_4bit(weight, blocksize=64, quant_type="nf4", compress_statistics=True)
assert torch.equal(codes, same)
out = {
    "weight": weight,
    "codes": codes.reshape(48, 192),
    "scales": plain.absmax,
    "dequantised": dequantize_4bit(codes, plain),
    "double.codes": double.absmax,
    "double.scales": double.state2.absmax,
    "double.offset": double.offset,
    "double.dequantised": dequantize_4bit(same, double),
    "table": double.state2.code,
    "numbers": plain.code,
}
save_file({k: v.contiguous() for k, v in out.items()}, str(HERE / "data" / "nf4.safetensors"))
