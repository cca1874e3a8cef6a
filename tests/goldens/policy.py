"""Reference values and gradients of the policy-gradient losses and group advantages, by TRL and verl.

Run:  python3 tests/goldens/policy.py      (needs torch 2.x, trl 1.16 and verl 0.9, both without their dependencies:
                                            pip install --no-deps trl==1.16.0 verl==0.9.1; the tests need none of them)

Writes tests/goldens/data/policy.jsonl, one case a line.

The code that runs is theirs. Importing either package needs much that is not needed here, so the functions are cut out of
the installed files by their syntax trees and executed as they are: TRL's GRPOTrainer._compute_loss and the part of
_generate_and_score_completions that makes advantages; verl's compute_policy_loss, agg_loss, kl_penalty,
compute_grpo_outcome_advantage, compute_reinforce_plus_plus_outcome_advantage, and the overlong part of its DAPO reward
manager. What they call of a trainer gets a stand-in that has just the attributes that they read. The token advantages of
GRPO++ have no published code: `grpo_plus_plus` below writes the formula out in loops. All in float64, from float32 inputs.
"""

import ast
import json
import math
import pathlib
import sysconfig
import types
from collections import defaultdict
from typing import Any, Callable, Optional

import numpy as np
import torch

SITE = pathlib.Path(sysconfig.get_paths()["purelib"])
OUT = pathlib.Path(__file__).parent / "data" / "policy.jsonl"
VOCAB = 5


def tree_of(path):
    return ast.parse((SITE / path).read_text())


def cut(path, names, scope):
    """Functions (or methods) of a file, without decorators and annotations, put into `scope`."""
    found = [n for n in ast.walk(tree_of(path)) if isinstance(n, ast.FunctionDef) and n.name in names]
    assert {n.name for n in found} == set(names), names
    for node in found:
        node.decorator_list = []
        node.returns = None
        for argument in node.args.args:
            argument.annotation = None
        exec(compile(ast.Module([node], []), path, "exec"), scope)
    return scope


BASE = {"torch": torch, "np": np, "math": math, "defaultdict": defaultdict, "Optional": Optional, "Any": Any, "Callable": Callable}
TRL = cut("trl/trainer/utils.py", ["nanstd", "nanmin", "nanmax"], dict(BASE))
TRL = cut("trl/trainer/grpo_trainer.py", ["_compute_loss"], TRL)
verl_F = types.SimpleNamespace(
    **{
        name: f
        for name, f in cut(
            "verl/utils/torch_functional.py", ["masked_sum", "masked_mean", "masked_var", "masked_whiten"], dict(BASE)
        ).items()
        if callable(f)
    }
)
VERL = cut(
    "verl/trainer/ppo/core_algos.py",
    [
        "agg_loss",
        "compute_policy_loss",
        "kl_penalty",
        "kl_penalty_forward",
        "compute_grpo_outcome_advantage",
        "compute_reinforce_plus_plus_outcome_advantage",
    ],
    {**BASE, "verl_F": verl_F},
)


def first(tree, kind, text):
    """The first node of a kind whose source begins with `text`."""
    for node in ast.walk(tree):
        if isinstance(node, kind) and ast.unparse(node).startswith(text):
            return node
    raise LookupError(text)


TRL_ADVANTAGES = compile(
    ast.Module([first(tree_of("trl/trainer/grpo_trainer.py"), ast.If, "if self.multi_objective_aggregation == 'sum")], []),
    "trl",
    "exec",
)
OVERLONG = first(
    first(tree_of("verl/workers/reward_manager/dapo.py"), ast.FunctionDef, "def __call__"),
    ast.If,
    "if self.overlong_buffer_cfg is not None",
)
OVERLONG = compile(ast.Module([n for n in OVERLONG.body if not isinstance(n, ast.If)], []), "verl", "exec")


class Accelerator:
    def gather(self, x):
        return x

    def reduce(self, x, reduction):
        return x


def rounded(x):
    return [float(f"{v:.8g}") for v in x.flatten().tolist()]


def log_probs(logits, ids):
    return torch.log_softmax(logits, -1).gather(-1, ids[..., None])[..., 0]


def entropies(logits):
    lp = torch.log_softmax(logits, -1)
    return -(lp.exp() * lp).sum(-1)


