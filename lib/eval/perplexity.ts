/**
 * Perplexity on response tokens: PPL(S) = exp( sum over samples of S of sum over t of -log p(t) / number of tokens ),
 * pooled over the samples of S (spec of OmniAgent: [I] definition; the card publishes only the figures).
 *
 * | name    | S                                                       |
 * |---------|---------------------------------------------------------|
 * | ppl     | all categories                                          |
 * | genPpl  | audio_to_image, image_to_audio, text_to_multimodal      |
 * | toolPpl | search_and_generate, code_and_explain                   |
 * | planPpl | multi_step_creation                                     |
 */
import { ArgumentError } from '../errors';
import type { Tensor } from '../graph/tensor';
import { tokenLogProbs } from '../losses/cross-entropy';
import { llama } from '../models/llama';
import type { LlamaConfig, LlamaParams } from '../models/llama';
import { filledInputs } from '../models/omniagent';
import { checkFinite } from '../runtime/finite';
import { jit } from '../runtime/jit';
import { padBatch } from '../trainers/batches';
import type { TokenBatch, TokenExample, VectorShape } from '../trainers/batches';

export interface LabelledExample extends TokenExample {
  category: string;
}
/** Summed negative log-likelihood (nats) and number of response tokens of one sample. */
export interface SampleLoss {
  category: string;
  nll: number;
  tokens: number;
}

export const perplexityPools: Record<string, readonly string[]> = {
  genPpl: ['audio_to_image', 'image_to_audio', 'text_to_multimodal'],
  toolPpl: ['search_and_generate', 'code_and_explain'],
  planPpl: ['multi_step_creation'],
};

/** The loss of each sample under a model. */
export async function sampleLosses(
  params: LlamaParams,
  config: LlamaConfig,
  examples: readonly LabelledExample[],
  options: {
    batchSize?: number;
    /** The shape of the examples' media, if any has some. */
    vectors?: VectorShape;
    device?: string;
    onProgress?: (done: number, total: number) => void;
  } = {},
): Promise<SampleLoss[]> {
  const { batchSize = 16, vectors, device, onProgress } = options;
  const sums = jit(
    (p: LlamaParams, b: TokenBatch): Tensor =>
      tokenLogProbs(llama(p, config, filledInputs(p, b)), b.labels)
        .neg()
        .mul(b.mask)
        .sum(-1),
    { device, name: 'perplexity' },
  );
  const long = examples.find((e) => e.ids.length - 1 > config.maxLength);
  if (long)
    throw new ArgumentError(
      'sampleLosses',
      `expected samples of at most ${config.maxLength + 1} tokens, got one of ${long.ids.length}`,
      "raise the model's maxLength: a perplexity of cut samples would be another figure",
    );
  // Samples of like length share a batch, so that little is padded.
  const order = examples.map((_, i) => i).sort((a, b) => examples[a].ids.length - examples[b].ids.length || a - b);
  const out = new Array<SampleLoss>(examples.length);
  for (let at = 0; at < order.length; at += batchSize) {
    const rows = order.slice(at, at + batchSize);
    // The last batch is filled up, so that its shape is compiled already.
    const filled = Array.from({ length: batchSize }, (_, k) => rows[Math.min(k, rows.length - 1)]);
    const batch = padBatch(
      filled.map((r) => examples[r]),
      config.maxLength,
      vectors,
    );
    const nll = await (await sums(params, batch)).numbers();
    const mask = await batch.mask.data();
    const time = batch.mask.shape[1];
    rows.forEach((r, k) => {
      let tokens = 0;
      for (let t = 0; t < time; t++) tokens += Number(mask[k * time + t]);
      out[r] = { category: examples[r].category, nll: nll[k], tokens };
    });
    onProgress?.(Math.min(at + batchSize, order.length), order.length);
  }
  sums.release();
  return out;
}

/** exp of the pooled mean loss. Throws ArgumentError when the pool has no tokens. */
export function perplexityOf(losses: readonly SampleLoss[]): number {
  const tokens = losses.reduce((n, s) => n + s.tokens, 0);
  if (!tokens)
    throw new ArgumentError(
      'perplexityOf',
      'expected samples with response tokens, got none',
      'check the categories and masks',
    );
  return Math.exp(losses.reduce((n, s) => n + s.nll, 0) / tokens);
}

/** Overall, by pool, and by category (`ppl/<category>`). */
export function perplexities(losses: readonly SampleLoss[]): Record<string, number> {
  const of = (categories: readonly string[]): number =>
    perplexityOf(losses.filter((s) => categories.includes(s.category)));
  const categories = [...new Set(losses.map((s) => s.category))].sort();
  const result = {
    ppl: perplexityOf(losses),
    ...Object.fromEntries(Object.entries(perplexityPools).map(([name, list]) => [name, of(list)])),
    ...Object.fromEntries(categories.map((c) => [`ppl/${c}`, of([c])])),
  };
  checkFinite('perplexities', result);
  return result;
}
