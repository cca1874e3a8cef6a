"""Reference values and gradients of the UNet for clips, by diffusers' UNet3DConditionModel and its temporal layers.

Run:  python3 tests/goldens/unet_3d.py     (needs torch and diffusers; the tests need neither)

Writes tests/goldens/data/unet-3d.jsonl, one record a line: {"case": name, "values": {key: [numbers]}}. Weights and inputs
follow from their names by the rule of ops.py (`weight` below), which tests/models/unet-3d.test.ts repeats. In float64.
The record "names" holds the parameters of the published layout (four blocks, two layers each) with small sizes.
"""

import json
import math

import torch
from diffusers import UNet3DConditionModel
from diffusers.models.resnet import TemporalConvLayer
from diffusers.models.transformers.transformer_temporal import TransformerTemporalModel
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D
from ops import HERE, numbers, seed_of, values

RECORDS = []


def draw(name, shape, scale=1.0, shift=0.0):
    """Uniform in [-2, 2) * scale + shift, determined by the name."""
    _, _, flat = values(f"float32[{','.join(map(str, shape))}]", seed_of(name))
    return torch.tensor(flat, dtype=torch.float64).reshape(shape) * scale + shift


def weight(name, shape):
    """Matrices and kernels small enough to keep the signal's size; scales of norms around 1, biases around 0."""
    if len(shape) > 1:
        return draw(name, shape, 0.8 / math.sqrt(math.prod(shape[1:])))
    return draw(name, shape, 0.1, 1.0 if "norm" in name and name.endswith("weight") else 0.0)


def fill(module, prefix=""):
    """Gives every parameter its values. The norms of TemporalConvLayer have no "norm" in their names."""
    module.double().eval()
    with torch.no_grad():
        for name, p in module.named_parameters():
            p.copy_(weight(prefix + name, tuple(p.shape)))
    return module


def record(case, y, leaves):
    """A result and the gradients of sum(y * dy) by the leaves."""
    dy = draw(f"{case}.dy", y.shape)
    grads = torch.autograd.grad((y * dy).sum(), list(leaves.values())) if leaves else []
    found = {"y": y, **{f"d.{k}": g for k, g in zip(leaves, grads)}}
    RECORDS.append({"case": case, "values": {k: numbers(v) for k, v in found.items()}})


def temporal_layers():
    frames, channels = 3, 8
    x = draw("temporal.x", (2 * frames, channels, 2, 3)).requires_grad_()

    conv = fill(TemporalConvLayer(channels, channels, norm_num_groups=4), "temporalConv.")
    leaves = {"x": x, "conv1.0.weight": conv.conv1[0].weight, "conv4.3.weight": conv.conv4[3].weight}
    record("temporalConv", conv(x, num_frames=frames), {**leaves, "conv2.3.bias": conv.conv2[3].bias})

    for case, heads, width in (("temporalTransformer", 2, 4), ("temporalTransformer.wide", 8, 2)):
        model = TransformerTemporalModel(heads, width, in_channels=channels, norm_num_groups=4, cross_attention_dim=6)
        model = fill(model, f"{case}.")
        block = model.transformer_blocks[0]
        leaves = {
            "x": x,
            "norm.weight": model.norm.weight,
            "proj_in.weight": model.proj_in.weight,
            "transformer_blocks.0.attn2.to_k.weight": block.attn2.to_k.weight,
            "transformer_blocks.0.ff.net.0.proj.weight": block.ff.net[0].proj.weight,
        }
        record(case, model(x, num_frames=frames, return_dict=False)[0], leaves)

    # AnimateDiff's layer: the same, but frames know their numbers.
    case = "temporalTransformer.positions"
    kinds = {"positional_embeddings": "sinusoidal", "num_positional_embeddings": 8}
    model = fill(AnimateDiffTransformer3D(2, 4, in_channels=channels, norm_num_groups=4, **kinds), f"{case}.")
    block = model.transformer_blocks[0]
    leaves = {"x": x, "transformer_blocks.0.attn2.to_k.weight": block.attn2.to_k.weight}
    record(case, model(x, num_frames=frames), leaves)


def unets():
    common = {"in_channels": 3, "out_channels": 3, "norm_num_groups": 4, "cross_attention_dim": 6}
    cases = {
        "unet3d": {
            **common,
            "down_block_types": ("CrossAttnDownBlock3D", "DownBlock3D"),
            "up_block_types": ("UpBlock3D", "CrossAttnUpBlock3D"),
            "block_out_channels": (8, 16),
            "layers_per_block": 1,
            "attention_head_dim": 4,
        },
        "unet3d.deep": {
            **common,
            "down_block_types": ("CrossAttnDownBlock3D", "CrossAttnDownBlock3D"),
            "up_block_types": ("CrossAttnUpBlock3D", "CrossAttnUpBlock3D"),
            "block_out_channels": (8, 12),
            "layers_per_block": 2,
            "attention_head_dim": 2,
        },
    }
    for case, config in cases.items():
        model = fill(UNet3DConditionModel(**config), f"{case}.")
        x = draw(f"{case}.x", (2, 3, 4, 4, 4)).requires_grad_()
        states = draw(f"{case}.states", (2, 5, 6)).requires_grad_()
        y = model(x, torch.tensor([7, 500]), states, return_dict=False)[0]
        named = dict(model.named_parameters())
        names = [
            "conv_in.weight",
            "time_embedding.linear_1.weight",
            "transformer_in.proj_out.weight",
            "down_blocks.0.temp_convs.0.conv1.2.weight",
            "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v.weight",
            "down_blocks.0.downsamplers.0.conv.bias",
            "mid_block.temp_attentions.0.transformer_blocks.0.attn1.to_q.weight",
            "up_blocks.0.upsamplers.0.conv.bias",
            "up_blocks.1.resnets.1.conv_shortcut.weight",
            "conv_norm_out.weight",
        ]
        # The deeper one has so many parameters that compiling its gradients takes the tests seconds.
        leaves = {"x": x, "states": states, **{n: named[n] for n in names}} if case == "unet3d" else {}
        record(case, y, leaves)

    published = UNet3DConditionModel(block_out_channels=(32, 64, 96, 128), norm_num_groups=8, attention_head_dim=8)
    shapes = {name: list(p.shape) for name, p in published.named_parameters()}
    RECORDS.append({"case": "names", "names": dict(sorted(shapes.items()))})


temporal_layers()
unets()
out = HERE / "data" / "unet-3d.jsonl"
out.write_text("".join(json.dumps(r) + "\n" for r in RECORDS))
print(out, out.stat().st_size)
