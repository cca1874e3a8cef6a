"""Reference values and gradients of ImageBind and of the contrastive loss.

Run:  python3 tests/goldens/imagebind.py <checkout of facebookresearch/ImageBind>     (needs torch; the tests need neither)

Writes tests/goldens/data/imagebind.jsonl in the form of nn.py: {"case": name, "values": {key: [numbers]}}. The model that
runs is the reference's ImageBindModel, its sizes reduced; parameters follow from their names by the rule of ops.py. All in
float64. The loss is CLIP's: the mean of two cross-entropies over a matrix of similarities.
"""

import json
import math
import pathlib
import sys
import types
from functools import partial

import torch
import torch.nn.functional as F

import nn as rules
from nn import HERE, ints, param, record

checkout = pathlib.Path(sys.argv[1])


def stand_in(name, **content):
    """Packages of which the model needs nothing, or one function that has no effect on stored values."""
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__dict__.update(content)


def rearrange(x, pattern):
    assert pattern in ("b l d -> l b d", "l b d -> b l d")
    return x.transpose(0, 1)


stand_in("einops", rearrange=rearrange)
stand_in("timm")
stand_in("timm.layers", trunc_normal_=torch.nn.init.trunc_normal_, DropPath=lambda rate: torch.nn.Identity())
stand_in("ftfy")
stand_in("iopath")
stand_in("iopath.common")
stand_in("iopath.common.file_io", g_pathmgr=None)
# The package's own __init__ loads its data pipeline, which is not wanted.
stand_in("imagebind", __path__=[str(checkout / "imagebind")])
stand_in("imagebind.models", __path__=[str(checkout / "imagebind/models")])
from imagebind.models import imagebind_model as reference  # noqa: E402

VOCAB, CONTEXT = 19, 6


def model():
    rgbt, text = reference.RGBDTPreprocessor, reference.TextPreprocessor

    def sized(img_size, **options):
        # The class is also used for depth, which stays as it is.
        return rgbt(img_size=[3, 4, 8, 8] if options["rgbt_stem"] else img_size, **options)

    reference.RGBDTPreprocessor = sized
    reference.TextPreprocessor = lambda **o: text(**{**o, "vocab_size": VOCAB, "context_length": CONTEXT})
    m = reference.ImageBindModel(
        video_frames=4,
        kernel_size=(2, 4, 4),
        audio_kernel_size=4,
        audio_stride=3,
        out_embed_dim=10,
        vision_embed_dim=16,
        vision_num_blocks=2,
        vision_num_heads=4,
        audio_embed_dim=12,
        audio_num_blocks=2,
        audio_num_heads=3,
        audio_num_mel_bins=8,
        audio_target_len=13,
        text_embed_dim=8,
        text_num_blocks=2,
        text_num_heads=2,
        audio_drop_path=0.0,
        depth_embed_dim=8,
        depth_num_blocks=1,
        thermal_embed_dim=12,
        thermal_num_blocks=1,
        imu_embed_dim=8,
        imu_num_blocks=1,
    ).double()
    leaves = {}
    for name, p in m.named_parameters():
        if name.split(".")[1] not in ("vision", "audio", "text") or "logit_scale" in name:
            continue
        norm = "norm" in name or name.endswith(("heads.vision.0.weight", "heads.audio.0.weight", "proj.0.weight"))
        norm = norm or "pre_transformer_layer" in name
        value = param(f"imagebind.{name}", p.shape, 0.125 if norm else 0.25, 1.0 if norm and p.ndim == 1 else 0.0)
        p.data = value.detach()
        leaves[name] = p
    return m.eval(), leaves


# What the gradients are stored of: a few of each kind, small ones.
WANTED = (
    "modality_preprocessors.vision.cls_token",
    "modality_preprocessors.vision.pos_embedding_helper.pos_embed",
    "modality_preprocessors.vision.rgbt_stem.proj.1.weight",
    "modality_trunks.vision.pre_transformer_layer.0.weight",
    "modality_trunks.vision.blocks.1.attn.in_proj_bias",
    "modality_heads.vision.0.bias",
    "modality_heads.vision.2.weight",
    "modality_preprocessors.audio.rgbt_stem.proj.weight",
    "modality_preprocessors.audio.rgbt_stem.norm_layer.weight",
    "modality_trunks.audio.blocks.0.attn.bias_k",
    "modality_trunks.audio.blocks.1.attn.bias_v",
    "modality_trunks.audio.blocks.0.attn.in_proj_weight",
    "modality_trunks.audio.blocks.1.mlp.fc2.weight",
    "modality_preprocessors.text.token_embedding.weight",
    "modality_preprocessors.text.pos_embed",
    "modality_trunks.text.blocks.0.norm_1.weight",
    "modality_trunks.text.blocks.1.attn.out_proj.weight",
    "modality_heads.text.proj.1.weight",
)