def trl_loss(batch, options):
    leaf = batch["policy"].double().requires_grad_()
    ids, mask = batch["ids"], batch["mask"]
    advantages = batch["advantages" if options.get("perToken") else "rowAdvantages"].double()
    lp = log_probs(leaf, ids)
    o = {"clipLow": 0.2, "entropy": 0.0, "beta": 0.0, "loss": "grpo", "level": "token", **options}
    trainer = types.SimpleNamespace(
        aux_loss_enabled=False,
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        importance_sampling_level=o["level"],
        beta=o["beta"],
        args=types.SimpleNamespace(use_bias_correction_kl=False, delta=o.get("delta"), steps_per_generation=1),
        loss_type=o["loss"],
        epsilon_low=o["clipLow"],
        epsilon_high=o.get("clipHigh", o["clipLow"]),
        use_vllm=False,
        model=types.SimpleNamespace(training=True),
        current_gradient_accumulation_steps=1,
        max_completion_length=o.get("length", ids.shape[1]),
        accelerator=Accelerator(),
        entropy_coef=o["entropy"],
        _entropy_bonus_enabled=o["entropy"] != 0.0,
        use_adaptive_entropy=False,
        _metrics={"train": defaultdict(list)},
    )
    trainer.accelerator.num_processes = 1
    trainer.accelerator.sync_gradients = True
    trainer._get_per_token_logps_and_entropies = lambda *_, **__: (lp, entropies(leaf), None)
    nothing = torch.zeros(len(ids), 0, dtype=torch.long)
    inputs = {
        "prompt_ids": nothing,
        "prompt_mask": nothing,
        "completion_ids": ids,
        "completion_mask": batch["written"],
        "tool_mask": batch["tool"],
        "advantages": advantages,
        "num_items_in_batch": mask.sum(),
        "old_per_token_logps": None if o.get("fresh") else batch["old"].double(),
        "ref_per_token_logps": batch["reference"].double(),
    }
    loss = TRL["_compute_loss"](trainer, None, inputs)
    loss.backward()
    metrics = {k: v[0] for k, v in trainer._metrics["train"].items() if k not in ("entropy_coef", "policy_loss")}
    return loss.item(), metrics, leaf.grad


def verl_loss(batch, options):
    leaf = batch["policy"].double().requires_grad_()
    mask = batch["mask"].double()
    lp = log_probs(leaf, batch["ids"])
    advantages = batch["advantages"].double()
    mode = options["mode"]
    loss, clipped, ppo_kl, lower = VERL["compute_policy_loss"](
        batch["old"].double(),
        lp,
        advantages,
        mask,
        cliprange=0.2,
        cliprange_high=options.get("clipHigh"),
        clip_ratio_c=options["c"],
        loss_agg_mode=mode,
    )
    metrics = {"clip_ratio/region_mean": clipped.item(), "approx_kl": ppo_kl.item(), "clip_ratio/dual_mean": lower.item()}
    if options.get("kl"):
        estimate = VERL["kl_penalty"](lp, batch["reference"].double(), options["kl"])
        loss = loss + options["beta"] * VERL["agg_loss"](estimate, mask, mode)
    if options.get("entropy"):
        loss = loss - options["entropy"] * VERL["agg_loss"](entropies(leaf), mask, "token-mean")
    loss.backward()
    return loss.item(), metrics, leaf.grad


def make_batch(rng, rows, time, scale, holes):
    def normal(*shape):
        return (torch.randn(*shape, generator=rng) * scale).float()

    ids = torch.randint(0, VOCAB, (rows, time), generator=rng)
    lengths = torch.randint(1, time + 1, (rows,), generator=rng)
    lengths[0] = time
    written = (torch.arange(time)[None] < lengths[:, None]).long()
    tool = torch.ones_like(written)
    if holes:
        tool[0, 2:4] = 0
        tool[1, 1] = 0
    policy = normal(rows, time, VOCAB)
    return {
        "ids": ids,
        "written": written,
        "tool": tool,
        "mask": written * tool,
        "policy": policy,
        "old": log_probs(policy + normal(rows, time, VOCAB), ids),
        "reference": log_probs(policy + normal(rows, time, VOCAB), ids),
        "advantages": normal(rows, time),
        "rowAdvantages": normal(rows),
    }


