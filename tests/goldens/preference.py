"""Reference values and gradients of the losses on preference pairs, by TRL.

Run:  python3 tests/goldens/preference.py      (needs torch 2.x and trl 1.16; the tests need neither)

Writes tests/goldens/data/preference.jsonl, one case a line: token ids and response masks of right-padded batches, logits
(policy and, for DPO, reference), options, and TRL's loss, metrics and gradient by the policy's logits.

The code that runs is TRL's: DPOTrainer._compute_loss, and CPOTrainer.get_batch_loss_metrics with loss_type "simpo" (with
concatenated_forward, get_batch_logps and cpo_loss below it). They are methods of trainers, so they get an object that has
just the attributes that they read, and as a model a function that returns stored logits. TRL's DPO loss has no label
smoothing any more: those cases use CPOTrainer.cpo_loss "sigmoid", the same formula, on log-ratios to the reference.
All in float64, from float32 inputs.
"""

import json
import pathlib
import types
from collections import defaultdict

import torch
from trl.experimental.cpo import CPOTrainer
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.utils import selective_log_softmax

OUT = pathlib.Path(__file__).parent / "data" / "preference.jsonl"
VOCAB = 7


class Accelerator:
    device = torch.device("cpu")

    def gather(self, x):
        return x

    gather_for_metrics = gather


def batch(rng, lengths):
    """Ids and response mask [2B, T], chosen rows first, for (prompt, response) lengths."""
    time = max(p + r for p, r in lengths)
    ids = torch.randint(1, VOCAB, (len(lengths), time), generator=rng)
    mask = torch.zeros_like(ids)
    attention = torch.zeros_like(ids)
    for i, (p, r) in enumerate(lengths):
        mask[i, p : p + r] = 1
        attention[i, : p + r] = 1
    return ids * attention, mask, attention


def logits_of(rng, ids, scale):
    return (torch.randn(*ids.shape, VOCAB, generator=rng) * scale).float()


def token_log_probs(logits, ids, mask):
    return selective_log_softmax(logits[:, :-1], ids[:, 1:]) * mask[:, 1:]


def dpo(ids, mask, attention, policy, reference, options):
    leaf = policy.double().requires_grad_()
    ref = token_log_probs(reference.double(), ids, mask).sum(1).chunk(2)

    def model(**_):
        lp = token_log_probs(leaf, ids, mask)
        zeros = torch.zeros_like(lp)
        return types.SimpleNamespace(
            log_probs=lp, entropy=zeros, mean_logits=leaf[:, :-1].mean(-1).detach(), is_top1=zeros.bool()
        )

    model.training = False
    trainer = types.SimpleNamespace(
        model=model,
        accelerator=Accelerator(),
        aux_loss_enabled=False,
        ld_alpha=None,
        precompute_ref_logps=True,
        f_divergence_type="reverse_kl",
        loss_types=[options["variant"]],
        loss_weights=[1.0],
        beta=options["beta"],
        label_smoothing=options.get("labelSmoothing", 0.0),
        use_weighting=False,
        _metrics={"eval": defaultdict(list)},
        _total_train_tokens=0,
    )
    if options["variant"] == "sigmoid" and options.get("labelSmoothing"):
        sums = token_log_probs(leaf, ids, mask).sum(1).chunk(2)
        trainer.alpha, trainer.loss_type = 0.0, "sigmoid"
        ratios = [s - r for s, r in zip(sums, ref)]
        losses, chosen, rejected = CPOTrainer.cpo_loss(trainer, *ratios)
        loss = losses.mean()
        metrics = {"rewards/chosen": chosen.mean().item(), "rewards/rejected": rejected.mean().item()}
    else:
        inputs = {
            "input_ids": ids,
            "attention_mask": attention,
            "completion_mask": mask,
            "ref_chosen_logps": ref[0],
            "ref_rejected_logps": ref[1],
        }
        loss = DPOTrainer._compute_loss(trainer, model, inputs, False)
        names = [f"{a}/{b}" for a in ("rewards", "logps", "logits") for b in ("chosen", "rejected")]
        logged = trainer._metrics["eval"]
        metrics = {k: logged[k][0] for k in [*names, "rewards/accuracies", "rewards/margins"]}
    loss.backward()
    return loss.item(), metrics, leaf.grad


