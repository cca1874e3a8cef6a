/**
 * PeRPO (Omni-R1, section 4.1, eq. 10 to 16): groups of interleaved rollouts, rewards of answer, format and perception
 * (rewards/compute-score.ts), a clipped policy loss with asymmetric limits and a divergence from the supervised model. One step:
 *
 *   1. draw `group` responses to each of `batchSize` prompts, in generation mode interleaved, from the weights as they are;
 *   2. score them; groups whose rewards are all alike are dropped, and others are drawn in their place, `rounds` times at most
 *      (the paper draws 192 prompts for 64);
 *   3. log-probabilities before the update, of policy and reference;
 *   4. one update for every `minibatches`-th part of the groups.
 *
 * What a step draws is a function of the seed and its number, so a killed run equals the straight one. A step for which no group is
 * left changes nothing (its learning rate passes).
 *
 * Differences from the paper: 1. all weights are trained with AdamW as there, but tokens are drawn under the mode's constraint, while
 * log-probabilities are those of all tokens; 2. where fewer than `batchSize` groups are found, the update is of those.
 *
 * Logged: loss, policy_loss, kl, entropy, clip_ratio/..., approx_kl, grad_norm, learning_rate; of all rollouts reward, reward_std,
 * rewards/accuracy, rewards/format, rewards/image (means), reward/p10, p50, p90, frac_reward_zero_std (groups), groups_used,
 * groups_drawn, format_errors, action_errors, perception_errors, distinct (share of different responses in a group: 1 / group is
 * collapse), completions/mean_length, completions/images, completions/clipped_ratio.
 */
import { generate } from '../generate/generate';
import { modeConstraint } from '../generate/interleaved';
import type { Generation } from '../generate/options';
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { valueAndGrad } from '../graph/grad';
import { tokenLogProbs } from '../losses/cross-entropy';
import { tokenEntropies } from '../losses/entropy';
import { policyLoss } from '../losses/policy';
import type { PolicyOptions } from '../losses/policy';
import { llama } from '../models/llama';
import type { LlamaConfig, LlamaParams } from '../models/llama';
import type { TokenLayout } from '../models/r1-layout';
import { adamWInit } from '../nn/adamw';
import type { AdamWState } from '../nn/adamw';
import { Random } from '../nn/random';
import type { Score } from '../rewards';
import { jit } from '../runtime/jit';
import { batchIndices, padBatch } from './batches';
import type { TokenBatch } from './batches';
import { compiled } from './context';
import type { TrainContext, TrainMetrics } from './context';
import { trainLoop } from './loop';
import { readMetrics } from './metrics';
import { stepScalars, update } from './optimizer';
import type { OptimizerConfig, StepScalars } from './optimizer';
import { groupRelative, rolloutMetrics } from './perpo-metrics';
import type { PerpoPrompt, ScoredRollout } from './perpo-rollout';

/** What looks at rollouts: the text of tokens with its images numbered, and the reward. */
export interface PerpoJudge {
  read: (tokens: readonly number[]) => { text: string; images: number };
  score: (text: string, prompt: PerpoPrompt, tokens: readonly number[]) => Score;
  actionError: (text: string) => boolean;
}

export interface PerpoOptions {
  model: LlamaConfig;
  layout: TokenLayout;
  /** The supervised model: the start, taken over, and the reference, kept. */
  params: LlamaParams;
  reference: LlamaParams;
  prompts: readonly PerpoPrompt[];
  judge: PerpoJudge;
  /** `batchSize` counts groups, `steps` batches. */
  optimizer: OptimizerConfig;
  group: number;
  rounds: number;
  minibatches: number;
  temperature: number;
  topP: number;
  maxNewTokens: number;
  policy: PolicyOptions;
  /** Added to the deviation in eq. 13. */
  delta: number;
  onRollouts?: (step: number, rollouts: readonly ScoredRollout[]) => void;
  /** Called with the weights after the steps that are listed. */
  keep?: { at: readonly number[]; save: (step: number, params: LlamaParams) => Promise<void> };
  seed: number;
  device?: string;
}

type Group = { rollouts: ScoredRollout[]; advantages: number[] };
type PerpoBatch = TokenBatch & { advantages: Tensor; old: Tensor | null; ref: Tensor };

/** Rows computed together in sampling. */
const MAX_BATCH = 64;