def imagebind():
    m, leaves = model()
    ids = ints("imagebind.ids", (3, CONTEXT), VOCAB - 1)
    for row, end in enumerate((2, 5, 4)):
        ids[row, end] = VOCAB - 1
    clip = param("imagebind.video", (2, 2, 4, 3, 8, 8))
    inputs = {
        "image": ("vision", param("imagebind.image", (2, 3, 8, 8))),
        # Ours has the frames before the channels.
        "video": ("vision", clip.transpose(2, 3)),
        "audio": ("audio", param("imagebind.audio", (2, 1, 8, 13))),
        "pieces": ("audio", param("imagebind.pieces", (2, 3, 1, 8, 13))),
        "text": ("text", ids),
    }
    for name, (modality, x) in inputs.items():
        states = {}
        head = m.modality_heads[modality]
        norm = head.proj[0] if modality == "text" else head[0]
        # A text's head normalises the chosen state only: its tokens are normalised here.
        hook = m.modality_trunks[modality].register_forward_hook(lambda _, __, y: states.update(y=y))
        y = m({modality: x})[modality]
        hook.remove()
        # The embedding before the logit scale.
        post = m.modality_postprocessors[modality]
        scale = 1.0 if modality == "vision" else post[1].log_logit_scale.exp()
        y = y / scale
        tokens = norm(states["y"])
        if x.ndim >= 5:
            tokens = tokens.reshape(x.shape[0], -1, tokens.shape[-1])
        dy = param(f"imagebind.{name}.dy", y.shape).detach()
        kept = {k: leaves[k] for k in WANTED if f".{modality}." in k}
        grads = torch.autograd.grad((y * dy).sum(), list(kept.values()))
        record(f"imagebind.{name}", embedding=y, tokens=tokens, **{f"d.{k}": g for k, g in zip(kept, grads)})
    text, audio = (m.modality_postprocessors[k][1].log_logit_scale.exp() for k in ("text", "audio"))
    record("imagebind.scales", text=text, audio=audio)
    names = sorted(k for k in m.state_dict() if k.split(".")[1] in ("vision", "audio", "text"))
    # The mask of the text trunk is made, not stored, here.
    names.remove("modality_preprocessors.text.mask")
    rules.RECORDS.append({"case": "imagebind.names", "names": names})


def info_nce():
    n, d = 6, 5
    a, b = param("infoNce.a", (n, d)), param("infoNce.b", (n, d))
    scale = torch.tensor(math.log(7.0), dtype=torch.float64, requires_grad=True)
    for case, ignored in (("infoNce", []), ("infoNce.ignore", [(0, 3), (3, 0), (2, 5)])):
        x, y = F.normalize(a, dim=-1), F.normalize(b, dim=-1)
        logits = scale.exp() * x @ y.T
        for i, j in ignored:
            logits = logits.index_put((torch.tensor(i), torch.tensor(j)), torch.tensor(-math.inf, dtype=torch.float64))
        labels = torch.arange(n)
        forth, back = F.cross_entropy(logits, labels), F.cross_entropy(logits.T, labels)
        loss = (forth + back) / 2
        grads = torch.autograd.grad(loss, [a, b, scale])
        hits = [(m.argmax(1) == labels).double().mean() for m in (logits, logits.T)]
        record(
            case,
            loss=loss,
            accuracy=torch.stack(hits).mean(),
            **{f"d.{k}": g for k, g in zip(("a", "b", "scale"), grads)},
        )


rules.RECORDS.clear()
imagebind()
info_nce()
with open(HERE / "data" / "imagebind.jsonl", "w") as f:
    for r in rules.RECORDS:
        f.write(json.dumps(r, separators=(",", ":")) + "\n")