def simpo(ids, mask, attention, policy, options):
    leaf = policy.double().requires_grad_()
    labels = ids.masked_fill(mask == 0, -100)
    half = len(ids) // 2
    rows = {"input_ids": ids, "labels": labels, "attention_mask": attention}
    sides = {"chosen": slice(0, half), "rejected": slice(half, None)}
    data = {f"{side}_{name}": x[rows_] for side, rows_ in sides.items() for name, x in rows.items()}

    def model(*_, **__):
        return types.SimpleNamespace(logits=leaf)

    trainer = types.SimpleNamespace(
        accelerator=Accelerator(),
        is_encoder_decoder=False,
        pad_token_id=0,
        aux_loss_enabled=False,
        alpha=0.0,
        loss_type="simpo",
        beta=options["beta"],
        simpo_gamma=options["gamma"],
        label_smoothing=options.get("labelSmoothing", 0.0),
        cpo_alpha=options.get("sftWeight", 0.0),
        concatenated_inputs=CPOTrainer.concatenated_inputs,
        get_batch_logps=CPOTrainer.get_batch_logps,
    )
    for name in ("concatenated_forward", "cpo_loss"):
        setattr(trainer, name, types.MethodType(getattr(CPOTrainer, name), trainer))
    loss, metrics = CPOTrainer.get_batch_loss_metrics(trainer, model, data)
    loss.backward()
    # TRL's CPO averages logits over prompt and padding too.
    metrics = {k: v for k, v in metrics.items() if not k.startswith("logits/")}
    if not options.get("sftWeight"):
        metrics.pop("nll_loss")
    return loss.item(), metrics, leaf.grad


BATCHES = [
    # (prompt, response) of the chosen rows, then of the rejected ones
    [(2, 3), (1, 1), (3, 2), (1, 3), (2, 1), (4, 2)],
    [(1, 4), (1, 2)],
    [(2, 1), (1, 4), (3, 3), (2, 2), (1, 5), (1, 1), (2, 4), (3, 2)],
]
DPO = [
    {"variant": "sigmoid", "beta": 0.1},
    {"variant": "sigmoid", "beta": 0.5},
    {"variant": "sigmoid", "beta": 0.1, "labelSmoothing": 0.1},
    {"variant": "robust", "beta": 0.3, "labelSmoothing": 0.2},
    {"variant": "hinge", "beta": 0.4},
    {"variant": "ipo", "beta": 0.3},
]
SIMPO = [
    {"beta": 2.0, "gamma": 0.5},
    {"beta": 0.1, "gamma": 0.5},
    {"beta": 2.5, "gamma": 1.4, "sftWeight": 0.3},
    {"beta": 2.0, "gamma": 1.0, "labelSmoothing": 0.1, "sftWeight": 1.0},
]


def rounded(x):
    return [float(f"{v:.9g}") for v in x.flatten().tolist()]


def main():
    rng = torch.Generator().manual_seed(0)
    lines = []
    for lengths in BATCHES:
        ids, mask, attention = batch(rng, lengths)
        policy, reference = logits_of(rng, ids, 1.5), logits_of(rng, ids, 1.5)
        head = {
            "shape": [*ids.shape, VOCAB],
            "ids": ids.flatten().tolist(),
            "mask": mask.flatten().tolist(),
            "policy": rounded(policy),
            "reference": rounded(reference),
        }
        cases = []
        for loss, all_options in (("dpo", DPO), ("simpo", SIMPO)):
            for options in all_options:
                args = (ids, mask, attention, policy) + ((reference,) if loss == "dpo" else ())
                value, metrics, gradient = (dpo if loss == "dpo" else simpo)(*args, options)
                cases.append(
                    {"loss": loss, "options": options, "value": value, "metrics": metrics, "gradient": rounded(gradient)}
                )
        lines.append(json.dumps({**head, "cases": cases}))
    OUT.write_text("\n".join(lines) + "\n")


main()
