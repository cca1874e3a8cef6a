"""Reference values and gradients of the layers, the optimiser, the schedules and the LLaMA model.

Run:  python3 tests/goldens/nn.py     (needs torch, transformers and peft; the tests need none of them)

Writes tests/goldens/data/nn.jsonl, one record a line: {"case": name, "values": {key: [numbers]}}. Running it again gives
the same bytes. Parameters and inputs follow from their names and shapes by the rule of ops.py (`param` below), which
tests/nn/golden.ts repeats, so that the file holds results only. All is computed in float64, but where a library itself
goes to float32 inside (LLaMA's norms and rotary tables).
"""

import json

import torch
import torch.nn.functional as F
from ops import HERE, numbers, seed_of, values

RECORDS = []


def param(name, shape, scale=1.0, shift=0.0):
    """Uniform in [-2, 2) * scale + shift, determined by the name."""
    spec = f"float32[{','.join(map(str, shape))}]"
    _, _, flat = values(spec, seed_of(name))
    t = torch.tensor(flat, dtype=torch.float64).reshape(shape) * scale + shift
    return t.requires_grad_()


def ints(name, shape, below):
    _, _, flat = values(f"int32[{','.join(map(str, shape))}] below {below}", seed_of(name))
    return torch.tensor(flat, dtype=torch.long).reshape(shape)


def record(case, **tensors):
    assert all(t.isfinite().all() for t in tensors.values()), case
    RECORDS.append({"case": case, "values": {k: numbers(v) for k, v in tensors.items()}})


def layer(case, y, **leaves):
    """A result and the gradients of sum(y * dy) by the named leaves."""
    dy = param(f"{case}.dy", y.shape).detach()
    grads = torch.autograd.grad((y * dy).sum(), list(leaves.values()), allow_unused=True)
    found = {k: torch.zeros_like(leaves[k]) if g is None else g for k, g in zip(leaves, grads)}
    record(case, y=y, **{f"d.{k}": g for k, g in found.items()})


# --- layers -----------------------------------------------------------------------------------------------------------


def simple_layers():
    x = param("linear.x", (2, 3, 5))
    w, b = param("linear.weight", (4, 5)), param("linear.bias", (4,))
    layer("linear", F.linear(x, w, b), x=x, weight=w, bias=b)

    ids, table = ints("embedding.ids", (2, 6), 7), param("embedding.weight", (7, 3))
    layer("embedding", F.embedding(ids, table), weight=table)

    # Small, so that the epsilon shows.
    x, w = param("rmsNorm.x", (2, 3, 8), 1 / 64), param("rmsNorm.weight", (8,))
    layer("rmsNorm", F.rms_norm(x, (8,), w, 1e-5), x=x, weight=w)

    x = param("layerNorm.x", (2, 3, 8), 1 / 64)
    w, b = param("layerNorm.weight", (8,)), param("layerNorm.bias", (8,))
    layer("layerNorm", F.layer_norm(x, (8,), w, b, 1e-5), x=x, weight=w, bias=b)

    x = param("groupNorm.x", (2, 6, 3, 4), shift=-1.0)
    w, b = param("groupNorm.weight", (6,)), param("groupNorm.bias", (6,))
    layer("groupNorm", F.group_norm(x, 3, w, b, 0.1), x=x, weight=w, bias=b)

    x = param("swiglu.x", (2, 3, 4))
    g, u, d = (param(f"swiglu.{n}", s, 0.5) for n, s in (("gate", (6, 4)), ("up", (6, 4)), ("down", (4, 6))))
    layer("swiglu", F.linear(F.silu(F.linear(x, g)) * F.linear(x, u), d), x=x, gate=g, up=u, down=d)

    x = param("geluMlp.x", (2, 3, 4))
    w1, b1 = param("geluMlp.w1", (6, 4), 0.5), param("geluMlp.b1", (6,), 0.5)
    w2, b2 = param("geluMlp.w2", (4, 6), 0.5), param("geluMlp.b2", (4,), 0.5)
    layer("geluMlp", F.linear(F.gelu(F.linear(x, w1, b1)), w2, b2), x=x, w1=w1, b1=b1, w2=w2, b2=b2)


