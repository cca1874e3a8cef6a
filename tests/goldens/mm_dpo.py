"""Reference values and gradients of MM-DPO, and of mDPO, which it contains.

Run:  python3 tests/goldens/mm_dpo.py <folder with luka-group/mDPO's mdpo_trainer.py>      (needs torch 2.x)

Writes tests/goldens/data/mm-dpo.jsonl, one batch a line: response masks, segments and images of right-padded batches, token
log-probabilities (policy, reference, and under a corrupted image), options, and loss, metrics and gradients.

MM-DPO has no published code: its values are a transcription of the formula in lib/losses/mm-dpo.ts, pair by pair and token by
token, so that it shares no structure with what it checks. mDPO's values come from its authors' code: mDPOTrainer.dpo_loss, called
on an object that has just the attribute that it reads (the module's import of TRL's trainer is met by an empty class).
All in float64, from float32 inputs.
"""

import importlib
import json
import pathlib
import sys
import types

import torch
import torch.nn.functional as F

OUT = pathlib.Path(__file__).parent / "data" / "mm-dpo.jsonl"
SEGMENTS = ["text", "img", "aud", "vid", "task"]
WEIGHTS = {"text": 0.3, "img": 0.2, "aud": 0.15, "vid": 0.15, "task": 0.2}


def mdpo_trainer(folder):
    for name, attribute in (("trl.trainer", "DPOTrainer"), ("trl.trainer.utils", "pad_to_length")):
        sys.modules[name] = types.ModuleType(name)
        setattr(sys.modules[name], attribute, type(attribute, (), {}))
    sys.modules.setdefault("trl", types.ModuleType("trl"))
    sys.path.insert(0, folder)
    return importlib.import_module("mdpo_trainer").mDPOTrainer


def mm_dpo(case, leaf, ref, options):
    beta = options.get("beta", 0.1)
    weights = options.get("weights", WEIGHTS)
    gamma = options.get("rewardMargin", 0.0)
    lam_img, lam_anc = options.get("imageWeight", 1.0), options.get("anchorWeight", 1.0)
    delta = options.get("anchorMargin", 0.0)
    mask, segments, scores = case["mask"], case["segments"], case["scores"]
    pairs = len(mask) // 2
    total, margins, hits, image_loss, anchor_loss, preference_loss = 0.0, [], [], 0.0, 0.0, 0.0
    image_margins = []

    def log_ratio(row, segment=None):
        value, tokens = torch.zeros((), dtype=torch.float64), 0
        for t in range(len(mask[row])):
            if mask[row][t] and (segment is None or SEGMENTS[segments[row][t]] == segment):
                value = value + leaf["pair"][row][t] - ref["pair"][row][t]
                tokens += 1
        return value, tokens

    for i in range(pairs):
        parts = {s: (log_ratio(i, s), log_ratio(pairs + i, s)) for s in SEGMENTS}
        present = {s: weights[s] if c[1] + r[1] > 0 else 0.0 for s, (c, r) in parts.items()}
        norm = sum(present.values())
        w = {s: v / norm for s, v in present.items()} if norm > 0 else {s: float(s == "text") for s in SEGMENTS}

        def take(x):
            value, tokens = x
            return value / max(tokens, 1) if options.get("lengthNormalised") else value

        chosen = sum(w[s] * take(parts[s][0]) for s in SEGMENTS)
        rejected = sum(w[s] * take(parts[s][1]) for s in SEGMENTS)
        explicit = sum(w[s] * (scores["chosen"][i][k] - scores["rejected"][i][k]) for k, s in enumerate(SEGMENTS))
        preference = -F.logsigmoid(beta * (chosen - rejected) - gamma * explicit)
        anchor = -F.logsigmoid(beta * log_ratio(i)[0] - delta)
        image = torch.zeros((), dtype=torch.float64)
        for k, row in enumerate(case["rows"]):
            if row == i and case["present"][k]:
                other = sum(
                    (leaf["corrupted"][k][t] - ref["corrupted"][k][t] for t in range(len(mask[i])) if mask[i][t]),
                    torch.zeros((), dtype=torch.float64),
                )
                image = -F.logsigmoid(beta * (log_ratio(i)[0] - other))
                image_margins.append((beta * (log_ratio(i)[0] - other)).item())
        total = total + preference + lam_img * image + lam_anc * anchor
        margins.append((beta * (chosen - rejected)).item())
        hits.append(float(chosen > rejected))
        preference_loss += preference.item() / pairs
        anchor_loss += anchor.item() / pairs
        image_loss += image.item() / pairs
    metrics = {
        "rewards/margins": sum(margins) / pairs,
        "rewards/accuracies": sum(hits) / pairs,
        "loss/preference": preference_loss,
        "loss/anchor": anchor_loss,
        "loss/image": image_loss,
        "rewards/image_margins": sum(image_margins) / max(1, len(image_margins)),
    }
    return total / pairs, metrics