TRL_CASES = [
    # What TRL is given, and the same said in our options.
    ({"loss": "grpo", "beta": 0.04}, {"kl": {"beta": 0.04}, "aggregation": {"mode": "seq-mean-token-mean"}}),
    ({"loss": "grpo", "beta": 0.04, "fresh": True}, {"kl": {"beta": 0.04}, "aggregation": {"mode": "seq-mean-token-mean"}}),
    ({"loss": "dapo", "clipHigh": 0.28}, {"clipHigh": 0.28}),
    ({"loss": "bnpo", "delta": 1.5, "entropy": 0.01}, {"delta": 1.5, "entropyCoefficient": 0.01}),
    ({"loss": "dr_grpo", "length": 12}, {"aggregation": {"mode": "seq-mean-token-sum-norm", "length": 12, "countEmpty": True}}),
    ({"loss": "dapo", "perToken": True, "beta": 0.1, "entropy": 0.003}, {"kl": {"beta": 0.1}, "entropyCoefficient": 0.003}),
    (
        {"loss": "grpo", "level": "sequence", "clipLow": 0.1, "clipHigh": 0.15},
        {"ratio": "sequence", "clipLow": 0.1, "clipHigh": 0.15, "aggregation": {"mode": "seq-mean-token-mean"}},
    ),
]
VERL_CASES = [
    ({"mode": "token-mean", "c": 3.0}, {"dualClip": 3}),
    (
        {"mode": "token-mean", "c": 1.6, "clipHigh": 0.28, "kl": "k3", "beta": 0.1, "entropy": 0.01},
        {"dualClip": 1.6, "clipHigh": 0.28, "kl": {"beta": 0.1, "estimator": "k3", "limited": True}, "entropyCoefficient": 0.01},
    ),
    ({"mode": "seq-mean-token-mean", "c": 3.0, "kl": "k2", "beta": 0.5}, {"dualClip": 3, "kl": {"beta": 0.5, "estimator": "k2"}}),
    ({"mode": "seq-mean-token-sum", "c": 1.5, "kl": "k1", "beta": 0.2}, {"dualClip": 1.5, "kl": {"beta": 0.2, "estimator": "k1"}}),
    ({"mode": "seq-mean-token-sum-norm", "c": 10.0}, {"dualClip": 10}),
]


def losses(rng):
    for rows, time, scale, holes in [(6, 7, 0.4, True), (4, 5, 1.5, False), (3, 6, 6.0, True)]:
        batch = make_batch(rng, rows, time, scale, holes)
        cases = []
        for source, f, all_cases in (("TRL", trl_loss, TRL_CASES), ("verl", verl_loss, VERL_CASES)):
            for theirs, ours in all_cases:
                value, metrics, gradient = f(batch, theirs)
                options = {"maxLogRatio": 20, "aggregation": {"mode": theirs["mode"]}, **ours} if source == "verl" else ours
                cases.append(
                    {
                        "source": source,
                        "case": theirs,
                        "options": options,
                        "value": value,
                        "metrics": metrics,
                        "gradient": rounded(gradient),
                    }
                )
        data = {k: rounded(v) if v.is_floating_point() else v.flatten().tolist() for k, v in batch.items()}
        yield {"kind": "loss", "shape": [rows, time, VOCAB], **data, "cases": cases}


def trl_advantages(rewards, scale):
    groups, n = rewards.shape
    scope = {
        **TRL,
        "self": types.SimpleNamespace(
            multi_objective_aggregation="sum_then_normalize", scale_rewards=scale, reward_weights=torch.ones(1).double()
        ),
        "rewards_per_func": rewards.reshape(-1, 1),
        "unscorable_mask": torch.isnan(rewards.reshape(-1)),
        "device": torch.device("cpu"),
        "num_generations": n,
    }
    exec(TRL_ADVANTAGES, scope)
    return torch.nan_to_num(scope["advantages"], nan=0.0).reshape(groups, n)


def verl_advantages(rewards, by_std):
    groups, n = rewards.shape
    index = np.repeat(np.arange(groups), n)
    return VERL["compute_grpo_outcome_advantage"](
        rewards.reshape(-1, 1).clone(), torch.ones(groups * n, 1), index, norm_adv_by_std_in_grpo=by_std
    )[0].reshape(groups, n)


