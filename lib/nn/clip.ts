/** Gradient clipping by global norm (Pascanu et al. 2013), as torch.nn.utils.clip_grad_norm_ computes it. */
import { tensorsOf, treeMap } from '../graph/tree';
import type { Tensor } from '../graph/tensor';

/** The joint 2-norm of all gradients. */
export function globalNorm(grads: unknown): Tensor {
  const squares = tensorsOf(grads).map(({ tensor }) => tensor.square().sum());
  return squares.reduce((a, b) => a.add(b)).sqrt();
}

/** What to multiply the gradients by so that their joint norm is at most `maxNorm`, and that norm. */
export function clipFactor(grads: unknown, maxNorm: number): { factor: Tensor; norm: Tensor } {
  const norm = globalNorm(grads);
  return { factor: norm.add(1e-6).reciprocal().mul(maxNorm).minimum(1), norm };
}

/** The clipped gradients, and their norm before. */
export function clipByGlobalNorm<P>(grads: P, maxNorm: number): { grads: P; norm: Tensor } {
  const { factor, norm } = clipFactor(grads, maxNorm);
  return { grads: treeMap(grads, (g) => g.mul(factor)), norm };
}
