"""The peer of the generation benchmark: greedy generation in PyTorch with the same weights. Reads a JSON object a line from
standard input and answers each with one, so that the benchmark can take turns and compare tokens:

    {"config": {...}, "weights": "model.safetensors", "prompts": [[...], ...], "tokens": 48}   -> {}   what is run from here on
    {"run": "transformers" or "loop"}                                            -> {"ms": 12.3, "tokens": [[...], ...]}

    python3 torch_generate.py THREADS

transformers: LlamaForCausalLM.generate with its cache. loop: a loop written for speed, with one product for queries, keys and
values and one for gate and up, and a preallocated cache that is written in place and read up to the present position.
"""
import json
import sys
import time

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

torch.set_num_threads(int(sys.argv[1]))


def with_transformers(c, weights, prompts, count):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=c["vocabSize"], hidden_size=c["width"], intermediate_size=c["hidden"], num_hidden_layers=c["layers"],
        num_attention_heads=c["heads"], num_key_value_heads=c["kvHeads"], max_position_embeddings=c["maxLength"],
        rms_norm_eps=c["normEpsilon"], rope_theta=c["ropeBase"], tie_word_embeddings=c["tieEmbeddings"], bos_token_id=None,
        eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    model.load_state_dict(weights, strict=True)
    mask = torch.ones_like(prompts)
    limits = dict(max_new_tokens=count, min_new_tokens=count)
    return lambda: model.generate(prompts, attention_mask=mask, do_sample=False, **limits)[:, prompts.shape[1]:]


def with_loop(c, w, prompts, count):
    batch, start = prompts.shape
    width, heads, groups, n_layers, eps = c["width"], c["heads"], c["kvHeads"], c["layers"], c["normEpsilon"]
    d = width // heads
    length = start + count
    angles = torch.arange(length)[:, None] * c["ropeBase"] ** (-torch.arange(0, d // 2) * 2.0 / d)
    cos, sin = angles.cos(), angles.sin()
    layers = []
    for i in range(n_layers):
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
    keys = torch.zeros(n_layers, batch, groups, length, d)
    values = torch.zeros(n_layers, batch, groups, length, d)

    def rotate(x, cos, sin):
        a, b = x.chunk(2, -1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def forward(ids, at):
        n = ids.shape[1]
        x = F.embedding(ids, embed)
        turn = cos[at:at + n], sin[at:at + n]
        for i, (n1, qkv, o, n2, gate_up, down) in enumerate(layers):
            parts = F.linear(F.rms_norm(x, (width,), n1, eps), qkv).split([width, groups * d, groups * d], -1)
            q, k, v = (t.view(batch, n, -1, d).transpose(1, 2) for t in parts)
            keys[i, :, :, at:at + n] = rotate(k, *turn)
            values[i, :, :, at:at + n] = v
            y = F.scaled_dot_product_attention(
                rotate(q, *turn), keys[i, :, :, :at + n], values[i, :, :, :at + n], is_causal=n > 1, enable_gqa=groups != heads)
            x = x + F.linear(y.transpose(1, 2).reshape(batch, n, width), o)
            gate, up = F.linear(F.rms_norm(x, (width,), n2, eps), gate_up).chunk(2, -1)
            x = x + F.linear(F.silu(gate) * up, down)
        return F.linear(F.rms_norm(x[:, -1], (width,), norm, eps), head)

    def run():
        out = torch.empty(batch, count, dtype=torch.long)
        ids, at = prompts, 0
        for t in range(count):
            logits = forward(ids, at)
            at += ids.shape[1]
            out[:, t] = logits.argmax(-1)
            ids = out[:, t:t + 1]
        return out

    return run


def main():
    runs = {}
    for line in sys.stdin:
        asked = json.loads(line)
        if "run" in asked:
            start = time.perf_counter()
            tokens = runs[asked["run"]]()
            print(json.dumps({"ms": (time.perf_counter() - start) * 1e3, "tokens": tokens.tolist()}), flush=True)
        else:
            given = asked["config"], load_file(asked["weights"]), torch.tensor(asked["prompts"]), asked["tokens"]
            runs = {"transformers": with_transformers(*given), "loop": with_loop(*given)}
            print("{}", flush=True)


with torch.inference_mode():
    main()
