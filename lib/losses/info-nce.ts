/**
 * The contrastive loss of two modalities (van den Oord et al. 2018; in the symmetric form of CLIP, Radford et al. 2021,
 * figure 3, and of ImageBind, Girdhar et al. 2023, equation 1). With unit vectors q_i of one modality and k_i of the other,
 * and a logit scale s = 1 / temperature:
 *
 *   L(q, k) = mean over i of -log( exp(s q_i . k_i) / sum over j of exp(s q_i . k_j) )
 *   loss    = ( L(q, k) + L(k, q) ) / 2
 *
 * ImageBind pairs every modality with vision (its anchor), with a learned scale for texts and a fixed one for sounds.
 *
 * Differences:
 * 1. Halved, as in CLIP's code; ImageBind's paper writes the sum.
 * 2. `ignore` takes pairs out of the sums, where j does not contradict i (two scenes that look alike): the papers have none.
 * 3. One process: no embeddings are gathered from others.
 */
import { ShapeError } from '../errors';
import { sameShape, showShape } from '../graph/shape';
import { arange, where } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { tokenLogProbs } from './cross-entropy';

export interface InfoNceOptions {
  /** s above; a number or a scalar tensor (a learned one). */
  scale: Tensor | number;
  /** bool [N, N]: true where candidate j (column) of example i (row) does not count. The diagonal always counts. */
  ignore?: Tensor;
}
export interface InfoNce {
  loss: Tensor;
  /** The share of examples whose own partner is the most similar one, of both directions. */
  accuracy: Tensor;
}

/** q and k: unit vectors [N, D], row i of one belonging to row i of the other. Throws ShapeError. */
export function infoNce(q: Tensor, k: Tensor, { scale, ignore }: InfoNceOptions): InfoNce {
  const count = q.shape[0];
  if (q.rank !== 2 || !sameShape(q.shape, k.shape) || (ignore && !sameShape(ignore.shape, [count, count])))
    throw new ShapeError(
      'infoNce',
      `expected two lists of vectors [N, D]${ignore ? ' and pairs to ignore [N, N]' : ''}, got ${[q, k, ...(ignore ? [ignore] : [])].map((t) => showShape(t.shape)).join(', ')}`,
      'row i of one belongs to row i of the other',
    );
  const labels = arange(count);
  let logits = q.matMul(k, { transB: true }).mul(scale);
  if (ignore) {
    const own = labels.unsqueeze(0).equal(labels.unsqueeze(1));
    logits = where(ignore.and(own.not()), -1e9, logits);
  }
  const back = logits.transpose();
  const loss = tokenLogProbs(logits, labels).mean().add(tokenLogProbs(back, labels).mean()).mul(-0.5);
  const hits = (x: Tensor): Tensor => x.argMax(-1).equal(labels).cast('float32').mean();
  return { loss, accuracy: hits(logits).add(hits(back)).mul(0.5) };
}
