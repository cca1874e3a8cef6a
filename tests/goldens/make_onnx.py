"""A small model exported by PyTorch, with its results: what the ONNX reader has to cope with.

Run:  python3 tests/goldens/make_onnx.py        (needs torch 2.x and onnx)

Writes tests/goldens/data/torch-export.onnx and torch-export.json ({x, t, u, o, a}). The model has convolutions, batch and
group norms, an embedding, masked attention and shapes computed from open sizes (batch b, length n).
"""

import json
import pathlib
import warnings

import torch
import torch.nn as nn
import torch.nn.functional as F

DATA = pathlib.Path(__file__).parent / "data"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1, stride=2)
        self.batch = nn.BatchNorm2d(4)
        self.group = nn.GroupNorm(2, 4)
        self.up = nn.ConvTranspose2d(4, 3, 4, stride=2, padding=1)
        self.linear = nn.Linear(4 * 9, 16)
        self.norm = nn.LayerNorm(16)
        self.embed = nn.Embedding(11, 16)

    def forward(self, x, t):
        h = torch.relu(self.group(self.batch(self.conv(x))))
        u = torch.tanh(self.up(h))
        e = self.embed(t) + self.norm(self.linear(h.flatten(1)))[:, None, :]
        b, n, d = e.shape
        q = e.view(b, n, 2, d // 2).transpose(1, 2)
        mask = torch.triu(torch.full((n, n), -1e9), 1)
        a = torch.softmax(q @ q.transpose(-1, -2) / (d // 2) ** 0.5 + mask, -1) @ q
        o = F.gelu(a.transpose(1, 2).reshape(b, n, d)) + F.silu(e)
        return u, o, o.mean(-1).argmax(-1)


def main():
    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    model = Net().eval()
    model.batch.running_mean.normal_()
    model.batch.running_var.uniform_(0.5, 2)
    x, t = torch.randn(2, 3, 6, 6), torch.tensor([[1, 2, 3], [4, 5, 10]])
    # Exported at other sizes than the results are for, so that the open sizes are put to use.
    torch.onnx.export(
        model,
        (torch.randn(3, 3, 6, 6), torch.randint(0, 11, (3, 5))),
        str(DATA / "torch-export.onnx"),
        opset_version=17,
        dynamo=False,
        input_names=["x", "t"],
        output_names=["u", "o", "a"],
        dynamic_axes={"x": {0: "b"}, "t": {0: "b", 1: "n"}},
    )
    with torch.no_grad():
        values = dict(zip(["x", "t", "u", "o", "a"], [x, t, *model(x, t)]))
    text = {k: [float(f"{v:.7g}") for v in y.flatten().tolist()] for k, y in values.items()}
    (DATA / "torch-export.json").write_text(json.dumps(text, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