def advantages(rng):
    for groups, n in [(3, 4), (2, 8), (4, 1)]:
        rewards = torch.rand(groups, n, generator=rng).float()
        rewards[0] = 0.25
        cases = []
        if n > 1:
            for scale in ("group", "batch", "none"):
                cases.append(("TRL", {"scale": scale}, trl_advantages(rewards.double(), scale)))
        for by_std in (True, False):
            options = {"epsilon": 1e-6, "single": "reward", "scale": "group" if by_std else "none"}
            cases.append(("verl", options, verl_advantages(rewards.double(), by_std)))
        yield {
            "kind": "advantages",
            "shape": [groups, n],
            "rewards": rounded(rewards),
            "cases": [{"source": s, "options": o, "value": rounded(v)} for s, o, v in cases],
        }


def grpo_plus_plus(rewards, mask, gamma, epsilon, correction):
    """omniagent.md's definition, said in loops: groups of responses, tokens backwards."""
    out = torch.zeros_like(rewards)
    for g in range(rewards.shape[0]):
        returns = []
        for i in range(rewards.shape[1]):
            running = 0.0
            for t in reversed(range(rewards.shape[2])):
                if mask[g, i, t]:
                    running = rewards[g, i, t].item() + gamma * running
                    returns.append((i, t, running))
        values = [r for *_, r in returns]
        mean = sum(values) / len(values)
        variance = sum((v - mean) ** 2 for v in values) / max(1, len(values) - correction)
        for i, t, r in returns:
            out[g, i, t] = (r - mean) / (math.sqrt(variance) + epsilon)
    return out


def token_advantages(rng):
    for groups, n, time in [(2, 3, 6), (1, 4, 9)]:
        rewards = torch.rand(groups, n, time, generator=rng).float()
        rewards = rewards * (torch.rand(groups, n, time, generator=rng) < 0.4)
        lengths = torch.randint(1, time + 1, (groups, n, 1), generator=rng)
        mask = (torch.arange(time)[None, None] < lengths).long()
        mask[0, 0, 1:3] = 0
        mask[0, 0, -1] = 1
        cases = []
        for gamma, epsilon, correction in [(1.0, 1e-4, 1), (0.9, 1e-6, 0), (0.5, 1e-4, 1)]:
            options = {"gamma": gamma, "epsilon": epsilon, "correction": correction}
            value = grpo_plus_plus(rewards.double(), mask, gamma, epsilon, correction)
            _, returns = VERL["compute_reinforce_plus_plus_outcome_advantage"](
                rewards.double().reshape(groups * n, time),
                mask.double().reshape(groups * n, time),
                types.SimpleNamespace(gamma=gamma),
            )
            cases.append({"options": options, "value": rounded(value), "returns": rounded(returns)})
        # verl normalises the whole batch, which is one group here.
        if groups == 1:
            whitened, _ = VERL["compute_reinforce_plus_plus_outcome_advantage"](
                rewards.double()[0], mask.double()[0], types.SimpleNamespace(gamma=0.8)
            )
            cases.append({"options": {"gamma": 0.8, "epsilon": 0}, "value": rounded(whitened), "source": "verl"})
        yield {
            "kind": "tokens",
            "shape": [groups, n, time],
            "rewards": rounded(rewards),
            "mask": mask.flatten().tolist(),
            "cases": cases,
        }


def overlong():
    cases = []
    for max_length, buffer, penalty in [(20480, 4096, 1.0), (96, 32, 0.5)]:
        for length in (1, max_length - buffer, max_length - buffer + 1, max_length - 3, max_length):
            scope = {
                "self": types.SimpleNamespace(
                    overlong_buffer_cfg=types.SimpleNamespace(len=buffer, penalty_factor=penalty), max_resp_len=max_length
                ),
                "valid_response_length": length,
                "reward": 0.0,
            }
            exec(OVERLONG, scope)
            options = {"maxLength": max_length, "buffer": buffer, "penalty": penalty}
            cases.append({"options": options, "length": length, "value": scope["reward"]})
    return {"kind": "overlong", "cases": cases}


def main():
    rng = torch.Generator().manual_seed(0)
    lines = [*losses(rng), *advantages(rng), *token_advantages(rng), overlong()]
    OUT.write_text("".join(json.dumps(line) + "\n" for line in lines))


main()