def rope():
    """Hugging Face's apply_rotary_pos_emb (rotate_half), at positions with gaps."""
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    x = param("rope.x", (2, 3, 4, 8))
    positions = torch.tensor([[0, 1, 2, 3], [5, 9, 20, 60]])
    inverse = 1.0 / 10000 ** (torch.arange(0, 8, 2, dtype=torch.float64) / 8)
    angles = positions[..., None] * inverse
    both = torch.cat([angles, angles], -1)
    y, _ = apply_rotary_pos_emb(x, x, both.cos(), both.sin())
    layer("rope", y, x=x)


# --- attention --------------------------------------------------------------------------------------------------------


def attention():
    def case(name, heads, groups, queries, keys, mask=None, causal=False, scale=None):
        q = param(f"{name}.q", (2, heads, queries, 4))
        k, v = param(f"{name}.k", (2, groups, keys, 4)), param(f"{name}.v", (2, groups, keys, 4))
        if causal:
            # The last query is aligned with the last key.
            triangle = torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)
            mask = triangle if mask is None else mask & triangle
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale, enable_gqa=groups != heads)
        layer(name, y, q=q, k=k, v=v)

    lengths = torch.tensor([5, 2])
    right = (torch.arange(5) < lengths[:, None])[:, None, None]
    left = (torch.arange(5) >= 5 - lengths[:, None])[:, None, None]
    case("attention.full", 2, 2, 5, 5)
    case("attention.causal", 2, 2, 5, 5, causal=True)
    case("attention.cached", 2, 2, 2, 5, causal=True)
    case("attention.cross", 2, 2, 3, 5)
    case("attention.grouped", 4, 2, 5, 5, causal=True)
    case("attention.multi-query", 4, 1, 3, 5, scale=0.25)
    case("attention.right-padded", 2, 2, 5, 5, right, causal=True)
    # The first queries of the second sequence see nothing: 0, and no gradient.
    case("attention.left-padded", 2, 2, 5, 5, left, causal=True)
    nothing = (torch.arange(5) < torch.tensor([3, 0])[:, None])[:, None, None]
    case("attention.nothing", 4, 2, 3, 5, nothing)

    x, context = param("attentionBlock.x", (2, 3, 8)), param("attentionBlock.context", (2, 5, 6))
    q, k, v, o = (
        param(f"attentionBlock.{n}", s, 0.25) for n, s in (("q", (8, 8)), ("k", (8, 6)), ("v", (8, 6)), ("o", (8, 8)))
    )
    bias = param("attentionBlock.bias", (8,))
    y, _ = F.multi_head_attention_forward(
        x.transpose(0, 1),
        context.transpose(0, 1),
        context.transpose(0, 1),
        8,
        2,
        None,
        None,
        None,
        None,
        False,
        0.0,
        o,
        bias,
        key_padding_mask=~right[:, 0, 0],
        need_weights=False,
        use_separate_proj_weight=True,
        q_proj_weight=q,
        k_proj_weight=k,
        v_proj_weight=v,
    )
    layer("attentionBlock", y.transpose(0, 1), x=x, context=context, q=q, k=k, v=v, o=o, bias=bias)


# --- convolution ------------------------------------------------------------------------------------------------------


def convolutions():
    def case(name, f, x_shape, w_shape, outputs, **options):
        x, w, b = param(f"{name}.x", x_shape), param(f"{name}.weight", w_shape), param(f"{name}.bias", (outputs,))
        layer(name, f(x, w, b, **options), x=x, weight=w, bias=b)

    case("conv1d", F.conv1d, (2, 3, 9), (4, 3, 3), 4, stride=2, padding=1)
    case("conv1d.same", F.conv1d, (2, 3, 9), (4, 3, 4), 4, padding="same", dilation=2)
    case("conv2d", F.conv2d, (2, 3, 5, 6), (4, 3, 3, 3), 4, padding=1)
    case("conv2d.grouped", F.conv2d, (2, 4, 7, 6), (6, 2, 3, 2), 6, stride=(2, 1), padding=(1, 0), groups=2)
    case("conv3d", F.conv3d, (1, 2, 4, 5, 4), (3, 2, 3, 3, 3), 3, padding=1, stride=(1, 2, 2))
    case("convTranspose1d", F.conv_transpose1d, (2, 3, 5), (3, 4, 4), 4, stride=2, padding=1)
    case("convTranspose2d", F.conv_transpose2d, (2, 3, 4, 3), (3, 2, 3, 3), 2, stride=2, padding=1, output_padding=1)
    case("convTranspose3d", F.conv_transpose3d, (1, 4, 3, 2, 3), (4, 1, 2, 3, 2), 2, stride=2, groups=2)


