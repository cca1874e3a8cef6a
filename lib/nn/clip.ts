/** Gradient clipping by global norm (Pascanu et al. 2013), as torch.nn.utils.clip_grad_norm_ computes it. */
import { ArgumentError } from '../errors';
import { tensorsOf, treeMap } from '../graph/tree';
import { range } from '../graph/shape';
import { concat } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { groupSmall, joined } from './joined';

/** The joint 2-norm of all gradients. */
export function globalNorm(grads: unknown): Tensor {
  const tensors = tensorsOf(grads).map(({ tensor }) => tensor);
  if (!tensors.length)
    throw new ArgumentError(
      'globalNorm',
      'expected gradients, got a tree without tensors',
      'pass what grad or valueAndGrad returned',
    );
  // Sums that keep their axes can be joined as they are, by their number of axes.
  const byRank = new Map<number, Tensor[]>();
  for (const group of groupSmall(tensors)) {
    const t = joined(group.map((i) => tensors[i]));
    const sum = t.square().sum(range(t.rank), true);
    byRank.set(t.rank, [...(byRank.get(t.rank) ?? []), t.rank ? sum : sum.reshape([1])]);
  }
  return [...byRank.values()]
    .map((sums) => (sums.length === 1 ? sums[0] : concat(sums)).sum())
    .reduce((a, b) => a.add(b))
    .sqrt();
}

/** What to multiply the gradients by so that their joint norm is at most `maxNorm`, and that norm. */
export function clipFactor(grads: unknown, maxNorm: number): { factor: Tensor; norm: Tensor } {
  if (!(maxNorm > 0))
    throw new ArgumentError('clipFactor', `expected a positive norm, got ${maxNorm}`, 'choose for example 1');
  const norm = globalNorm(grads);
  return { factor: norm.add(1e-6).reciprocal().mul(maxNorm).minimum(1), norm };
}

/** The clipped gradients, and their norm before. */
export function clipByGlobalNorm<P>(grads: P, maxNorm: number): { grads: P; norm: Tensor } {
  const { factor, norm } = clipFactor(grads, maxNorm);
  return { grads: treeMap(grads, (g) => g.mul(factor)), norm };
}
