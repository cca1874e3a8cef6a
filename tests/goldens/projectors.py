"""Reference values and gradients of the projectors, by PyTorch.

Run:  python3 tests/goldens/projectors.py     (needs torch; the tests need none of it)

Writes tests/goldens/data/projectors.jsonl, as nn.py writes nn.jsonl. The output projector's reference is torch.nn.Transformer
between linear layers with learned queries, as NExT-GPT's module is built; the input projector's is
torch.nn.TransformerEncoder over queries and states with a key padding mask; the alignment is NExT-GPT's unsquared norm.
"""

import json

import torch
from nn import RECORDS, layer, param, record
from ops import HERE
from torch import nn


def name_params(module, case):
    """Every parameter from its name, by the rule that the tests repeat."""
    with torch.no_grad():
        for name, p in module.named_parameters():
            shift = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            p.copy_(param(f"{case}.{name}", tuple(p.shape), 0.125 if shift else 0.25, shift))
    return module.double()


def output_projector():
    tokens, width, inside, queries, out = 5, 12, 8, 6, 10
    module = nn.Module()
    module.fc = nn.Linear(width, inside)
    module.tfm = nn.Transformer(
        batch_first=True, norm_first=True, d_model=inside, nhead=2, num_encoder_layers=2, num_decoder_layers=2,
        dim_feedforward=16, dropout=0.0,
    )
    module.model = nn.Linear(inside, out)
    module.query_embs = nn.Parameter(torch.zeros(1, queries, inside))
    module = module.double()
    name_params(module, "outputProjector")
    states, embeddings = param("outputProjector.states", (3, tokens, width)), param("outputProjector.embeddings", (3, tokens, width))
    y = module.model(module.tfm(module.fc(states + embeddings), module.query_embs.repeat(3, 1, 1)))
    layer("outputProjector", y, states=states, query=module.query_embs, cross=module.tfm.decoder.layers[1].multihead_attn.in_proj_weight,
          fc=module.fc.weight)
    present = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    target = param("outputProjector.target", (3, queries, out))
    distance = torch.linalg.vector_norm(y - target, dim=-1).mean(-1)
    record("alignment", norm=(distance * present).sum() / present.sum(),
           squared=((((y - target) ** 2).mean((1, 2))) * present).sum() / present.sum())


def input_projector():
    width, inside, slots, out, length = 10, 8, 3, 12, 5
    module = nn.Module()
    module.queries = nn.Parameter(torch.zeros(1, slots, inside))
    module.layers = nn.ModuleList([
        nn.TransformerEncoderLayer(inside, 2, 16, dropout=0.0, batch_first=True, norm_first=True) for _ in range(2)
    ])
    module.norm = nn.LayerNorm(inside)
    module.out_proj = nn.Linear(inside, out)
    module = module.double()
    name_params(module, "inputProjector")
    weight, bias = param("inputProjector.in_proj.weight", (3, width, inside), 0.25), param("inputProjector.in_proj.bias", (3, inside), 0.25)
    states = param("inputProjector.states", (3, length, width))
    lengths, modality = [5, 2, 0], [1, 0, 2]
    own = torch.stack([states[i] @ weight[m] + bias[m] for i, m in enumerate(modality)])
    x = torch.cat([module.queries.repeat(3, 1, 1), own], 1)
    padding = torch.tensor([[False] * slots + [t >= n for t in range(length)] for n in lengths])
    for block in module.layers:
        x = block(x, src_key_padding_mask=padding)
    y = module.out_proj(module.norm(x[:, :slots]))
    layer("inputProjector", y, states=states, weight=weight, queries=module.queries)


def main():
    output_projector()
    input_projector()
    lines = [json.dumps(r, separators=(",", ":")) for r in RECORDS]
    (HERE / "data" / "projectors.jsonl").write_text("\n".join(lines) + "\n")
    print(f"{len(lines)} cases, {sum(map(len, lines)) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