def pools():
    def case(name, shape, f):
        x = param(f"{name}.x", shape)
        layer(name, f(x), x=x)

    case("maxPool", (2, 3, 4, 6), lambda x: F.max_pool2d(x, 2))
    case("maxPool.padded", (2, 3, 7, 6), lambda x: F.max_pool2d(x, 3, 2, 1))
    case("avgPool", (2, 3, 4, 6), lambda x: F.avg_pool2d(x, 2))
    case("avgPool.padded", (2, 3, 7, 6), lambda x: F.avg_pool2d(x, 3, 2, 1))
    case("avgPool.inside", (2, 3, 7, 6), lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False))
    case("avgPool.1d", (2, 3, 8), lambda x: F.avg_pool1d(x, 4, 2))
    case("maxPool.3d", (1, 2, 4, 4, 5), lambda x: F.max_pool3d(x, (2, 2, 3), (2, 2, 1)))
    case("globalAvgPool", (2, 3, 4, 6), lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1))
    case("resizeNearest", (2, 3, 3, 4), lambda x: F.interpolate(x, size=(5, 3), mode="nearest"))
    case("upsampleNearest", (2, 3, 2, 3), lambda x: F.interpolate(x, scale_factor=2, mode="nearest"))


def res_blocks():
    def case(name, inputs, outputs, space, embedding):
        n = len(space)
        f = (F.conv1d, F.conv2d, F.conv3d)[n - 1]
        k = (3,) * n
        p = {
            "norm1.weight": param(f"{name}.norm1.weight", (inputs,)),
            "norm1.bias": param(f"{name}.norm1.bias", (inputs,)),
            "conv1.weight": param(f"{name}.conv1.weight", (outputs, inputs, *k), 0.25),
            "conv1.bias": param(f"{name}.conv1.bias", (outputs,)),
            "norm2.weight": param(f"{name}.norm2.weight", (outputs,)),
            "norm2.bias": param(f"{name}.norm2.bias", (outputs,)),
            "conv2.weight": param(f"{name}.conv2.weight", (outputs, outputs, *k), 0.25),
            "conv2.bias": param(f"{name}.conv2.bias", (outputs,)),
        }
        x = param(f"{name}.x", (2, inputs, *space))
        h = F.silu(F.group_norm(x, 2, p["norm1.weight"], p["norm1.bias"], 0.1))
        h = f(h, p["conv1.weight"], p["conv1.bias"], padding=1)
        leaves = {"x": x}
        if embedding:
            p["time_emb_proj.weight"] = param(f"{name}.time_emb_proj.weight", (outputs, embedding), 0.5)
            p["time_emb_proj.bias"] = param(f"{name}.time_emb_proj.bias", (outputs,))
            leaves["embedding"] = e = param(f"{name}.embedding", (2, embedding))
            shift = F.linear(F.silu(e), p["time_emb_proj.weight"], p["time_emb_proj.bias"])
            h = h + shift[(...,) + (None,) * n]
        h = F.silu(F.group_norm(h, 2, p["norm2.weight"], p["norm2.bias"], 0.1))
        h = f(h, p["conv2.weight"], p["conv2.bias"], padding=1)
        if inputs != outputs:
            p["conv_shortcut.weight"] = param(f"{name}.conv_shortcut.weight", (outputs, inputs, *(1,) * n))
            p["conv_shortcut.bias"] = param(f"{name}.conv_shortcut.bias", (outputs,))
            x = f(x, p["conv_shortcut.weight"], p["conv_shortcut.bias"])
        layer(name, x + h, **leaves, **p)

    case("resBlock.2d", 4, 6, (4, 3), 5)
    case("resBlock.1d", 4, 4, (6,), None)
    x = param("resample.x", (2, 3, 4, 6))
    w, b = param("resample.weight", (4, 3, 3, 3)), param("resample.bias", (4,))
    layer("downsample", F.conv2d(x, w, b, stride=2, padding=1), x=x, weight=w, bias=b)
    wide = F.interpolate(x, scale_factor=2, mode="nearest")
    layer("upsample", F.conv2d(wide, w, b, padding=1), x=x, weight=w, bias=b)


