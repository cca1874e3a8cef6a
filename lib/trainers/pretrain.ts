/**
 * Pre-training of the language model (what the papers download): next-token prediction on documents, each a row of its own, so that
 * nothing distracts from what stands before in the same one. Where a document says so, tokens are read but not learned.
 * What it is not: a data pipeline; the corpus is in memory.
 *
 * Logged: loss (nats a token), grad_norm (before clipping), learning_rate, eval_loss.
 */
import type { Tensor } from '../graph/tensor';
import { valueAndGrad } from '../graph/grad';
import { crossEntropy } from '../losses/cross-entropy';
import { llama, llamaInit } from '../models/llama';
import type { LlamaConfig, LlamaParams } from '../models/llama';
import { withCopyingHeads } from '../models/llama-copying';
import { adamWInit } from '../nn/adamw';
import type { AdamWState } from '../nn/adamw';
import { Random } from '../nn/random';
import { jit } from '../runtime/jit';
import { groupedIndices, padBatch } from './batches';
import type { TokenBatch, TokenExample } from './batches';
import { compiled } from './context';
import type { TrainContext } from './context';
import { trainLoop } from './loop';
import { readMetrics } from './metrics';
import { stepScalars, update } from './optimizer';
import type { OptimizerConfig, StepScalars } from './optimizer';

/** Batches of held-out documents. */
const VALIDATION_BATCHES = 4;

export interface PretrainOptions {
  model: LlamaConfig;
  optimizer: OptimizerConfig;
  /** Begin with heads that copy (models/llama-copying.ts). */
  copyingHeads?: boolean;
  corpus: readonly TokenExample[];
  validation: readonly TokenExample[];
  seed: number;
  device?: string;
}

export async function pretrain(context: TrainContext, o: PretrainOptions): Promise<LlamaParams> {
  const { model, optimizer, device } = o;
  const rng = new Random(o.seed, 'pretrain');
  const plain = llamaInit(rng.stream('init'), model);
  const params = o.copyingHeads ? withCopyingHeads(rng.stream('copying'), plain, model) : plain;
  const lossOf = (p: LlamaParams, b: TokenBatch): Tensor =>
    crossEntropy(llama(p, model, { ids: b.ids }), b.labels, b.mask).loss;

  const step = jit(
    (p: LlamaParams, s: AdamWState<LlamaParams>, batch: TokenBatch, scalars: StepScalars<Tensor>) => {
      const { value, grads } = valueAndGrad(lossOf)(p, batch);
      const next = update(optimizer, p, grads, s, scalars);
      return { params: next.params, adam: next.state, metrics: { loss: value, grad_norm: next.norm } };
    },
    { donate: [0, 1], device, ...compiled(context, 'pretrain step') },
  );
  const evaluation = jit(lossOf, { device, ...compiled(context, 'pretrain evaluation') });
  const batchOf = (examples: readonly TokenExample[], name: string): ((i: number) => TokenBatch) => {
    const lengths = examples.map((e) => e.ids.length);
    const order = rng.stream(name);
    return (i) =>
      padBatch(
        groupedIndices(order, lengths, optimizer.batchSize, i).map((k) => examples[k]),
        model.maxLength,
      );
  };
  const held = Array.from({ length: VALIDATION_BATCHES }, (_, i) => i).map(batchOf(o.validation, 'validation'));
  const batchAt = batchOf(o.corpus, 'order');

  const state = await trainLoop(context, {
    name: 'pretrain',
    totalSteps: optimizer.steps,
    checkpointEvery: optimizer.checkpointEvery,
    state: { params, adam: adamWInit(params) },
    evaluateEvery: Math.max(1, Math.floor(optimizer.steps / 10)),
    evaluate: async ({ params }) => {
      let sum = 0;
      for (const batch of held) sum += await (await evaluation(params, batch)).item();
      return { eval_loss: sum / held.length };
    },
    step: async ({ params, adam }, i) => {
      const { learningRate, scalars } = stepScalars(optimizer, i);
      const out = await step(params, adam, batchAt(i), scalars);
      return {
        state: { params: out.params, adam: out.adam },
        metrics: { ...(await readMetrics(out.metrics)), learning_rate: learningRate },
      };
    },
  });
  step.release();
  evaluation.release();
  return state.params;
}
