/**
 * How far a policy went from the supervised model: KL(policy || reference) of the next token, over the whole vocabulary (exact, no
 * estimate from samples), summed over the response positions of given sequences. Over the policy's own answers this is the drift where the
 * policy goes.
 */
import type { Tensor } from '../graph/tensor';
import { llama } from '../models/llama';
import type { LlamaConfig, LlamaParams } from '../models/llama';
import { filledInputs } from '../models/omniagent';
import { jit } from '../runtime/jit';
import { padBatch } from '../trainers/batches';
import type { TokenBatch, TokenExample, VectorShape } from '../trainers/batches';

export interface Drift {
  /** Nats, summed over `tokens` positions. */
  drift: number;
  tokens: number;
}

/** KL(softmax(a) || softmax(b)) over the last axis. */
export function logitsKl(a: Tensor, b: Tensor): Tensor {
  const [p, q] = [a.logSoftmax(-1), b.logSoftmax(-1)];
  return p.exp().mul(p.sub(q)).sum(-1);
}

/** The drift on each sequence; what lies beyond the model's length is left out. */
export async function policyDrift(
  policy: LlamaParams,
  reference: LlamaParams,
  config: LlamaConfig,
  examples: readonly TokenExample[],
  { batchSize = 16, vectors, device }: { batchSize?: number; vectors?: VectorShape; device?: string } = {},
): Promise<Drift[]> {
  const sums = jit(
    (p: LlamaParams, q: LlamaParams, b: TokenBatch): Tensor =>
      logitsKl(llama(p, config, filledInputs(p, b)), llama(q, config, filledInputs(q, b)))
        .mul(b.mask)
        .sum(-1),
    { device, name: 'drift' },
  );
  const order = examples.map((_, i) => i).sort((a, b) => examples[a].ids.length - examples[b].ids.length || a - b);
  const out = new Array<Drift>(examples.length);
  for (let at = 0; at < order.length; at += batchSize) {
    const rows = order.slice(at, at + batchSize);
    // The last batch is filled up, so that its shape is compiled already.
    const batch = padBatch(
      Array.from({ length: batchSize }, (_, k) => examples[rows[Math.min(k, rows.length - 1)]]),
      config.maxLength,
      vectors,
    );
    const drift = await (await sums(policy, reference, batch)).numbers();
    const mask = await batch.mask.numbers();
    const time = batch.mask.shape[1];
    rows.forEach((r, k) => {
      let tokens = 0;
      for (let t = 0; t < time; t++) tokens += mask[k * time + t];
      out[r] = { drift: drift[k], tokens };
    });
  }
  sums.release();
  return out;
}
