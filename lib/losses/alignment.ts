/**
 * The alignment of an output projector with its decoder's text encoder (NExT-GPT, "decoding-side alignment"):
 *
 *   L = mean over blocks and query positions of || projected - embedded ||_2
 *
 * Differences from NExT-GPT's code: 1. the code's "mse" is this unsquared norm; `squared` gives the mean of squares per
 * feature that the name promises. 2. Rows without a block are left out by `present`; there each batch has one modality.
 */
import { ShapeError } from '../errors';
import { sameShape, showShape } from '../graph/shape';
import type { Tensor } from '../graph/tensor';

export interface AlignmentOptions {
  /** The mean of squared differences, instead of the norm. */
  squared?: boolean;
}

/**
 * `projected` and `embedded` [R, queries, width], `present` float32 [R]: 1 where the row has a block. Returns a scalar; 0
 * without blocks. Throws ShapeError.
 */
export function alignmentLoss(
  projected: Tensor,
  embedded: Tensor,
  present: Tensor,
  { squared = false }: AlignmentOptions = {},
): Tensor {
  if (!sameShape(projected.shape, embedded.shape))
    throw new ShapeError(
      'alignmentLoss',
      `expected the text encoder's shape ${showShape(embedded.shape)}, got ${showShape(projected.shape)}`,
      'give the projector as many queries as the text encoder has positions, and its width',
    );
  const squares = projected.sub(embedded).square();
  // The epsilon keeps the root's gradient finite where both agree.
  const distance = squared ? squares.mean([1, 2]) : squares.sum(-1).add(1e-12).sqrt().mean(-1);
  return distance.mul(present).sum().div(present.sum().maximum(1));
}
