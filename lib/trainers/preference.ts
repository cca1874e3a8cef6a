/**
 * What training on preference pairs shares: pairs as batches (chosen rows, then rejected rows, one forward pass for both),
 * log-probabilities of the policy and of the reference, which is the same model with the adapter switched off.
 */
import type { Tensor } from '../graph/tensor';
import { tensor } from '../graph/tensor';
import { tokenLogProbs } from '../losses/cross-entropy';
import type { Responses } from '../losses/sequence';
import { llama } from '../models/llama';
import type { LlamaConfig, LlamaParams } from '../models/llama';
import { filledInputs } from '../models/omniagent';
import type { LoraConfig } from '../nn/lora';
import { padBatch } from './batches';
import type { TokenBatch, TokenExample, VectorShape } from './batches';
import type { OptimizerConfig } from './optimizer';
import { referenceLogProbs } from './reference';
import type { ReferenceOptions } from './reference';

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
  /** Where the reference's log-probabilities are kept, under the hash of model and data; without, they are not kept. */
  cacheDir?: string;
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

/** Sums of a reference's log-probabilities, float32 [pairs] each. */
export interface ReferenceSums {
  chosen: Float32Array;
  rejected: Float32Array;
}

/** What a reference needs of a preference trainer's options. */
export const referenceOptions = ({
  model,
  base,
  optimizer,
  vectors,
  device,
  cacheDir,
}: PreferenceOptions): ReferenceOptions => ({
  model,
  base,
  batchSize: 2 * optimizer.batchSize,
  vectors,
  device,
  cacheDir,
});

/** Reference sums of the pairs: computed once, or read from the cache. */
export async function referenceSums(o: PreferenceOptions, pairs: readonly PreferencePair[]): Promise<ReferenceSums> {
  const rows = await referenceLogProbs(referenceOptions(o), [
    ...pairs.map((p) => p.chosen),
    ...pairs.map((p) => p.rejected),
  ]);
  const sums = Float32Array.from(rows, (row) => row.reduce((a, b) => a + b, 0));
  return { chosen: sums.slice(0, pairs.length), rejected: sums.slice(pairs.length) };
}

/** The reference sums of some pairs as tensors. */
export const pickSums = (sums: ReferenceSums, rows: readonly number[]): { chosen: Tensor; rejected: Tensor } => ({
  chosen: tensor(Float32Array.from(rows, (r) => sums.chosen[r])),
  rejected: tensor(Float32Array.from(rows, (r) => sums.rejected[r])),
});
