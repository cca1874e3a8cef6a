/**
 * Training of the image tokenizer (losses/vqgan.ts). What it is not: adversarial training.
 *
 * Logged: loss, reconstruction, codebook, commitment, codes_used (of the batch), perplexity (of the codes in the batch: how many
 * equally frequent ones would be as varied), grad_norm (before clipping), learning_rate, and what `evaluate` returns.
 */
import { ones, tensor, zeros } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { valueAndGrad } from '../graph/grad';
import { vqganLoss } from '../losses/vqgan';
import type { VqganLossOptions } from '../losses/vqgan';
import { vqganDecode, vqganEncode, vqganInit, vqganQuantise } from '../models/vqgan';
import type { VqganConfig, VqganParams } from '../models/vqgan';
import { adamWInit } from '../nn/adamw';
import type { AdamWState } from '../nn/adamw';
import { Random } from '../nn/random';
import { jit } from '../runtime/jit';
import { compiled } from './context';
import type { TrainContext, TrainMetrics } from './context';
import { trainLoop } from './loop';
import { readMetrics } from './metrics';
import { stepScalars, update } from './optimizer';
import type { OptimizerConfig, StepScalars } from './optimizer';

export interface VqganOptions {
  model: VqganConfig;
  optimizer: OptimizerConfig;
  loss?: VqganLossOptions;
  /** Parameters to begin with instead of drawn ones: host values, which training takes over. */
  start?: VqganParams;
  /** The pictures of step `i`, [batchSize, inChannels, resolution, resolution] flat, about -1 to 1. */
  batch: (i: number) => Float32Array;
  evaluate?: (params: VqganParams, step: number) => Promise<TrainMetrics>;
  evaluateEvery?: number;
  seed: number;
  device?: string;
}

/** Codes in use, and the perplexity of their frequencies: int32 codes of any shape -> scalars. */
export function codeUsage(codes: Tensor, count: number): { codes_used: Tensor; perplexity: Tensor } {
  const flat = codes.flatten();
  const counts = zeros([count]).scatterAdd(flat, ones(flat.shape));
  const share = counts.div(flat.size);
  return {
    codes_used: counts.greater(0).cast('float32').sum(),
    perplexity: share.mul(share.maximum(1e-10).log()).sum().neg().exp(),
  };
}

export async function trainVqgan(context: TrainContext, o: VqganOptions): Promise<VqganParams> {
  const { model, optimizer, device } = o;
  const params = o.start ?? vqganInit(new Random(o.seed, 'vqgan').stream('init'), model);
  const shape = [optimizer.batchSize, model.inChannels, model.resolution, model.resolution];
  const lossOf = (p: VqganParams, target: Tensor): { loss: Tensor; [metric: string]: Tensor } => {
    const { vectors, codes, ...terms } = vqganQuantise(p, vqganEncode(p, model, target));
    const { loss, metrics } = vqganLoss({ target, output: vqganDecode(p, model, vectors), ...terms }, o.loss);
    return { ...metrics, ...codeUsage(codes, model.numEmbeddings), loss };
  };
  const step = jit(
    (p: VqganParams, s: AdamWState<VqganParams>, target: Tensor, scalars: StepScalars<Tensor>) => {
      const { value, grads } = valueAndGrad(lossOf)(p, target);
      const next = update(optimizer, p, grads, s, scalars);
      return { params: next.params, adam: next.state, metrics: { ...value, grad_norm: next.norm } };
    },
    { donate: [0, 1], device, ...compiled(context, 'vqgan step') },
  );
  const { evaluate } = o;
  const state = await trainLoop(context, {
    name: 'vqgan',
    totalSteps: optimizer.steps,
    checkpointEvery: optimizer.checkpointEvery,
    state: { params, adam: adamWInit(params) },
    ...(evaluate ? { evaluate: (s: { params: VqganParams }, n: number) => evaluate(s.params, n) } : {}),
    evaluateEvery: o.evaluateEvery,
    show: ['loss', 'codes_used'],
    step: async ({ params, adam }, i) => {
      const { learningRate, scalars } = stepScalars(optimizer, i);
      const out = await step(params, adam, tensor(o.batch(i), { shape }), scalars);
      return {
        state: { params: out.params, adam: out.adam },
        metrics: { ...(await readMetrics(out.metrics)), learning_rate: learningRate },
      };
    },
  });
  step.release();
  return state.params;
}
