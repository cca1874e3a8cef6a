/** The entropy of next-token distributions: H = -sum_v p_v log p_v, nats. */
import { customGradient } from '../graph/grad';
import type { Tensor } from '../graph/tensor';

/** Logits [..., V] to entropies [...]. The gradient, -p_v (log p_v + H), is written in one pass over the logits. */
export function tokenEntropies(logits: Tensor): Tensor {
  const logProbs = logits.logSoftmax(-1);
  const p = logProbs.exp();
  const entropy = (): Tensor => p.mul(logProbs).sum(-1).neg();
  return customGradient(entropy, (dy, out) => {
    const h = out.unsqueeze(-1);
    return [p.mul(logProbs.add(h)).mul(dy.unsqueeze(-1)).neg()];
  })(logits);
}