# --- optimiser, clipping, schedules -----------------------------------------------------------------------------------


def optimiser():
    """Five steps with a warm-up from 0, decay on the matrix alone, gradients clipped to norm 1.5."""
    w, b = param("adamw.w", (3, 4)), param("adamw.b", (4,))
    groups = [{"params": [w], "weight_decay": 0.1}, {"params": [b], "weight_decay": 0.0}]
    adam = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.95), eps=1e-3)
    for step, rate in enumerate([0.0, 0.01, 0.02, 0.015, 0.005]):
        w.grad = param(f"adamw.gw{step}", (3, 4), 0.5 if step % 2 else 0.125).detach()
        b.grad = param(f"adamw.gb{step}", (4,), 0.5 if step % 2 else 0.125).detach()
        norm = torch.nn.utils.clip_grad_norm_([w, b], 1.5)
        for group in adam.param_groups:
            group["lr"] = rate
        adam.step()
        record(f"adamw.{step}", w=w, b=b, norm=norm, gw=w.grad, m=adam.state[w]["exp_avg"], v=adam.state[w]["exp_avg_sq"])


def muon():
    """A wide and a tall matrix. PyTorch iterates in bfloat16, two digits; its own code is run here with that cast to float64 instead."""
    import inspect

    from torch.optim import _muon

    source = inspect.getsource(_muon._zeropower_via_newtonschulz)
    assert source.count(".bfloat16()") == 1
    scope = vars(_muon).copy()
    exec(source.replace(".bfloat16()", ".double()"), scope)
    original, _muon._zeropower_via_newtonschulz = _muon._zeropower_via_newtonschulz, scope["_zeropower_via_newtonschulz"]
    try:
        w, t = param("muon.w", (3, 5)), param("muon.t", (6, 4))
        optimizer = torch.optim.Muon([w, t], lr=0.0, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw")
        for step, rate in enumerate([0.0, 0.01, 0.02, 0.015, 0.005]):
            w.grad = param(f"muon.gw{step}", (3, 5)).detach()
            t.grad = param(f"muon.gt{step}", (6, 4)).detach()
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            record(
                f"muon.{step}",
                w=w,
                t=t,
                mw=optimizer.state[w]["momentum_buffer"],
                mt=optimizer.state[t]["momentum_buffer"],
            )
    finally:
        _muon._zeropower_via_newtonschulz = original


def schedules():
    import transformers

    def case(name, make):
        adam = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=0.01)
        schedule = make(adam)
        rates = []
        for _ in range(21):
            rates.append(schedule.get_last_lr()[0])
            adam.step()
            schedule.step()
        record(name, rates=torch.tensor(rates, dtype=torch.float64))

    case("schedule.cosine", lambda a: transformers.get_cosine_schedule_with_warmup(a, 4, 20))
    case("schedule.linear", lambda a: transformers.get_linear_schedule_with_warmup(a, 4, 20))
    case("schedule.constant", lambda a: transformers.get_constant_schedule_with_warmup(a, 4))
    case(
        "schedule.cosine-min",
        lambda a: transformers.get_cosine_with_min_lr_schedule_with_warmup(a, 3, 20, min_lr_rate=0.1),
    )