export async function trainPerpo(context: TrainContext, o: PerpoOptions): Promise<LlamaParams> {
  const { model, layout, device, group } = o;
  const rng = new Random(o.seed, 'perpo');
  const optimizer = { ...o.optimizer, steps: o.optimizer.steps * o.minibatches };

  // With one update a batch, the policy that drew it is the one that is updated.
  const oldIsNew = o.minibatches === 1;
  const score = jit(
    (p: LlamaParams, ref: LlamaParams, b: TokenBatch) => ({
      old: oldIsNew ? null : tokenLogProbs(llama(p, model, { ids: b.ids }), b.labels),
      ref: tokenLogProbs(llama(ref, model, { ids: b.ids }), b.labels),
    }),
    { device, ...compiled(context, 'perpo score') },
  );
  const lossOf = (p: LlamaParams, b: PerpoBatch): { loss: Tensor; [metric: string]: Tensor } => {
    const logits = llama(p, model, { ids: b.ids });
    const { loss, metrics } = policyLoss(
      {
        logProbs: tokenLogProbs(logits, b.labels),
        oldLogProbs: b.old ?? undefined,
        refLogProbs: b.ref,
        advantages: b.advantages,
        mask: b.mask,
        entropies: tokenEntropies(logits),
      },
      o.policy,
    );
    return { ...metrics, loss };
  };
  const step = jit(
    (p: LlamaParams, s: AdamWState<LlamaParams>, b: PerpoBatch, scalars: StepScalars<Tensor>) => {
      const { value, grads } = valueAndGrad(lossOf)(p, b);
      const next = update(optimizer, p, grads, s, scalars);
      return { params: next.params, adam: next.state, metrics: { ...value, grad_norm: next.norm } };
    },
    { donate: [0, 1], device, ...compiled(context, 'perpo step') },
  );

  /** Groups of responses to prompts, scored. */
  const draw = async (params: LlamaParams, prompts: readonly PerpoPrompt[], stream: string): Promise<Group[]> => {
    const rows = prompts.flatMap((prompt) => new Array<PerpoPrompt>(group).fill(prompt));
    const made: Generation[] = [];
    for (let at = 0; at < rows.length; at += MAX_BATCH) {
      const part = rows.slice(at, at + MAX_BATCH).map((r) => r.ids);
      const drawn = await generate({ params, config: model }, part, {
        temperature: o.temperature,
        topP: o.topP,
        maxNewTokens: o.maxNewTokens,
        stop: [layout.eos],
        constraint: modeConstraint(layout, 'interleaved-text-image', part, { maxLength: model.maxLength }),
        seed: o.seed,
        streams: part.map((_, k) => `${stream} row ${at + k}`),
        maxBatch: MAX_BATCH,
        device,
      });
      made.push(...drawn);
    }
    const scored = made.map(({ tokens, finish }, k): ScoredRollout => {
      const prompt = rows[k];
      const { text, images } = o.judge.read(tokens);
      const found = o.judge.score(text, prompt, tokens);
      return { prompt, tokens, text, finish, score: found, actionError: o.judge.actionError(text), images };
    });
    return prompts.map((_, g) => {
      const rollouts = scored.slice(g * group, (g + 1) * group);
      return {
        rollouts,
        advantages: groupRelative(
          rollouts.map((r) => r.score.score),
          o.delta,
        ),
      };
    });
  };

  const batchOf = (groups: readonly Group[]): TokenBatch & { advantages: Tensor } => {
    const rows = groups.flatMap((g) => g.rollouts.map((r, k) => ({ ...r, advantage: g.advantages[k] })));
    const batch = padBatch(
      rows.map(({ prompt, tokens }) => ({
        ids: [...prompt.ids, ...tokens],
        mask: [...prompt.ids.map(() => 0), ...tokens.map(() => 1)],
      })),
      model.maxLength,
    );
    return { ...batch, advantages: tensor(Float32Array.from(rows, (r) => r.advantage)) };
  };

  const state = await trainLoop(context, {
    name: 'perpo',
    totalSteps: o.optimizer.steps,
    checkpointEvery: o.optimizer.checkpointEvery,
    state: { params: o.params, adam: adamWInit(o.params) },
    show: ['reward', 'kl', 'entropy'],
    step: async (before, i) => {
      const wanted = optimizer.batchSize;
      const all: Group[] = [];
      const used: Group[] = [];
      for (let round = 0; round < o.rounds && used.length < wanted; round++) {
        const rows = batchIndices(rng.stream('order'), o.prompts.length, wanted, i * o.rounds + round);
        const fresh = await draw(
          before.params,
          rows.map((r) => o.prompts[r]),
          `step ${i} round ${round}`,
        );
        all.push(...fresh);
        used.push(...fresh.filter((g) => g.advantages.some((a) => a !== 0)).slice(0, wanted - used.length));
      }
      o.onRollouts?.(
        i + 1,
        all.flatMap((g) => g.rollouts),
      );
      let next = before;
      const updates: TrainMetrics[] = [];
      const size = Math.ceil(used.length / o.minibatches);
      const parts = Array.from({ length: o.minibatches }, (_, k) => used.slice(k * size, (k + 1) * size));
      // Log-probabilities of the policy that drew them: before the first update.
      const batches: PerpoBatch[] = [];
      for (const part of parts.filter((p) => p.length)) {
        const batch = batchOf(part);
        batches.push({ ...batch, ...(await score(next.params, o.reference, batch)) });
      }
      for (const [k, batch] of batches.entries()) {
        const { learningRate, scalars } = stepScalars(optimizer, i * o.minibatches + k);
        const out = await step(next.params, next.adam, batch, scalars);
        next = { params: out.params, adam: out.adam };
        updates.push({ ...(await readMetrics(out.metrics)), learning_rate: learningRate });
      }
      if (o.keep?.at.includes(i + 1)) await o.keep.save(i + 1, next.params);
      return {
        state: next,
        metrics: { ...averaged(updates), ...rolloutMetrics(all, used.length, model.maxLength) },
      };
    },
  });
  for (const program of [score, step]) program.release();
  return state.params;
}

function averaged(list: readonly TrainMetrics[]): TrainMetrics {
  const out: TrainMetrics = {};
  for (const metrics of list)
    for (const [key, value] of Object.entries(metrics)) out[key] = (out[key] ?? 0) + value / list.length;
  return out;
}
