/**
 * Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"), as torch.optim.Muon computes it with
 * `adjust_lr_fn="match_rms_adamw"`: a matrix moves by its momentum's nearest orthogonal matrix, about, so that rare directions of
 * the gradient count as much as frequent ones. Scaled to AdamW's usual root mean square, so that rates for one serve the other (Liu et
 * al. 2025, "Muon is scalable for LLM training"). For matrices inside of a network; vectors, embeddings and output layers are AdamW's.
 *
 * Difference: the iteration is in float32, PyTorch's in bfloat16.
 */
import { ArgumentError } from '../errors';
import { showShape } from '../graph/shape';
import { stack } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';

export interface MuonConfig {
  momentum: number;
  weightDecay: number;
}

/** PyTorch's defaults. */
export const muonDefaults: MuonConfig = { momentum: 0.95, weightDecay: 0.1 };

/** Coefficients of the quintic iteration: steepest at zero, so that few steps are enough. */
const [A, B, C] = [3.4445, -4.775, 2.0315];
const STEPS = 5;
const EPSILON = 1e-7;

/** For each of some matrices [..., n, m] the orthogonal one nearest to it, about: singular values come near 1, not to it. Throws ArgumentError. */
export function orthogonalize(x: Tensor): Tensor {
  if (x.rank < 2)
    throw new ArgumentError(
      'orthogonalize',
      `expected matrices, got a tensor of shape ${showShape(x.shape)}`,
      'give AdamW what is no matrix',
    );
  // Products of the shorter side are the smaller ones.
  const tall = x.shape.at(-2)! > x.shape.at(-1)!;
  let y = tall ? turned(x) : x;
  y = y.div(y.square().sum([-2, -1], true).sqrt().maximum(EPSILON));
  for (let i = 0; i < STEPS; i++) {
    const gram = y.matMul(y, { transB: true });
    y = y.mul(A).add(gram.mul(B).add(gram.matMul(gram).mul(C)).matMul(y));
  }
  return tall ? turned(y) : y;
}

/** [..., n, m] to [..., m, n]. */
function turned(x: Tensor): Tensor {
  const axes = x.shape.map((_, i) => i);
  return x.transpose([...axes.slice(0, -2), x.rank - 1, x.rank - 2]);
}

/** A matrix [n, m] with its gradient and its momentum. */
export interface MuonMatrix {
  p: Tensor;
  grad: Tensor;
  momentum: Tensor;
}

/**
 * One update of matrices: b = mu b + (1 - mu) g; u = (1 - mu) g + mu b (Nesterov); p = p (1 - rate decay) - rate 0.2 sqrt(max(n, m))
 * orthogonalize(u). Those of one shape are orthogonalized together: fewer, larger products, and far fewer of them to compile.
 */
export function muon(
  matrices: readonly MuonMatrix[],
  rate: Tensor,
  config: MuonConfig = muonDefaults,
): Pick<MuonMatrix, 'p' | 'momentum'>[] {
  const { momentum: mu, weightDecay } = config;
  const momenta = matrices.map(({ grad, momentum }) => momentum.mul(mu).add(grad.mul(1 - mu)));
  const directions = new Array<Tensor>(matrices.length);
  const shapes = new Map<string, number[]>();
  matrices.forEach(({ p }, i) => shapes.set(p.shape.join(), [...(shapes.get(p.shape.join()) ?? []), i]));
  for (const same of shapes.values()) {
    const all = orthogonalize(stack(same.map((i) => matrices[i].grad.mul(1 - mu).add(momenta[i].mul(mu)))));
    const parts = all.split(
      same.map(() => 1),
      0,
    );
    same.forEach((i, k) => (directions[i] = parts[k].reshape(matrices[i].p.shape)));
  }
  const decay = rate.mul(-weightDecay).add(1);
  return matrices.map(({ p }, i) => {
    const step = directions[i].mul(rate.mul(0.2 * Math.sqrt(Math.max(...p.shape))));
    return { p: (weightDecay ? p.mul(decay) : p).sub(step), momentum: momenta[i] };
  });
}