def cross_entropy():
    logits, labels = param("crossEntropy.logits", (2, 5, 7), 4.0), ints("crossEntropy.labels", (2, 5), 7)
    layer("tokenLogProbs", logits.log_softmax(-1).gather(-1, labels[..., None])[..., 0], logits=logits)
    mask = torch.tensor([[0, 1, 1, 1, 0], [1, 0, 0, 1, 1]], dtype=torch.bool)
    loss = F.cross_entropy(logits.flatten(0, 1), labels.masked_fill(~mask, -100).flatten(), ignore_index=-100)
    (grad,) = torch.autograd.grad(loss, [logits])
    record("crossEntropy", loss=loss, logits=grad)


# --- LLaMA and LoRA ---------------------------------------------------------------------------------------------------


def llama_model(tied, kv_heads, attention="eager"):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=19,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=kv_heads,
        max_position_embeddings=32,
        rms_norm_eps=1e-5,
        tie_word_embeddings=tied,
        attn_implementation=attention,
    )
    config.pad_token_id = None
    model = LlamaForCausalLM(config).double().eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            norm = "norm" in name
            p.copy_(param(f"llama.{name}", tuple(p.shape), 0.125 if norm else 0.25, 1.0 if norm else 0.0))
    return model


def llama():
    ids = ints("llama.ids", (2, 7), 19)
    some = [
        "model.embed_tokens.weight",
        "model.layers.0.self_attn.q_proj.weight",
        "model.layers.0.self_attn.k_proj.weight",
        "model.layers.1.self_attn.v_proj.weight",
        "model.layers.1.self_attn.o_proj.weight",
        "model.layers.0.mlp.gate_proj.weight",
        "model.layers.1.mlp.down_proj.weight",
        "model.layers.0.input_layernorm.weight",
        "model.norm.weight",
    ]
    for name, tied, kv_heads in (("llama", False, 4), ("llama.grouped-tied", True, 2)):
        model = llama_model(tied, kv_heads)
        out = model(input_ids=ids, labels=ids)
        found = dict(model.named_parameters())
        grads = torch.autograd.grad(out.loss, [found[n] for n in some])
        record(name, logits=out.logits, loss=out.loss, **{f"d.{n}": g for n, g in zip(some, grads)})

    # The second sequence is padded on the left.
    mask = torch.tensor([[1] * 7, [0, 0, 0, 1, 1, 1, 1]])
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    # The eager form makes rows that see nothing NaN in float64.
    model = llama_model(False, 2, "sdpa")
    out = model(input_ids=ids, attention_mask=mask, position_ids=positions)
    record("llama.padded", first=out.logits[0], second=out.logits[1, 3:])


def lora():
    from peft import LoraConfig, get_peft_model
    from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict

    ids = ints("llama.ids", (2, 7), 19)
    config = LoraConfig(r=3, lora_alpha=6, target_modules=["q_proj", "v_proj", "down_proj"], lora_dropout=0.0)
    model = get_peft_model(llama_model(False, 2), config).double().eval()
    state = get_peft_model_state_dict(model)
    names = sorted(state)
    set_peft_model_state_dict(model, {n: param(f"lora.{n}", tuple(state[n].shape), 0.25).detach() for n in names})
    out = model(input_ids=ids, labels=ids)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    chosen = [n for n in trained if "layers.1" in n]
    grads = torch.autograd.grad(out.loss, [trained[n] for n in chosen])
    record("lora", logits=out.logits, loss=out.loss, **{f"d.{n.replace('.default', '')}": g for n, g in zip(chosen, grads)})
    merged = model.merge_and_unload()
    weight = merged.get_submodule("model.layers.0.self_attn.q_proj").weight
    record("lora.merged", logits=merged(input_ids=ids).logits, weight=weight)
    RECORDS.append({"case": "lora.names", "names": names})


def main():
    torch.manual_seed(0)
    simple_layers()
    rope()
    attention()
    convolutions()
    pools()
    res_blocks()
    optimiser()
    muon()
    schedules()
    cross_entropy()
    llama()
    lora()
    lines = [json.dumps(r, separators=(",", ":")) for r in RECORDS]
    (HERE / "data" / "nn.jsonl").write_text("\n".join(lines) + "\n")
    print(f"{len(lines)} cases, {sum(map(len, lines)) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
