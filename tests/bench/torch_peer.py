"""The peer of the training benchmark: the same LLaMA, batch and optimiser in PyTorch. Reads one command a line from
standard input ("step" or "quit") and answers with the milliseconds that the step took, so that the benchmark can take turns.

    python3 torch_peer.py '{"vocabSize":2048,"width":256,"layers":4,"heads":4,"hidden":704,"batch":8,"time":128,"threads":2}' eager
"""
import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

c = json.loads(sys.argv[1])
mode = sys.argv[2]
torch.set_num_threads(c["threads"])
torch.manual_seed(0)
V, C, H, FF, B, T = c["vocabSize"], c["width"], c["heads"], c["hidden"], c["batch"], c["time"]
D = C // H


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.n1, self.n2 = nn.RMSNorm(C, eps=1e-5), nn.RMSNorm(C, eps=1e-5)
        self.q, self.k, self.v, self.o = (nn.Linear(C, C, bias=False) for _ in range(4))
        self.gate, self.up = nn.Linear(C, FF, bias=False), nn.Linear(C, FF, bias=False)
        self.down = nn.Linear(FF, C, bias=False)

    def forward(self, x, cos, sin):
        h = self.n1(x)
        q, k, v = (f(h).view(B, T, H, D).transpose(1, 2) for f in (self.q, self.k, self.v))
        y = F.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v, is_causal=True)
        x = x + self.o(y.transpose(1, 2).reshape(B, T, C))
        h = self.n2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Llama(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(V, C)
        self.layers = nn.ModuleList([Block() for _ in range(c["layers"])])
        self.norm = nn.RMSNorm(C, eps=1e-5)
        self.head = nn.Linear(C, V, bias=False)
        angles = torch.arange(T)[:, None] * 10000 ** (-torch.arange(0, D // 2) * 2.0 / D)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, ids):
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin)
        return self.head(self.norm(x))


model = Llama()
for p in model.parameters():
    if p.dim() > 1:
        nn.init.normal_(p, std=0.02)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
forward = torch.compile(model) if mode == "compiled" else model


def step():
    ids = torch.randint(0, V, (B, T))
    start = time.perf_counter()
    loss = F.cross_entropy(forward(ids).view(-1, V), ids.view(-1))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    loss.item()
    return (time.perf_counter() - start) * 1e3


print("ready", flush=True)
for line in sys.stdin:
    if line.strip() == "quit":
        break
    print(step(), flush=True)