def mdpo(trainer, case, leaf, ref):
    """Every pair has an image here, and every token is text."""
    mask = torch.tensor(case["mask"], dtype=torch.float64)
    half = len(mask) // 2

    def sums(x):
        pair = (x["pair"] * mask).sum(1)
        return pair[:half], pair[half:], (x["corrupted"] * mask[:half]).sum(1)

    own = types.SimpleNamespace(beta=0.1)
    losses, chosen, rejected, imageless = trainer.dpo_loss(own, *sums(leaf), *sums(ref))
    metrics = {
        "rewards/chosen": chosen.mean().item(),
        "rewards/rejected": rejected.mean().item(),
        "rewards/image_margins": (chosen - imageless).mean().item(),
        "rewards/image_accuracies": (chosen > imageless).double().mean().item(),
    }
    return losses.mean(), metrics


def batch(rng, rows, time, images, one_segment=False, corrupted_rows=None):
    """`rows`: for each row the (segment, tokens) of its response, after a prompt of one to three tokens."""
    mask = [[0] * time for _ in rows]
    segments = [[0] * time for _ in rows]
    for r, parts in enumerate(rows):
        t = int(torch.randint(1, 4, (1,), generator=rng))
        for segment, tokens in parts:
            for _ in range(tokens):
                mask[r][t] = 1
                segments[r][t] = 0 if one_segment else SEGMENTS.index(segment)
                t += 1
    half = len(rows) // 2
    rows_ = corrupted_rows if corrupted_rows is not None else list(range(half))
    present = [images[r] if k < len(images) else 0 for k, r in enumerate(rows_)]
    draw = lambda n: [[float(f"{v:.7g}") for v in row] for row in (-3 * torch.rand(n, time, generator=rng)).tolist()]
    score = lambda: [[float(f"{v:.5g}") for v in row] for row in torch.rand(half, 5, generator=rng).tolist()]
    return {
        "mask": mask,
        "segments": segments,
        "rows": rows_,
        "present": present,
        "scores": {"chosen": score(), "rejected": score()},
        "policy": {"pair": draw(len(rows)), "corrupted": draw(len(rows_))},
        "reference": {"pair": draw(len(rows)), "corrupted": draw(len(rows_))},
    }


OPTIONS = [
    {},
    {"beta": 0.5, "lengthNormalised": True},
    {"weights": {"text": 1.0, "img": 1.0, "aud": 1.0, "vid": 1.0, "task": 1.0}, "imageWeight": 0.3, "anchorWeight": 0.7},
    {"weights": {"text": 0.0, "img": 0.5, "aud": 0.0, "vid": 0.2, "task": 0.3}, "rewardMargin": 0.8, "anchorMargin": 0.4},
    {"rewardMargin": 1.5, "lengthNormalised": True, "imageWeight": 0.0},
]


def main():
    trainer = mdpo_trainer(sys.argv[1])
    rng = torch.Generator().manual_seed(0)
    text, task = ("text", 3), ("task", 4)
    batches = [
        batch(
            rng,
            [
                [text, ("img", 5)],
                [task, ("text", 2)],
                [("text", 4)],
                [],  # a response without tokens: no modality is present but the other side's
                [text, ("aud", 4), ("img", 2)],
                [("text", 1), task],
                [("text", 2), ("vid", 4)],
                [],
            ],
            12,
            [1, 0, 1, 0],
            corrupted_rows=[0, 2, 1],  # the last row only fills the batch
        ),
        batch(rng, [[("vid", 4)], [("task", 2), ("img", 5)], [("aud", 1)], [("task", 6), text]], 13, [1, 1]),
        batch(rng, [[text], [("text", 6)], [("text", 1)], [("text", 2)], [("text", 5)], [text]], 10, [1, 1, 1], True),
    ]
    lines = []
    for n, case in enumerate(batches):
        cases = []
        for method, options in [("mmDpo", o) for o in OPTIONS] + ([("mDPO", {})] if n == 2 else []):
            leaf = {k: torch.tensor(v, dtype=torch.float64).requires_grad_() for k, v in case["policy"].items()}
            ref = {k: torch.tensor(v, dtype=torch.float64) for k, v in case["reference"].items()}
            if method == "mDPO":
                value, metrics = mdpo(trainer, case, leaf, ref)
            else:
                value, metrics = mm_dpo(case, leaf, ref, options)
            value.backward()
            gradient = {
                k: [float(f"{v:.9g}") for v in (torch.zeros_like(t) if t.grad is None else t.grad).flatten().tolist()]
                for k, t in leaf.items()
            }
            cases.append(
                {"method": method, "options": options, "value": value.item(), "metrics": metrics, "gradient": gradient}
            )
        lines.append(json.dumps({**case, "cases": cases}))
    OUT.write_text("\n".join(lines) + "\n")


main()
