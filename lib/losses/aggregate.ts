/**
 * From one value a token to one figure a batch. With N rows, L_i valid tokens in row i and values l_it:
 *
 *   token-mean               sum_it l_it / sum_i L_i             DAPO; TRL "bnpo", and "dapo" with the tokens of all micro-batches
 *   seq-mean-token-mean      1/N sum_i (1/L_i) sum_t l_it        GRPO as published (DeepSeekMath, equation 3); TRL "grpo"
 *   seq-mean-token-sum       1/N sum_i sum_t l_it
 *   seq-mean-token-sum-norm  1/N sum_i sum_t l_it / length       Dr. GRPO; TRL "dr_grpo" (length: the longest that may be)
 *
 * Differences from verl (core_algos.agg_loss): no token gives 0 instead of NaN; L_i is at least 1 instead of L_i + 1e-8.
 * Rows without a valid token are left out of N, as there; TRL counts them, and so does `countEmpty`.
 */
import { ArgumentError, ShapeError } from '../errors';
import { sameShape, showShape } from '../graph/shape';
import type { Tensor, TensorLike } from '../graph/tensor';
import { maskedSum, responseLengths } from './sequence';

export const aggregations = [
  'token-mean',
  'seq-mean-token-mean',
  'seq-mean-token-sum',
  'seq-mean-token-sum-norm',
] as const;
export type Aggregation = (typeof aggregations)[number];

export interface AggregateOptions {
  /** Default token-mean. */
  mode?: Aggregation;
  /** Divisor of seq-mean-token-sum-norm. Default: the batch's T. */
  length?: number;
  /** Whether rows without a valid token count in N. Default false (verl). */
  countEmpty?: boolean;
  /** Divisor in place of the batch's own tokens or rows, where the batch is one part of a larger one. */
  of?: TensorLike;
}

/** Values [B, T] and a mask (bool, float32) to a scalar. What the values hold outside of the mask has no effect. */
export function aggregate(values: Tensor, mask: Tensor, options: AggregateOptions = {}): Tensor {
  const { mode = 'token-mean', countEmpty = false } = options;
  if (values.rank !== 2 || !sameShape(values.shape, mask.shape))
    throw new ShapeError(
      'aggregate',
      `expected values and a mask of one shape [B, T], got ${showShape(values.shape)} and ${showShape(mask.shape)}`,
      'one value and one mask entry a token',
    );
  if (!aggregations.includes(mode))
    throw new ArgumentError(
      'aggregate',
      `expected a mode among ${aggregations.join(', ')}, got "${String(mode)}"`,
      'change the option mode',
    );
  const lengths = responseLengths(mask);
  const sums = maskedSum(values, mask);
  if (mode === 'token-mean') return sums.sum().div(options.of ?? lengths.sum().maximum(1));
  const rows = options.of ?? (countEmpty ? values.shape[0] : lengths.greater(0).cast('float32').sum().maximum(1));
  const perRow = mode === 'seq-mean-token-mean' ? sums.div(lengths.maximum(1)) : sums;
  const mean = perRow.sum().div(rows);
  return mode === 'seq-mean-token-sum-norm' ? mean.div(options.length ?? values.shape[1]) : mean;
}
