/**
 * What training on preference pairs shares: pairs as batches (chosen rows, then rejected rows, one forward pass for both),
 * log-probabilities of the policy and of the reference, which is the same model with the adapter switched off.
 */
import type { Tensor } from '../graph/tensor';
import { tensor } from '../graph/tensor';
import { tokenLogProbs } from '../losses/cross-entropy';
import type { Responses } from '../losses/sequence';
import { sequenceSums } from '../losses/sequence';
import { llama } from '../models/llama';
import type { LlamaConfig, LlamaParams } from '../models/llama';
import { filledInputs } from '../models/omniagent';
import type { LoraConfig } from '../nn/lora';
import { jit } from '../runtime/jit';
import { padBatch } from './batches';
import type { TokenBatch, TokenExample, VectorShape } from './batches';
import type { OptimizerConfig } from './optimizer';

export interface PreferencePair {
  chosen: TokenExample;
  rejected: TokenExample;
}

export interface PreferenceOptions {
  model: LlamaConfig;
  /** The supervised model: frozen, the start of the policy, and the reference. */
  base: LlamaParams;
  lora: LoraConfig;
  optimizer: OptimizerConfig;
  pairs: readonly PreferencePair[];
  /** Held-out pairs; accuracies and margins on them are logged as eval_rewards/.... */
  heldOut: readonly PreferencePair[];
  /** The shape of the examples' media, if any has some: `vectorShape`. */
  vectors?: VectorShape;
  seed: number;
  device?: string;
}

/** Pairs as one padded batch [2B, T]: the chosen responses first. `vectors` is the shape of their media, if any has some. */
export const pairBatch = (pairs: readonly PreferencePair[], maxLength: number, vectors?: VectorShape): TokenBatch =>
  padBatch([...pairs.map((p) => p.chosen), ...pairs.map((p) => p.rejected)], maxLength, vectors);

/** Token log-probabilities of both halves of a pair batch. */
export function pairLogProbs(
  params: LlamaParams,
  config: LlamaConfig,
  b: TokenBatch,
): { chosen: Responses; rejected: Responses } {
  const logProbs = tokenLogProbs(llama(params, config, filledInputs(params, b)), b.labels);
  const half = b.ids.shape[0] / 2;
  const part = (from: number): Responses => ({
    logProbs: logProbs.slice([from, from + half]),
    mask: b.mask.slice([from, from + half]),
  });
  return { chosen: part(0), rejected: part(half) };
}

/**
 * Reference sums of the pairs in `rows`, computed once: float32 [pairs] each, NaN at pairs that were not asked for.
 * Batches are taken in the order of `rows`.
 */
export async function referenceSums(
  o: PreferenceOptions,
  pairs: readonly PreferencePair[],
  rows: readonly number[],
): Promise<{ chosen: Float32Array; rejected: Float32Array }> {
  const sums = jit(
    (base: LlamaParams, b: TokenBatch): { chosen: Tensor; rejected: Tensor } => {
      const { chosen, rejected } = pairLogProbs(base, o.model, b);
      return { chosen: sequenceSums(chosen), rejected: sequenceSums(rejected) };
    },
    { device: o.device, name: 'reference' },
  );
  const size = o.optimizer.batchSize;
  const empty = (): Float32Array => new Float32Array(pairs.length).fill(NaN);
  const out = { chosen: empty(), rejected: empty() };
  for (let at = 0; at < rows.length; at += size) {
    // The last batch is filled up, so that its shape is compiled already.
    const batch = Array.from({ length: size }, (_, k) => rows[Math.min(at + k, rows.length - 1)]);
    const values = await sums(
      o.base,
      pairBatch(
        batch.map((r) => pairs[r]),
        o.model.maxLength,
        o.vectors,
      ),
    );
    for (const side of ['chosen', 'rejected'] as const) {
      const found = await values[side].numbers();
      batch.forEach((r, k) => (out[side][r] = found[k]));
    }
  }
  sums.release();
  return out;
}

/** The reference sums of some pairs as tensors. */
export const pickSums = (
  sums: { chosen: Float32Array; rejected: Float32Array },
  rows: readonly number[],
): { chosen: Tensor; rejected: Tensor } => ({
  chosen: tensor(Float32Array.from(rows, (r) => sums.chosen[r])),
  rejected: tensor(Float32Array.from(rows, (r) => sums.rejected[r])),
});
