/**
 * The recipe that DPO and SimPO share: only the loss differs, so one compiled step takes it as a function. The policy is a
 * fresh LoRA adapter on the supervised model.
 *
 * Logged (TRL's names): loss, rewards/chosen, rewards/rejected, rewards/accuracies, rewards/margins, logps/chosen,
 * logps/rejected, grad_norm, learning_rate; on held-out pairs eval_rewards/accuracies, eval_rewards/margins, eval_loss.
 */
import type { Tensor } from '../graph/tensor';
import { valueAndGrad } from '../graph/grad';
import type { PairSums, PreferenceLoss, Responses } from '../losses/sequence';
import type { LlamaParams } from '../models/llama';
import { adamWInit } from '../nn/adamw';
import type { AdamWScalars, AdamWState } from '../nn/adamw';
import { loraInit, withLora } from '../nn/lora';
import type { LoraAdapter } from '../nn/lora';
import { Random } from '../nn/random';
import { jit } from '../runtime/jit';
import { groupedIndices } from './batches';
import type { TokenBatch } from './batches';
import { compiled } from './context';
import type { TrainContext, TrainMetrics } from './context';
import { trainLoop } from './loop';
import { readMetrics } from './metrics';
import { stepScalars, update } from './optimizer';
import { pairBatch, pairLogProbs, pickSums, referenceSums } from './preference';
import type { PreferenceOptions, PreferencePair } from './preference';

export type PairLoss = (pair: { chosen: Responses; rejected: Responses }, reference: PairSums) => PreferenceLoss;

export async function trainOnPairs(
  context: TrainContext,
  name: string,
  o: PreferenceOptions,
  lossOfPair: PairLoss,
  /** Whether the loss looks at the reference; without, its sums are given as zeros. */
  usesReference: boolean,
): Promise<LoraAdapter> {
  const { model, lora, optimizer, device } = o;
  const rng = new Random(o.seed, name);
  const adapter = loraInit(rng.stream('init'), o.base, lora);
  const lengths = o.pairs.map((p) => Math.max(p.chosen.ids.length, p.rejected.ids.length));
  const rowsOfStep = (i: number): number[] => groupedIndices(rng.stream('order'), lengths, optimizer.batchSize, i);
  // Of all pairs only those that a step will take, in the order of the steps.
  const taken = Array.from({ length: optimizer.steps }, (_, i) => rowsOfStep(i)).flat();
  const none = (count: number): { chosen: Float32Array; rejected: Float32Array } => ({
    chosen: new Float32Array(count),
    rejected: new Float32Array(count),
  });
  const sumsOf = (list: readonly PreferencePair[], rows: readonly number[]): ReturnType<typeof referenceSums> =>
    usesReference ? referenceSums(o, list, rows) : Promise.resolve(none(list.length));
  const reference = await sumsOf(o.pairs, [...new Set(taken)]);
  const heldReference = await sumsOf(
    o.heldOut,
    o.heldOut.map((_, i) => i),
  );

  const lossOf = (
    a: LoraAdapter,
    base: LlamaParams,
    b: TokenBatch,
    ref: PairSums,
  ): { loss: Tensor; [metric: string]: Tensor } => {
    const { loss, metrics } = lossOfPair(pairLogProbs(withLora(base, a, lora), model, b), ref);
    return { ...metrics, loss };
  };
  const step = jit(
    (
      a: LoraAdapter,
      s: AdamWState<LoraAdapter>,
      base: LlamaParams,
      b: TokenBatch,
      ref: PairSums,
      scalars: AdamWScalars<Tensor>,
    ) => {
      const { value, grads } = valueAndGrad(lossOf)(a, base, b, ref);
      const next = update(optimizer, a, grads, s, scalars);
      return { adapter: next.params, adam: next.state, metrics: { ...value, grad_norm: next.norm } };
    },
    { donate: [0, 1], device, ...compiled(context, `${name} step`) },
  );
  const evaluation = jit(lossOf, { device, ...compiled(context, `${name} evaluation`) });
  const rowsOf = (list: readonly PreferencePair[], rows: readonly number[]): TokenBatch =>
    pairBatch(
      rows.map((r) => list[r]),
      model.maxLength,
      o.vectors,
    );

  const state = await trainLoop(context, {
    name,
    totalSteps: optimizer.steps,
    checkpointEvery: optimizer.checkpointEvery,
    state: { adapter, adam: adamWInit(adapter) },
    show: ['loss', 'rewards/accuracies', 'rewards/margins'],
    evaluateEvery: Math.max(1, Math.floor(optimizer.steps / 5)),
    evaluate: async ({ adapter }) => {
      // The last batch is filled from the start again, so that every pair counts and no new shape is compiled.
      const size = optimizer.batchSize;
      const sums: TrainMetrics = {};
      const batches = Math.ceil(o.heldOut.length / size);
      for (let b = 0; b < batches; b++) {
        const rows = Array.from({ length: size }, (_, k) => (b * size + k) % o.heldOut.length);
        const values = await readMetrics(
          await evaluation(adapter, o.base, rowsOf(o.heldOut, rows), pickSums(heldReference, rows)),
        );
        for (const key of ['loss', 'rewards/accuracies', 'rewards/margins'])
          sums[`eval_${key}`] = (sums[`eval_${key}`] ?? 0) + values[key] / batches;
      }
      return sums;
    },
    step: async ({ adapter, adam }, i) => {
      const { learningRate, scalars } = stepScalars(optimizer, i);
      const rows = rowsOfStep(i);
      const out = await step(adapter, adam, o.base, rowsOf(o.pairs, rows), pickSums(reference, rows), scalars);
      return {
        state: { adapter: out.adapter, adam: out.adam },
        metrics: { ...(await readMetrics(out.metrics)), learning_rate: learningRate },
      };
    },
  });
  step.release();
  evaluation.release();
  return state.adapter;
}
