/** Dropout (Srivastava et al. 2014), its noise given from outside, so that every device drops alike. */
import { ArgumentError } from '../errors';
import { where } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';

/**
 * Each entry of x becomes 0 with probability `rate`; the others are divided by 1 - rate. `uniforms`: values in [0, 1),
 * broadcastable to x (an axis of size 1 is dropped or kept as a whole). With rate 0 this is x.
 */
export function dropout(x: Tensor, uniforms: Tensor, rate: number): Tensor {
  if (!(rate >= 0 && rate < 1))
    throw new ArgumentError('dropout', `expected a rate from 0 to below 1, got ${rate}`, 'choose for example 0.1');
  if (rate === 0) return x;
  return where(uniforms.less(rate), 0, x.mul(1 / (1 - rate)));
}
