/**
 * Stage 3: supervised fine-tuning of a LoRA adapter on instruction data, the loss on response tokens only.
 *
 * Logged (TRL's names): loss, grad_norm, learning_rate, mean_token_accuracy.
 */
import type { Tensor } from '../graph/tensor';
import { valueAndGrad } from '../graph/grad';
import { crossEntropy } from '../losses/cross-entropy';
import { llama } from '../models/llama';
import type { LlamaConfig, LlamaParams } from '../models/llama';
import { adamWInit } from '../nn/adamw';
import type { AdamWScalars, AdamWState } from '../nn/adamw';
import { loraInit, withLora } from '../nn/lora';
import type { LoraAdapter, LoraConfig } from '../nn/lora';
import { Random } from '../nn/random';
import { jit } from '../runtime/jit';
import { batchIndices, padBatch } from './batches';
import type { TokenBatch, TokenExample } from './batches';
import type { TrainContext } from './context';
import { trainLoop } from './loop';
import { readMetrics } from './metrics';
import { stepScalars, update } from './optimizer';
import type { OptimizerConfig } from './optimizer';

export interface SftOptions {
  model: LlamaConfig;
  /** The frozen model. */
  base: LlamaParams;
  lora: LoraConfig;
  optimizer: OptimizerConfig;
  examples: readonly TokenExample[];
  seed: number;
  device?: string;
}

export async function sft(context: TrainContext, o: SftOptions): Promise<LoraAdapter> {
  const { model, lora, optimizer, device } = o;
  const rng = new Random(o.seed, 'sft');
  const adapter = loraInit(rng.stream('init'), o.base, lora);

  const lossOf = (a: LoraAdapter, base: LlamaParams, b: TokenBatch): { loss: Tensor; mean_token_accuracy: Tensor } => {
    const logits = llama(withLora(base, a, lora), model, { ids: b.ids });
    const { loss, count } = crossEntropy(logits, b.labels, b.mask);
    const right = logits.argMax(-1).equal(b.labels).cast('float32').mul(b.mask).sum();
    return { loss, mean_token_accuracy: right.div(count.maximum(1)) };
  };
  const step = jit(
    (
      a: LoraAdapter,
      s: AdamWState<LoraAdapter>,
      base: LlamaParams,
      batch: TokenBatch,
      scalars: AdamWScalars<Tensor>,
    ) => {
      const { value, grads } = valueAndGrad(lossOf)(a, base, batch);
      const next = update(optimizer, a, grads, s, scalars);
      return { adapter: next.params, adam: next.state, metrics: { ...value, grad_norm: next.norm } };
    },
    { donate: [0, 1], device, name: 'sft step' },
  );

  const state = await trainLoop(context, {
    name: 'sft',
    totalSteps: optimizer.steps,
    checkpointEvery: optimizer.checkpointEvery,
    state: { adapter, adam: adamWInit(adapter) },
    step: async ({ adapter, adam }, i) => {
      const { learningRate, scalars } = stepScalars(optimizer, i);
      const rows = batchIndices(rng.stream('order'), o.examples.length, optimizer.batchSize, i);
      const batch = padBatch(
        rows.map((r) => o.examples[r]),
        model.maxLength,
      );
      const out = await step(adapter, adam, o.base, batch, scalars);
      return {
        state: { adapter: out.adapter, adam: out.adam },
        metrics: { ...(await readMetrics(out.metrics)), learning_rate: learningRate },
      };
    },
  });
  return state.adapter;
}
