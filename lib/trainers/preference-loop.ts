/**
 * The recipe that the trainings on preference pairs share: only the batch and the loss differ. The policy is a fresh LoRA
 * adapter on the supervised model.
 *
 * Logged (TRL's names): loss, rewards/chosen, rewards/rejected, rewards/accuracies, rewards/margins, logps/chosen,
 * logps/rejected, grad_norm, learning_rate, and what the loss adds; on held-out pairs eval_loss and eval_rewards/....
 */
import type { Tensor } from '../graph/tensor';
import { valueAndGrad } from '../graph/grad';
import type { PairSums, PreferenceLoss, Responses } from '../losses/sequence';
import type { LlamaParams } from '../models/llama';
import { adamWInit } from '../nn/adamw';
import type { AdamWState } from '../nn/adamw';
import { loraInit, withLora } from '../nn/lora';
import type { LoraAdapter } from '../nn/lora';
import { Random } from '../nn/random';
import { jit } from '../runtime/jit';
import type { Feed } from '../runtime/jit';
import { groupedIndices } from './batches';
import type { TokenBatch } from './batches';
import { compiled } from './context';
import type { TrainContext, TrainMetrics } from './context';
import { trainLoop } from './loop';
import { readMetrics } from './metrics';
import { stepScalars, update } from './optimizer';
import type { StepScalars } from './optimizer';
import { pairBatch, pairLogProbs, pickSums, referenceSums } from './preference';
import type { PreferenceOptions, PreferencePair } from './preference';

/** What a method makes of pairs. `B` is a tree of tensors. */
export interface PairMethod<P extends PreferencePair, B> {
  name: string;
  /** Whatever is computed once, such as the reference's log-probabilities; then batches of the pairs at these places. */
  prepare: (pairs: readonly P[]) => Promise<(rows: readonly number[]) => B>;
  loss: (params: LlamaParams, batch: B) => PreferenceLoss;
}

export type PairOptions<P extends PreferencePair> = Omit<PreferenceOptions, 'pairs' | 'heldOut'> & {
  pairs: readonly P[];
  heldOut: readonly P[];
};

export async function trainPairs<P extends PreferencePair, B>(
  context: TrainContext,
  o: PairOptions<P>,
  method: PairMethod<P, B>,
): Promise<LoraAdapter> {
  const { lora, optimizer, device } = o;
  const { name } = method;
  const rng = new Random(o.seed, name);
  const adapter = loraInit(rng.stream('init'), o.base, lora);
  const lengths = o.pairs.map((p) => Math.max(p.chosen.ids.length, p.rejected.ids.length));
  const batchOf = await method.prepare(o.pairs);
  const heldBatchOf = await method.prepare(o.heldOut);

  const lossOf = (a: LoraAdapter, base: LlamaParams, b: B): { loss: Tensor; [metric: string]: Tensor } => {
    const { loss, metrics } = method.loss(withLora(base, a, lora), b);
    return { ...metrics, loss };
  };
  const step = jit(
    (a: LoraAdapter, s: AdamWState<LoraAdapter>, base: LlamaParams, b: B, scalars: StepScalars<Tensor>) => {
      const { value, grads } = valueAndGrad(lossOf)(a, base, b);
      const next = update(optimizer, a, grads, s, scalars);
      return { adapter: next.params, adam: next.state, metrics: { ...value, grad_norm: next.norm } };
    },
    { donate: [0, 1], device, ...compiled(context, `${name} step`) },
  );
  const evaluation = jit(lossOf, { device, ...compiled(context, `${name} evaluation`) });

  const state = await trainLoop(context, {
    name,
    totalSteps: optimizer.steps,
    checkpointEvery: optimizer.checkpointEvery,
    state: { adapter, adam: adamWInit(adapter) },
    show: ['loss', 'rewards/accuracies', 'rewards/margins'],
    evaluateEvery: Math.max(1, Math.floor(optimizer.steps / 3)),
    evaluate: async ({ adapter }) => {
      // The last batch is filled from the start again, so that every pair counts and no new shape is compiled.
      const size = optimizer.batchSize;
      const sums: TrainMetrics = {};
      const batches = Math.ceil(o.heldOut.length / size);
      for (let b = 0; b < batches; b++) {
        const rows = Array.from({ length: size }, (_, k) => (b * size + k) % o.heldOut.length);
        const values = await readMetrics(await evaluation(adapter, o.base, heldBatchOf(rows) as Feed<B>));
        for (const key of ['loss', 'rewards/accuracies', 'rewards/margins'])
          sums[`eval_${key}`] = (sums[`eval_${key}`] ?? 0) + values[key] / batches;
      }
      return sums;
    },
    step: async ({ adapter, adam }, i) => {
      const { learningRate, scalars } = stepScalars(optimizer, i);
      const rows = groupedIndices(rng.stream('order'), lengths, optimizer.batchSize, i);
      const out = await step(adapter, adam, o.base, batchOf(rows) as Feed<B>, scalars);
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

export type PairLoss = (pair: { chosen: Responses; rejected: Responses }, reference: PairSums) => PreferenceLoss;

type SumsBatch = { tokens: TokenBatch; reference: PairSums };

/** Losses of whole responses (DPO, SimPO). `usesReference`: without, the reference's sums are given as zeros. */
export function trainOnPairs(
  context: TrainContext,
  name: string,
  o: PreferenceOptions,
  lossOfPair: PairLoss,
  usesReference: boolean,
): Promise<LoraAdapter> {
  const none = (n: number) => ({ chosen: new Float32Array(n), rejected: new Float32Array(n) });
  return trainPairs<PreferencePair, SumsBatch>(context, o, {
    name,
    prepare: async (pairs) => {
      const sums = usesReference ? await referenceSums(o, pairs) : none(pairs.length);
      return (rows) => ({
        tokens: pairBatch(rows.map((r) => pairs[r]), o.model.maxLength, o.vectors), // prettier-ignore
        reference: pickSums(sums, rows),
      });
    },
    loss: (params, { tokens, reference }) => lossOfPair(pairLogProbs(params, o.model, tokens), reference),
  });
}
