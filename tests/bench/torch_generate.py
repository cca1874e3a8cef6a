"""The peer of the generation benchmark: greedy generation in PyTorch with the same weights. Reads "run" a line from
standard input and answers with one JSON object a line, {"ms": milliseconds, "tokens": [[...], ...]}, so that the
benchmark can take turns and compare tokens.

    python3 torch_generate.py '{"vocabSize": ..., ..., "prompts": [[...], ...], "tokens": 96, "threads": 2}' weights.safetensors MODE

MODE: transformers, LlamaForCausalLM.generate with its cache; loop, a loop written for speed: one product for queries, keys
and values and one for gate and up, a preallocated cache that is written in place and read up to the present position.
"""
import json
import sys
import time

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

c = json.loads(sys.argv[1])
weights = load_file(sys.argv[2])
mode = sys.argv[3]
torch.set_num_threads(c["threads"])
prompts = torch.tensor(c["prompts"])
B, START = prompts.shape
NEW = c["tokens"]
C, H, KV, L = c["width"], c["heads"], c["kvHeads"], c["layers"]
D = C // H
EPS = c["normEpsilon"]


def transformers_generate():
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=c["vocabSize"], hidden_size=C, intermediate_size=c["hidden"], num_hidden_layers=L, num_attention_heads=H,
        num_key_value_heads=KV, max_position_embeddings=c["maxLength"], rms_norm_eps=EPS, rope_theta=c["ropeBase"],
        tie_word_embeddings=c["tieEmbeddings"], bos_token_id=None, eos_token_id=None, pad_token_id=0,
    )
    model = LlamaForCausalLM(config).eval()
    model.load_state_dict(weights, strict=True)
    mask = torch.ones_like(prompts)

    def run():
        return model.generate(prompts, attention_mask=mask, do_sample=False, max_new_tokens=NEW, min_new_tokens=NEW)[:, START:]

    return run


def loop():
    w = weights
    length = START + NEW
    angles = torch.arange(length)[:, None] * c["ropeBase"] ** (-torch.arange(0, D // 2) * 2.0 / D)
    cos, sin = angles.cos(), angles.sin()
    layers = []
    for i in range(L):
        at = f"model.layers.{i}."
        attn, mlp = at + "self_attn.", at + "mlp."
        layers.append((
            w[at + "input_layernorm.weight"],
            torch.cat([w[attn + n + "_proj.weight"] for n in "qkv"]),
            w[attn + "o_proj.weight"],
            w[at + "post_attention_layernorm.weight"],
            torch.cat([w[mlp + "gate_proj.weight"], w[mlp + "up_proj.weight"]]),
            w[mlp + "down_proj.weight"],
        ))
    embed, norm = w["model.embed_tokens.weight"], w["model.norm.weight"]
    head = w.get("lm_head.weight", embed)
    keys = torch.zeros(L, B, KV, length, D)
    values = torch.zeros(L, B, KV, length, D)

    def rotate(x, cos, sin):
        a, b = x.chunk(2, -1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def forward(ids, at):
        n = ids.shape[1]
        x = F.embedding(ids, embed)
        turn = cos[at:at + n], sin[at:at + n]
        for i, (n1, qkv, o, n2, gate_up, down) in enumerate(layers):
            q, k, v = F.linear(F.rms_norm(x, (C,), n1, EPS), qkv).split([C, KV * D, KV * D], -1)
            q, k, v = (t.view(B, n, -1, D).transpose(1, 2) for t in (q, k, v))
            keys[i, :, :, at:at + n] = rotate(k, *turn)
            values[i, :, :, at:at + n] = v
            y = F.scaled_dot_product_attention(
                rotate(q, *turn), keys[i, :, :, :at + n], values[i, :, :, :at + n], is_causal=n > 1, enable_gqa=KV != H)
            x = x + F.linear(y.transpose(1, 2).reshape(B, n, C), o)
            gate, up = F.linear(F.rms_norm(x, (C,), n2, EPS), gate_up).chunk(2, -1)
            x = x + F.linear(F.silu(gate) * up, down)
        return F.linear(F.rms_norm(x[:, -1], (C,), norm, EPS), head)

    def run():
        out = torch.empty(B, NEW, dtype=torch.long)
        ids = prompts
        at = 0
        for t in range(NEW):
            logits = forward(ids, at)
            at += ids.shape[1]
            out[:, t] = logits.argmax(-1)
            ids = out[:, t:t + 1]
        return out

    return run


with torch.inference_mode():
    generate = transformers_generate() if mode == "transformers" else loop()
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        tokens = generate()
        ms = (time.perf_counter() - start) * 1e3
        print(json.dumps({"ms": ms, "tokens": tokens.tolist()}), flush=True)
