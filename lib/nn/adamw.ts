/**
 * AdamW (Loshchilov & Hutter 2019): Adam with weight decay decoupled from the gradient, as torch.optim.AdamW computes
 * it. The moments are trees like the parameters and stay on the device; what depends on the step number only is
 * computed on the host in double precision and passed as scalars.
 */
import { ArgumentError } from '../errors';
import { treeMap, treeZip } from '../graph/tree';
import type { Tensor } from '../graph/tensor';
import { filled } from './init';

export interface AdamWConfig {
  betas: readonly [number, number];
  epsilon: number;
  weightDecay: number;
}

/** PyTorch's defaults. */
export const adamWDefaults: AdamWConfig = { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0.01 };

export interface AdamWState<P> {
  m: P;
  v: P;
}
/** The scalars of one step; pass them to the compiled step as numbers. */
export type AdamWScalars<N = number> = {
  /** (1 - beta1^t) / (learning rate * sqrt(1 - beta2^t)) */
  scale: N;
  /** (1 - beta1^t) * epsilon / learning rate */
  epsilon: N;
  /** 1 - learning rate * weight decay */
  decay: N;
};

/** Moments of zero for parameters. */
export function adamWInit<P>(params: P): AdamWState<P> {
  const zero = (): P => treeMap(params, (t) => filled(t.shape, 0));
  return { m: zero(), v: zero() };
}

/** The scalars of step `t` (counted from 1) at a learning rate. */
export function adamWScalars(t: number, learningRate: number, config: AdamWConfig = adamWDefaults): AdamWScalars {
  if (!Number.isInteger(t) || t < 1)
    throw new ArgumentError(
      'adamWScalars',
      `expected a step number from 1, got ${t}`,
      'count the first update as step 1',
    );
  // A learning rate of 0 (the first step of a warm-up) becomes one that changes nothing.
  const stepSize = Math.max(learningRate, 1e-30) / (1 - config.betas[0] ** t);
  return {
    scale: 1 / (stepSize * Math.sqrt(1 - config.betas[1] ** t)),
    epsilon: config.epsilon / stepSize,
    decay: 1 - learningRate * config.weightDecay,
  };
}

/**
 * One update: m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g²; p = decay p - m / (sqrt(v) scale + epsilon), which is the
 * usual form with the step size divided out, one pass less. The gradients are multiplied by `factor` (from clipping) on
 * the way. `decays` tells which parameters are decayed; default: those with two axes or more.
 */
export function adamW<P>(
  params: P,
  grads: P,
  state: AdamWState<P>,
  scalars: AdamWScalars<Tensor>,
  options: { config?: AdamWConfig; factor?: Tensor; decays?: (p: Tensor, path: string) => boolean } = {},
): { params: P; state: AdamWState<P> } {
  const { config = adamWDefaults, factor, decays = (p) => p.rank >= 2 } = options;
  const [b1, b2] = config.betas;
  const share = factor ? factor.mul(1 - b1) : 1 - b1;
  const squareShare = factor ? factor.square().mul(1 - b2) : 1 - b2;
  const m = treeZip('adamW', state.m, [grads], (m, g) => m.mul(b1).add(g.mul(share)));
  const v = treeZip('adamW', state.v, [grads], (v, g) => v.mul(b2).add(g.square().mul(squareShare)));
  const decayed = config.weightDecay
    ? treeMap(params, (p, path) => (decays(p, path) ? p.mul(scalars.decay) : p))
    : params;
  const updated = treeZip('adamW', decayed, [m, v], (p, m, v) =>
    p.sub(m.div(v.sqrt().mul(scalars.scale).add(scalars.epsilon))),
  );
  return { params: updated, state: { m, v } };
}
