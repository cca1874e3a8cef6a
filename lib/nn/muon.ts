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

/** The orthogonal matrix nearest to x [n, m], about: its singular values come to lie between .7 and 1.2. Throws ArgumentError. */
export function orthogonalize(x: Tensor): Tensor {
  if (x.rank !== 2)
    throw new ArgumentError(
      'orthogonalize',
      `expected a matrix, got a tensor of shape ${showShape(x.shape)}`,
      'give AdamW what is no matrix',
    );
  // Products of the shorter side are the smaller ones.
  const tall = x.shape[0] > x.shape[1];
  let y = tall ? x.transpose() : x;
  y = y.div(y.square().sum().sqrt().maximum(EPSILON));
  for (let i = 0; i < STEPS; i++) {
    const gram = y.matMul(y, { transB: true });
    y = y.mul(A).add(gram.mul(B).add(gram.matMul(gram).mul(C)).matMul(y));
  }
  return tall ? y.transpose() : y;
}

/**
 * One update of a matrix [n, m]: b = mu b + (1 - mu) g; u = (1 - mu) g + mu b (Nesterov); p = p (1 - rate decay) - rate 0.2
 * sqrt(max(n, m)) orthogonalize(u).
 */
export function muon(
  p: Tensor,
  grad: Tensor,
  momentum: Tensor,
  rate: Tensor,
  config: MuonConfig = muonDefaults,
): { p: Tensor; momentum: Tensor } {
  const { momentum: mu, weightDecay } = config;
  const next = momentum.mul(mu).add(grad.mul(1 - mu));
  const direction = orthogonalize(grad.mul(1 - mu).add(next.mul(mu)));
  const decayed = weightDecay ? p.mul(rate.mul(-weightDecay).add(1)) : p;
  return { p: decayed.sub(direction.mul(rate.mul(0.2 * Math.sqrt(Math.max(...p.shape))))), momentum: next };
}
