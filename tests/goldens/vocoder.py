"""Reference values and gradients of the vocoder (transformers' SpeechT5HifiGan) and of the multi-resolution STFT loss.

Run:  python3 tests/goldens/vocoder.py     (needs torch and transformers; the tests need neither)

Writes tests/goldens/data/vocoder.jsonl, one record a line: {"case": name, "values": {key: [numbers]}}, and "names" for the
names of the model's tensors. Parameters and inputs follow from their names and shapes by the rule of nn.py's `param`.
"""

import json

import torch
from nn import param
from ops import HERE, numbers
from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

RECORDS = []


def record(case, names=None, **tensors):
    values = {k: numbers(v) for k, v in tensors.items()}
    RECORDS.append({"case": case, "values": values, **({"names": names} if names else {})})


def vocoder(case, normalize, **config):
    settings = SpeechT5HifiGanConfig(**config, normalize_before=normalize)
    model = SpeechT5HifiGan(settings).double()
    leaves = {}
    with torch.no_grad():
        for name, t in model.state_dict().items():
            scale = 0.25 if t.dim() == 3 else 0.1
            value = param(f"{case}.{name}", t.shape, scale, 1.0 if name == "scale" else 0.0).detach()
            t.copy_(value)
    for name, p in model.named_parameters():
        leaves[name] = p
    mel = param(f"{case}.mel", (2, 5, config["model_in_dim"]), 0.5)
    y = model(mel)
    dy = param(f"{case}.dy", y.shape).detach()
    wanted = [n for n in leaves if n.endswith("weight")]
    grads = torch.autograd.grad((y * dy).sum(), [mel, *(leaves[n] for n in wanted)])
    sums = {f"d.{n}": torch.stack([g.sum(), g.square().sum()]) for n, g in zip(wanted, grads[1:])}
    record(case, sorted(model.state_dict()), y=y, d_mel=grads[0], **sums)


def stft_loss(case, resolutions, epsilon):
    y, x = param(f"{case}.y", (2, 200), 0.5), param(f"{case}.x", (2, 200), 0.5)
    convergence, magnitude = 0, 0
    for n_fft, hop, win in resolutions:
        w = torch.hann_window(win, dtype=torch.float64)

        def magnitudes(signal):
            s = torch.stft(signal, n_fft, hop, win, w, center=True, pad_mode="reflect", return_complex=True)
            return (s.real**2 + s.imag**2 + epsilon).sqrt()

        a, b = magnitudes(y), magnitudes(x)
        convergence = convergence + torch.norm(b - a, p="fro") / torch.norm(b, p="fro") / len(resolutions)
        magnitude = magnitude + (b.log() - a.log()).abs().mean() / len(resolutions)
    (dy,) = torch.autograd.grad(convergence + magnitude, [y])
    record(case, convergence=convergence, magnitude=magnitude, dy=dy)


TINY = dict(
    model_in_dim=6,
    upsample_initial_channel=8,
    upsample_rates=[4, 3],
    upsample_kernel_sizes=[8, 7],
    resblock_kernel_sizes=[3, 5],
    resblock_dilation_sizes=[[1, 3], [1, 2]],
    leaky_relu_slope=0.1,
)
vocoder("vocoder", False, **TINY)
vocoder("vocoder.normalized", True, **TINY)
stft_loss("stftLoss", [(32, 8, 24), (64, 16, 64)], 1e-5)

with open(HERE / "data" / "vocoder.jsonl", "w") as file:
    for r in RECORDS:
        file.write(json.dumps(r, separators=(",", ":")) + "\n")
print(len(RECORDS), "records")
