/**
 * Stage 3: supervised fine-tuning on instruction data, the loss on response tokens only. A LoRA adapter is trained, and
 * whole the modules that are named (embeddings and head: the signal tokens are new to the backbone).
 *
 * Logged (TRL's names): loss, grad_norm, learning_rate, mean_token_accuracy.
 */
import type { Tensor } from '../graph/tensor';
import { valueAndGrad } from '../graph/grad';
import { crossEntropy } from '../losses/cross-entropy';
import { llama } from '../models/llama';
import type { LlamaConfig, LlamaParams } from '../models/llama';
import { adamWInit } from '../nn/adamw';
import type { AdamWState } from '../nn/adamw';
import { loraInit, withLora } from '../nn/lora';
import type { LoraAdapter, LoraConfig } from '../nn/lora';
import { pickModules, replaceModules } from '../nn/modules';
import type { SavedModules } from '../nn/modules';
import { Random } from '../nn/random';
import { jit } from '../runtime/jit';
import { groupedIndices, padBatch } from './batches';
import type { TokenBatch, TokenExample } from './batches';
import { compiled } from './context';
import type { TrainContext } from './context';
import { trainLoop } from './loop';
import { copyTree } from '../io/params';
import { readMetrics } from './metrics';
import { stepScalars, update } from './optimizer';
import type { OptimizerConfig, StepScalars } from './optimizer';

export interface SftOptions {
  model: LlamaConfig;
  /** The frozen model. */
  base: LlamaParams;
  lora: LoraConfig;
  /** Last names of modules that are trained whole. */
  modulesToSave?: readonly string[];
  optimizer: OptimizerConfig;
  examples: readonly TokenExample[];
  seed: number;
  device?: string;
}

/** What training changes. */
export type Tuned = { adapter: LoraAdapter; modules: SavedModules };

/** The model as it is while it is trained: modules replaced, adapter attached. Use it inside a traced function. */
export const tunedModel = (base: LlamaParams, tuned: Tuned, lora: LoraConfig): LlamaParams =>
  withLora(replaceModules(base, tuned.modules), tuned.adapter, lora);

export async function sft(context: TrainContext, o: SftOptions): Promise<Tuned> {
  const { model, lora, optimizer, device } = o;
  const rng = new Random(o.seed, 'sft');
  const tuned: Tuned = {
    adapter: loraInit(rng.stream('init'), o.base, lora),
    // A copy: the step takes its state over, and the base is not its.
    modules: await copyTree(pickModules(o.base, o.modulesToSave ?? [])),
  };
  const lengths = o.examples.map((e) => e.ids.length);

  const lossOf = (a: Tuned, base: LlamaParams, b: TokenBatch): { loss: Tensor; mean_token_accuracy: Tensor } => {
    const logits = llama(tunedModel(base, a, lora), model, { ids: b.ids });
    const { loss, count } = crossEntropy(logits, b.labels, b.mask);
    const right = logits.argMax(-1).equal(b.labels).cast('float32').mul(b.mask).sum();
    return { loss, mean_token_accuracy: right.div(count.maximum(1)) };
  };
  const step = jit(
    (a: Tuned, s: AdamWState<Tuned>, base: LlamaParams, batch: TokenBatch, scalars: StepScalars<Tensor>) => {
      const { value, grads } = valueAndGrad(lossOf)(a, base, batch);
      const next = update(optimizer, a, grads, s, scalars);
      return { tuned: next.params, adam: next.state, metrics: { ...value, grad_norm: next.norm } };
    },
    { donate: [0, 1], device, ...compiled(context, 'sft step') },
  );

  const state = await trainLoop(context, {
    name: 'sft',
    totalSteps: optimizer.steps,
    checkpointEvery: optimizer.checkpointEvery,
    state: { tuned, adam: adamWInit(tuned) },
    step: async ({ tuned, adam }, i) => {
      const { learningRate, scalars } = stepScalars(optimizer, i);
      const rows = groupedIndices(rng.stream('order'), lengths, optimizer.batchSize, i);
      const batch = padBatch(
        rows.map((r) => o.examples[r]),
        model.maxLength,
      );
      const out = await step(tuned, adam, o.base, batch, scalars);
      return {
        state: { tuned: out.tuned, adam: out.adam },
        metrics: { ...(await readMetrics(out.metrics)), learning_rate: learningRate },
      };
    },
  });
  step.release();
  return state.tuned;
}
