"""Reference values and gradients of Omni-R1's model parts.

Run:  python3 tests/goldens/omni_r1.py     (needs torch and transformers; the tests need neither)

Writes tests/goldens/data/omni_r1.jsonl, in the form of nn.py. Chameleon's language model and the encoder, quantiser and loss of its
image tokenizer are transformers' (ChameleonForConditionalGeneration, ChameleonVQVAE); the image tokenizer's decoder is
transformers' JanusVQVAEDecoder, the same architecture. The perception loss and the two-dimensional total variation are
transcriptions of the paper's equations 2 and 4 to 11.
"""

import json

import torch
import torch.nn.functional as F
from nn import RECORDS, ints, param, record
from ops import HERE


def fill(model, prefix, scale=0.25):
    """Every parameter from its name; normalisations about 1."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            norm = "norm" in name and name.endswith("weight")
            p.copy_(param(f"{prefix}.{name}", tuple(p.shape), 0.125 if norm else scale, 1.0 if norm else 0.0))


def chameleon():
    from transformers import ChameleonConfig, ChameleonForConditionalGeneration

    config = ChameleonConfig(
        vocab_size=19,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=32,
        rms_norm_eps=1e-5,
        tie_word_embeddings=False,
        attn_implementation="eager",
        # No image token: the reference would forbid them in every forward pass.
        vocabulary_map={"<image>": 18},
        vq_config={"base_channels": 32, "channel_multiplier": [1], "num_res_blocks": 1, "resolution": 8,
                   "embed_dim": 4, "latent_channels": 4, "num_embeddings": 8},
    )
    config.pad_token_id = None
    model = ChameleonForConditionalGeneration(config).double().eval()
    fill(model, "chameleon")
    ids = ints("chameleon.ids", (2, 7), 18)
    out = model(input_ids=ids, labels=ids)
    found = {n: p for n, p in model.named_parameters() if "vqmodel" not in n}
    some = [
        "model.embed_tokens.weight",
        "lm_head.weight",
        "model.norm.weight",
        *[f"model.layers.0.self_attn.{n}" for n in ("q_proj.weight", "k_proj.weight")],
        *[f"model.layers.{i}.self_attn.{n}" for i in (0, 1) for n in ("q_norm.weight", "q_norm.bias", "k_norm.weight", "k_norm.bias")],
        "model.layers.1.mlp.down_proj.weight",
    ]
    grads = torch.autograd.grad(out.loss, [found[n] for n in some])
    record("chameleon", logits=out.logits, loss=out.loss, **{f"d.{n}": g for n, g in zip(some, grads)})
    RECORDS.append({"case": "chameleon.names", "names": sorted(found)})


VQ = {"base_channels": 32, "channel_multiplier": [1, 2], "num_res_blocks": 1, "resolution": 8, "attn_resolutions": [8],
      "embed_dim": 6, "latent_channels": 10, "num_embeddings": 16, "double_latent": False}


def vqgan():
    from transformers import ChameleonVQVAEConfig
    from transformers.models.chameleon.modeling_chameleon import ChameleonVQVAE
    from transformers.models.janus.configuration_janus import JanusVQVAEConfig
    from transformers.models.janus.modeling_janus import JanusVQVAEDecoder

    model = ChameleonVQVAE(ChameleonVQVAEConfig(**VQ)).double()
    fill(model, "vqgan", 0.125)
    pictures = param("vqgan.pictures", (2, 3, 8, 8), 0.5)
    out = model.encode(pictures)
    quantised = out.quantized_last_hidden_state
    dy = param("vqgan.dy", quantised.shape).detach()
    some = ["encoder.conv_in.weight", "encoder.down.0.attn.0.q.bias", "encoder.down.0.downsample.conv.bias",
            "encoder.down.1.block.0.nin_shortcut.bias", "encoder.mid.attn_1.proj_out.bias", "encoder.norm_out.weight",
            "encoder.conv_out.bias", "quant_conv.weight", "quantize.embedding.weight"]
    found = dict(model.named_parameters())
    grads = torch.autograd.grad((quantised * dy).sum() + out.embedding_loss, [found[n] for n in some])
    record("vqgan.encode", quantised=quantised, loss=out.embedding_loss, codes=out.image_tokens.double(),
           **{f"d.{n}": g for n, g in zip(some, grads)})
    RECORDS.append({"case": "vqgan.names", "names": sorted(n for n in found)})

    # Janus has attention at the lowest resolution only, and numbers its levels from there.
    config = JanusVQVAEConfig(**{**VQ, "attn_resolutions": [4], "out_channels": 3})
    decoder = JanusVQVAEDecoder(config).double()
    levels = len(VQ["channel_multiplier"])
    with torch.no_grad():
        for name, p in decoder.named_parameters():
            parts = name.split(".")
            if parts[0] == "up":
                parts[1] = str(levels - 1 - int(parts[1]))
            norm = "norm" in name and name.endswith("weight")
            p.copy_(param("vqgan.decoder." + ".".join(parts), tuple(p.shape), 0.125 if norm else 0.125, 1.0 if norm else 0.0))
    z = param("vqgan.z", (2, VQ["embed_dim"], 4, 4))
    weight, bias = (param(f"vqgan.post_quant_conv.{n}", s, 0.125) for n, s in (("weight", (10, 6, 1, 1)), ("bias", (10,))))
    y = decoder(F.conv2d(z, weight, bias))
    dy = param("vqgan.decode.dy", y.shape).detach()
    gz, gw = torch.autograd.grad((y * dy).sum(), [z, decoder.conv_in.weight])
    record("vqgan.decode", y=y, **{"d.z": gz, "d.conv_in": gw[:4]})


def perception():
    hidden, table = param("perception.hidden", (2, 9, 8)), param("perception.codebook", (5, 3)).detach()
    weight, bias = param("perception.weight", (3, 8)), param("perception.bias", (3,))
    ids = torch.tensor([[9, 1, 3, 4, 7, 7, 1, 1, 1], [1, 9, 2, 3, 3, 6, 5, 4, 8]])
    mask = torch.tensor([[0, 0, 1, 1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1, 0]])
    total, count = 0, 0
    for b in range(2):
        for t in range(9):
            if mask[b, t]:
                error = weight @ hidden[b, t] + bias - table[ids[b, t] - 3]
                total, count = total + (error**2).sum(), count + 1
    paper = total / count
    grads = torch.autograd.grad(paper, [hidden, weight, bias])
    record("perception", paper=paper, released=paper / 3, **{f"d.{n}": g for n, g in zip(("hidden", "weight", "bias"), grads)})


if __name__ == "__main__":
    chameleon()
    vqgan()
    perception()
    with open(f"{HERE}/data/omni_r1.jsonl", "w") as f:
        for r in RECORDS:
            f.write(json.dumps(r, separators=(",", ":")) + "\n")
    print(len(RECORDS), "records")
