/** The optimiser's part of a configuration, and the compiled update that the trainers share. */
import { z } from 'zod';
import type { Tensor } from '../graph/tensor';
import { tensorsOf, treeMap } from '../graph/tree';
import { adamW, adamWScalars } from '../nn/adamw';
import type { AdamWConfig, AdamWScalars, AdamWState } from '../nn/adamw';
import { clipFactor } from '../nn/clip';
import { muon, muonDefaults } from '../nn/muon';
import { learningRateAt } from '../nn/schedule';

export const optimizerSchema = z.strictObject({
  /** muon: the matrices of layers by Muon (nn/muon.ts), all else by AdamW. */
  method: z.enum(['adamw', 'muon']).default('adamw'),
  learningRate: z.number().positive(),
  schedule: z.enum(['cosine', 'linear', 'constant']).default('cosine'),
  /** Share of the steps in which the learning rate rises. */
  warmupRatio: z.number().min(0).max(1).default(0.03),
  weightDecay: z.number().min(0).default(0),
  betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([0.9, 0.999]),
  maxGradNorm: z.number().positive().default(1),
  batchSize: z.number().int().positive(),
  steps: z.number().int().positive(),
  checkpointEvery: z.number().int().positive().default(50),
});
export type OptimizerConfig = z.infer<typeof optimizerSchema>;

/** AdamW's constants. */
export const adamOf = (c: OptimizerConfig): AdamWConfig => ({
  betas: c.betas,
  epsilon: 1e-8,
  weightDecay: c.weightDecay,
});

/** What of an update depends on the step: AdamW's scalars, and the learning rate. */
export type StepScalars<N = number> = AdamWScalars<N> & { rate: N };

/** Learning rate and scalars of step `i`, counted from 0. */
export function stepScalars(c: OptimizerConfig, i: number): { learningRate: number; scalars: StepScalars } {
  // The first step of a warm-up would have rate 0 and be wasted, so rates are taken at the step's end.
  const learningRate = learningRateAt(i + 1, {
    kind: c.schedule,
    learningRate: c.learningRate,
    totalSteps: c.steps + 1,
    warmupSteps: Math.round(c.warmupRatio * c.steps),
  });
  return { learningRate, scalars: { ...adamWScalars(i + 1, learningRate, adamOf(c)), rate: learningRate } };
}

/** Matrices of layers; embeddings and output layers are not in any. */
const isMuons = (t: Tensor, path: string): boolean => t.rank === 2 && /(^|\.)(\w+_)?(layers|blocks)\./.test(path);

/** AdamW's update, or Muon's where it is the method and they are its matrices; their second moments stay zero. */
export function applyUpdate<P>(
  c: OptimizerConfig,
  params: P,
  grads: P,
  state: AdamWState<P>,
  scalars: StepScalars<Tensor>,
  factor?: Tensor,
): { params: P; state: AdamWState<P> } {
  const skips = (p: Tensor, path: string): boolean => c.method === 'muon' && isMuons(p, path);
  const next = adamW(params, grads, state, scalars, { config: adamOf(c), factor, skips });
  if (c.method === 'adamw') return next;
  const [byPath, first] = [grads, state.m].map((tree) => new Map(tensorsOf(tree).map((t) => [t.path, t.tensor])));
  const config = { ...muonDefaults, weightDecay: c.weightDecay };
  const paths = tensorsOf(params).filter(({ tensor: t, path }) => isMuons(t, path));
  const updated = muon(
    paths.map(({ tensor: p, path }) => {
      const grad = byPath.get(path)!;
      return { p, grad: factor ? grad.mul(factor) : grad, momentum: first.get(path)! };
    }),
    scalars.rate,
    config,
  );
  const moved = new Map(paths.map(({ path }, i) => [path, updated[i]]));
  return {
    params: treeMap(next.params, (t, path) => moved.get(path)?.p ?? t),
    state: { m: treeMap(next.state.m, (t, path) => moved.get(path)?.momentum ?? t), v: next.state.v },
  };
}

/** Clipping and the update inside a compiled step. */
export function update<P>(
  c: OptimizerConfig,
  params: P,
  grads: P,
  state: AdamWState<P>,
  scalars: StepScalars<Tensor>,
): { params: P; state: AdamWState<P>; norm: Tensor } {
  const { factor, norm } = clipFactor(grads, c.maxGradNorm);
  return { ...applyUpdate(c, params, grads, state, scalars, factor), norm };
}
