"""Reference values of the Fourier transform, mel filter banks and log-mel spectrograms.

Run:  python3 tests/goldens/mel.py     (needs torch, transformers and librosa; the tests need none of them)

Writes tests/goldens/data/mel.jsonl, one record a line: {"case": name, "values": {key: [numbers]}}. Samples follow from
their names by the rule of nn.py's `param`, scaled to [-1, 1); all is computed in float64. librosa's filters must equal those
of transformers, or the script stops.
"""

import json

import librosa
import numpy as np
import torch
from ops import HERE, numbers, seed_of, values
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

RECORDS = []


def record(case, **arrays):
    assert all(torch.as_tensor(a).isfinite().all() for a in arrays.values()), case
    RECORDS.append({"case": case, "values": {k: numbers(torch.as_tensor(a)) for k, a in arrays.items()}})


def samples(name, *shape):
    _, _, flat = values(f"float32[{','.join(map(str, shape))}]", seed_of(name))
    return torch.tensor(flat, dtype=torch.float64).reshape(shape) * 0.5


def transform(case, length, n_fft, hop, win=None, center=True, mode="reflect", window="hann"):
    """torch.stft and its gradient; torch has the frequencies before the frames."""
    x = samples(f"{case}.x", 2, length).requires_grad_()
    w = {"hann": torch.hann_window, "hamming": torch.hamming_window}[window](win or n_fft, dtype=torch.float64)
    y = torch.stft(x, n_fft, hop, win, w, center=center, pad_mode=mode, return_complex=True).transpose(1, 2)
    dy = samples(f"{case}.dy", *y.shape, 2)
    (dx,) = torch.autograd.grad((torch.view_as_real(y) * dy).sum(), [x])
    record(case, real=y.detach().real.clone(), imag=y.detach().imag.clone(), dx=dx)


def bank(case, rate, n_fft, mels, low, high, scale, norm):
    f = mel_filter_bank(
        n_fft // 2 + 1, mels, low, high, rate, norm=norm, mel_scale=scale, triangularize_in_mel_space=scale == "kaldi"
    )
    if scale != "kaldi":
        other = librosa.filters.mel(
            sr=rate, n_fft=n_fft, n_mels=mels, fmin=low, fmax=high, htk=scale == "htk", norm=norm, dtype=np.float64
        )
        assert np.abs(other.T - f).max() < 1e-7, case
    # Only what is not zero is kept.
    rows, columns = np.nonzero(f)
    record(case, rows=rows.astype(float), columns=columns.astype(float), weights=f[rows, columns])


def log_mel(case, length, rate, n_fft, hop, mels, low, high, scale="slaney", norm="slaney", padding=None, floor=1e-5, shift=(0.0, 1.0), **kaldi):
    x = samples(f"{case}.x", length)
    if kaldi:
        f = mel_filter_bank(n_fft // 2 + 1, mels, low, high, rate, mel_scale="kaldi", triangularize_in_mel_space=True)
        y = spectrogram(
            x.numpy(),
            window_function(400, "hann", periodic=False),
            frame_length=400,
            hop_length=hop,
            fft_length=n_fft,
            power=2.0,
            center=False,
            preemphasis=0.97,
            mel_filters=f,
            log_mel="log",
            mel_floor=1.192092955078125e-07,
            remove_dc_offset=True,
            dtype=np.float64,
        )
        y = (y + 4.268) / 9.138
    else:
        side = n_fft // 2 if padding is None else padding
        padded = np.pad(x.numpy(), side, mode="reflect")
        f = mel_filter_bank(n_fft // 2 + 1, mels, low, high, rate, norm=norm, mel_scale=scale)
        magnitude = np.abs(librosa.stft(padded, n_fft=n_fft, hop_length=hop, center=False, dtype=np.complex128))
        y = np.log(np.maximum(f.T @ np.sqrt(magnitude**2 + 1e-9), floor))
        y = (y - shift[0]) / shift[1]
    record(case, y=y.T)


transform("stft", 100, 32, 8)
transform("stft.short-window", 100, 32, 8, win=20)
transform("stft.odd-hop", 90, 24, 10, win=24, window="hamming")
transform("stft.no-padding", 77, 16, 5, center=False)
transform("stft.zeros", 40, 16, 16, mode="constant")

bank("mel.htk", 8000, 256, 20, 0.0, 4000.0, "htk", None)
bank("mel.htk.slaney", 16000, 256, 12, 100.0, 7000.0, "htk", "slaney")
bank("mel.slaney", 8000, 512, 32, 0.0, 4000.0, "slaney", "slaney")
bank("mel.slaney.none", 22050, 512, 24, 50.0, 8000.0, "slaney", None)
bank("mel.kaldi", 16000, 512, 128, 20.0, 8000.0, "kaldi", None)

log_mel("logMel.omniworld", 2000, 8000, 512, 125, 32, 0.0, 4000.0, padding=194)
log_mel("logMel.omniworldFine", 1200, 8000, 400, 125, 64, 200.0, 4000.0, scale="htk", padding=138, floor=0.004, shift=(-5.5, 1.0))
log_mel("logMel.audioldm2", 1600, 16000, 1024, 160, 64, 0.0, 8000.0)
log_mel("logMel.imagebind", 1600, 16000, 512, 160, 128, 20.0, 8000.0, kaldi=True)



def inverse(case, frames, n_fft, hop, length):
    re, im = samples(f"{case}.real", 2, frames, n_fft // 2 + 1), samples(f"{case}.imag", 2, frames, n_fft // 2 + 1)
    # The imaginary parts of the lowest and the highest frequency do not count; torch wants them 0.
    im[:, :, 0] = im[:, :, -1] = 0
    z = torch.complex(re, im).transpose(1, 2)
    w = torch.hann_window(n_fft, dtype=torch.float64)
    record(case, y=torch.istft(z, n_fft, hop, n_fft, w, length=length))


def griffin_lim(case, frames, n_fft, hop, length, iterations):
    m = samples(f"{case}.x", frames, n_fft // 2 + 1).abs()
    y = librosa.griffinlim(
        m.numpy().T, n_iter=iterations, hop_length=hop, n_fft=n_fft, length=length, momentum=0.99, init=None,
        pad_mode="constant", dtype=np.float64,
    )  # fmt: skip
    record(case, y=y)


def mel_inverse(case, rate, n_fft, mels, scale):
    f = mel_filter_bank(n_fft // 2 + 1, mels, 0.0, rate / 2, rate, norm="slaney", mel_scale=scale)
    record(case, y=np.linalg.pinv(f))


inverse("istft", 12, 32, 8, 80)
inverse("istft.odd", 9, 24, 10, 80)
griffin_lim("griffinLim", 12, 32, 8, 88, 5)
mel_inverse("inverseMel", 8000, 128, 16, "htk")

with open(HERE / "data" / "mel.jsonl", "w") as file:
    for r in RECORDS:
        file.write(json.dumps(r, separators=(",", ":")) + "\n")
print(len(RECORDS), "records")
