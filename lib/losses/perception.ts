/**
 * The perception alignment loss of Omni-R1 (paper, section 4.1, eq. 2): the last hidden state at each image token of the response,
 * mapped by W, is to equal the token's vector in the frozen codebook,
 *
 *   L_Pe = 1 / |Omega| sum over t in Omega of |W h_t - E[c_t]|²,      L = L_CE + lambda L_Pe,  lambda = 1
 *
 * Differences, by option: 1. `scale: 'dimension'` divides by the codes' width D besides, as the released code does (a mean over
 * dimensions, then D times smaller; the default here too); 2. whether W is trained is the trainer's to say: the released trainer
 * leaves it out of its optimiser by accident. h_t is the state at the token's own position (it has read c_t), after the final norm.
 */
import { ArgumentError, ShapeError } from '../errors';
import { sameShape, showShape } from '../graph/shape';
import type { Tensor } from '../graph/tensor';
import { linear } from '../nn/linear';
import type { LinearParams } from '../nn/linear';

export interface PerceptionInputs {
  /** float32 [B, T, H] */
  hidden: Tensor;
  /** int32 [B, T]: the tokens at those positions. */
  ids: Tensor;
  /** float32 or bool [B, T]: Omega, the image tokens of responses. */
  mask: Tensor;
  /** float32 [K, D] in the order of image tokens; no gradient goes to it. */
  codebook: Tensor;
  /** The id of the first image token. */
  imageStart: number;
}

export interface PerceptionOptions {
  scale?: 'dimension' | 'none';
}

/** A batch without image tokens gives 0. Throws ShapeError. */
export function perceptionLoss(
  projection: LinearParams,
  { hidden, ids, mask, codebook, imageStart }: PerceptionInputs,
  { scale = 'dimension' }: PerceptionOptions = {},
): { loss: Tensor; count: Tensor } {
  if (hidden.rank !== 3 || !sameShape(hidden.shape.slice(0, 2), ids.shape) || !sameShape(ids.shape, mask.shape))
    throw new ShapeError(
      'perceptionLoss',
      `expected hidden states [B, T, H], ids and a mask [B, T], got ${showShape(hidden.shape)}, ${showShape(ids.shape)}, ${showShape(mask.shape)}`,
      'state t belongs to token t',
    );
  if (!['dimension', 'none'].includes(scale))
    throw new ArgumentError('perceptionLoss', `expected scale dimension or none, got ${String(scale)}`, 'choose one');
  const [codes, dim] = codebook.shape;
  const index = ids.sub(imageStart).clip(0, codes - 1);
  const error = linear(projection, hidden).sub(codebook.gather(index, 0)).square().sum(-1);
  const weights = mask.cast('float32');
  const count = weights.sum();
  const loss = error.mul(weights).sum().div(count.maximum(1));
  return { loss: scale === 'dimension' ? loss.div(dim) : loss, count };
}

/**
 * Omega of one sequence: 1 at the image tokens of each whole image whose BOI the model is to learn. An image that runs past the end is
 * left out. Throws ArgumentError for an image of another length or with foreign tokens, as the released code does.
 */
export function perceptionMask(
  ids: ArrayLike<number>,
  learned: ArrayLike<number>,
  layout: { boi: number; imageStart: number; imageCount: number; rows: number; columns: number },
): Float32Array {
  const mask = new Float32Array(ids.length);
  const length = layout.rows * layout.columns;
  for (let t = 0; t < ids.length; t++) {
    if (ids[t] !== layout.boi || !learned[t] || t + length >= ids.length) continue;
    for (let k = 1; k <= length; k++) {
      const at = ids[t + k] - layout.imageStart;
      if (!(at >= 0 && at < layout.imageCount))
        throw new ArgumentError(
          'perceptionMask',
          `expected ${length} image tokens after BOI at ${t}, got ${ids[t + k]} at ${t + k}`,
          'tokenise the picture again',
        );
      mask[t + k] = 1;
    }
  }
  return mask;
}
