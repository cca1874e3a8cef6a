/**
 * AdamW (Loshchilov & Hutter 2019): Adam with weight decay decoupled from the gradient, as torch.optim.AdamW computes
 * it. The moments are trees like the parameters and stay on the device; what depends on the step number only is
 * computed on the host in double precision and passed as scalars.
 */
import { ArgumentError } from '../errors';
import { tensorsOf, treeMap } from '../graph/tree';
import { showShape } from '../graph/shape';
import type { Tensor } from '../graph/tensor';
import { filled } from './init';
import { mapJoined } from './joined';

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

export interface AdamWOptions {
  config?: AdamWConfig;
  /** Multiplies the gradients on the way (from clipping). */
  factor?: Tensor;
  /** Which parameters are decayed; default: those with two axes or more. */
  decays?: (p: Tensor, path: string) => boolean;
  /** Parameters that stay as they are, with their moments. Default: none. */
  skips?: (p: Tensor, path: string) => boolean;
}

/**
 * One update: m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g²; p = decay p - m / (sqrt(v) scale + epsilon), which is the
 * usual form with the step size divided out, one pass less.
 */
export function adamW<P>(
  params: P,
  grads: P,
  state: AdamWState<P>,
  scalars: AdamWScalars<Tensor>,
  { config = adamWDefaults, factor, decays = (p) => p.rank >= 2, skips = () => false }: AdamWOptions = {},
): { params: P; state: AdamWState<P> } {
  const [b1, b2] = config.betas;
  const share = factor ? factor.mul(1 - b1) : 1 - b1;
  const squareShare = factor ? factor.square().mul(1 - b2) : 1 - b2;
  const update = ([p, g, m, v]: Tensor[], decayed: boolean): Tensor[] => {
    const m2 = m.mul(b1).add(g.mul(share));
    const v2 = v.mul(b2).add(g.square().mul(squareShare));
    const kept = decayed ? p.mul(scalars.decay) : p;
    return [kept.sub(m2.div(v2.sqrt().mul(scalars.scale).add(scalars.epsilon))), m2, v2];
  };

  const [gradOf, firstOf, secondOf] = [grads, state.m, state.v].map((tree) => matching(params, tree));
  const leaves = tensorsOf(params).map(({ path, tensor: p }) => ({
    path,
    row: [p, gradOf(path, p), firstOf(path, p), secondOf(path, p)],
    skipped: skips(p, path),
    decayed: config.weightDecay !== 0 && decays(p, path),
  }));
  const moved = leaves.filter(({ skipped }) => !skipped);
  const updated = mapJoined(
    moved.map(({ row }) => row),
    (tensors, i) => update(tensors, moved[i].decayed),
    (i) => `${moved[i].decayed}`,
  );
  const next = new Map(leaves.map(({ path, row: [p, , m, v] }) => [path, [p, m, v]]));
  moved.forEach(({ path }, i) => next.set(path, updated[i]));
  const [p, m, v] = [0, 1, 2].map((i) => treeMap(params, (_, path) => next.get(path)![i]));
  return { params: p, state: { m, v } };
}

/** Looks a tensor of another tree of the same structure and shapes up by its path. Throws ArgumentError where they differ. */
function matching(params: unknown, tree: unknown): (path: string, p: Tensor) => Tensor {
  const help = 'pass gradients and moments of the same parameters';
  const [wanted, there] = [tensorsOf(params), new Map(tensorsOf(tree).map(({ path, tensor }) => [path, tensor]))];
  if (there.size !== wanted.length)
    throw new ArgumentError('adamW', `expected trees of ${wanted.length} tensors, got one of ${there.size}`, help);
  return (path, p) => {
    const found = there.get(path);
    if (!found)
      throw new ArgumentError('adamW', `expected trees of one structure, found no "${path}" in one of them`, help);
    if (showShape(found.shape) !== showShape(p.shape))
      throw new ArgumentError(
        'adamW',
        `expected "${path}" of shape ${showShape(p.shape)} in all trees, got ${showShape(found.shape)}`,
        help,
      );
    return found;
  };
}
