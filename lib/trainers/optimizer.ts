/** The optimiser's part of a configuration, and the compiled update that the trainers share. */
import { z } from 'zod';
import type { Tensor } from '../graph/tensor';
import { adamW, adamWScalars } from '../nn/adamw';
import type { AdamWConfig, AdamWScalars, AdamWState } from '../nn/adamw';
import { clipFactor } from '../nn/clip';
import { learningRateAt } from '../nn/schedule';

export const optimizerSchema = z.strictObject({
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

/** Learning rate and AdamW's scalars of step `i`, counted from 0. */
export function stepScalars(c: OptimizerConfig, i: number): { learningRate: number; scalars: AdamWScalars } {
  // The first step of a warm-up would have rate 0 and be wasted, so rates are taken at the step's end.
  const learningRate = learningRateAt(i + 1, {
    kind: c.schedule,
    learningRate: c.learningRate,
    totalSteps: c.steps + 1,
    warmupSteps: Math.round(c.warmupRatio * c.steps),
  });
  return { learningRate, scalars: adamWScalars(i + 1, learningRate, adamOf(c)) };
}

/** Clipping and AdamW inside a compiled step. */
export function update<P>(
  c: OptimizerConfig,
  params: P,
  grads: P,
  state: AdamWState<P>,
  scalars: AdamWScalars<Tensor>,
): { params: P; state: AdamWState<P>; norm: Tensor } {
  const { factor, norm } = clipFactor(grads, c.maxGradNorm);
  return { ...adamW(params, grads, state, scalars, { config: adamOf(c), factor }), norm };
}
