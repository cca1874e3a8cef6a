/** Batches of sequences of different lengths: which keys may be looked at, and where each token stands. */
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import { arange, tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';

export type PaddingSide = 'right' | 'left';

/**
 * bool [B, T]: true at the first (padding on the right) or last (on the left) `lengths[b]` of T places. `lengths` is an
 * int32 tensor [B], or numbers, which are checked: integers from 0 to T.
 */
export function lengthMask(lengths: Tensor | readonly number[], time: number, side: PaddingSide = 'right'): Tensor {
  if (Array.isArray(lengths)) {
    const wrong = (lengths as readonly number[]).find((n) => !Number.isInteger(n) || n < 0 || n > time);
    if (wrong !== undefined)
      throw new ArgumentError(
        'lengthMask',
        `expected lengths from 0 to ${time}, got ${wrong}`,
        'cut the sequences, or pad the batch to the longest',
      );
  }
  const counts = Array.isArray(lengths) ? tensor(Int32Array.from(lengths as number[])) : (lengths as Tensor);
  if (counts.rank !== 1)
    throw new ShapeError(
      'lengthMask',
      `expected lengths [B], got ${showShape(counts.shape)}`,
      'give one length a sequence',
    );
  const places = arange(time, counts.dtype).unsqueeze(0);
  const column = counts.unsqueeze(1);
  return side === 'right' ? places.less(column) : places.greaterOrEqual(column.neg().add(time));
}

/**
 * For attention: bool [B, 1, 1, T], true where the key is no padding. From a key mask (bool or 0/1 [B, T]), or from
 * lengths ([B], or numbers) and the padded length.
 */
export function paddingMask(mask: Tensor): Tensor;
export function paddingMask(lengths: Tensor | readonly number[], time: number, side?: PaddingSide): Tensor;
export function paddingMask(keys: Tensor | readonly number[], time?: number, side?: PaddingSide): Tensor {
  const mask = time === undefined ? (keys as Tensor) : lengthMask(keys, time, side);
  if (Array.isArray(mask) || mask.rank !== 2)
    throw new ShapeError(
      'paddingMask',
      `expected a mask [B, T], got ${Array.isArray(mask) ? 'numbers' : showShape(mask.shape)}`,
      'pass lengths together with the padded length',
    );
  return mask.cast('bool').unsqueeze(1).unsqueeze(1);
}

/** Positions of the tokens of a mask [B, T], counted from 0 without padding; padding before the first gets 0. */
export function maskedPositions(mask: Tensor): Tensor {
  if (mask.rank !== 2)
    throw new ShapeError(
      'maskedPositions',
      `expected a mask [B, T], got ${showShape(mask.shape)}`,
      'one row a sequence',
    );
  return mask.cast('bool').cast('int32').cumSum(1).sub(1).maximum(0);
}
