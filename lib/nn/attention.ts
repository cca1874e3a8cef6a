/** Scaled dot-product attention (Vaswani et al. 2017), with grouped queries (Ainslie et al. 2023) and masks. */
import { ArgumentError, ShapeError } from '../errors';
import type { DType } from '../graph/dtype';
import { broadcastShapes, sameShape, showShape } from '../graph/shape';
import { tril, where } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';

/**
 * What is added to a masked score: far below any score, yet finite, so that a row that is masked whole stays finite.
 */
const masked = (dtype: DType): number => (dtype === 'float16' ? -3e4 : -1e9);

export interface AttentionOptions {
  /** Query i sees keys up to i + (keys - queries). */
  causal?: boolean;
  /**
   * bool, broadcastable to [B, heads, queries, keys]: true where a query may look. One that may look nowhere gets 0.
   */
  mask?: Tensor;
  /** Default: 1 / sqrt(head width). */
  scale?: number;
}

/**
 * softmax(q k^T scale) v. q [B, H, Tq, D]; k, v [B, G, Tk, D] where G divides H: each key head then serves H / G query
 * heads. Returns [B, H, Tq, width of v]. Throws ShapeError and ArgumentError.
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  const [batch, heads, queries, width] = q.shape;
  const [, groups, keys] = k.shape;
  const fits =
    [q, k, v].every((t) => t.rank === 4 && t.shape[0] === batch) &&
    heads % groups === 0 &&
    k.shape[3] === width &&
    sameShape(k.shape.slice(0, 3), v.shape.slice(0, 3));
  if (!fits)
    throw new ShapeError(
      'attention',
      `expected key heads that divide the query heads and have their width, got q ${showShape(q.shape)}, k ${showShape(k.shape)}, v ${showShape(v.shape)}`,
      'shapes are [batch, heads, time, width]',
    );
  const { causal = false, mask, scale = 1 / Math.sqrt(width) } = options;
  if (mask) checkMask(mask, [batch, heads, queries, keys]);
  const grouped = heads !== groups;
  const share = (t: Tensor): Tensor => (grouped ? t.unsqueeze(2) : t);
  const query = (grouped ? q.reshape([batch, groups, heads / groups, queries, width]) : q).mul(scale);
  let scores = query.matMul(share(k), { transB: true });
  if (grouped) scores = scores.reshape([batch, heads, queries, keys]);
  let allowed = mask;
  if (causal) {
    const triangle = tril(queries, keys, keys - queries);
    allowed = mask ? mask.and(triangle) : triangle;
  }
  // Added, not chosen: a masked weight is 0 after the softmax, so its score needs no gradient of its own.
  if (allowed) scores = scores.add(where(allowed, 0, masked(q.dtype)).cast(q.dtype));
  const weights = scores.softmax(-1);
  const mixed = grouped
    ? weights.reshape([batch, groups, heads / groups, queries, keys]).matMul(share(v))
    : weights.matMul(v);
  const out = grouped ? mixed.reshape([batch, heads, queries, v.shape[3]]) : mixed;
  // The softmax of a row that is masked whole is not 0: its result is made so, and with it the gradients.
  return mask && allowed ? out.mul(allowed.cast(q.dtype).max(-1, true)) : out;
}

function checkMask(mask: Tensor, scores: readonly number[]): void {
  if (mask.dtype !== 'bool')
    throw new ArgumentError(
      'attention',
      `expected a bool mask, got ${mask.dtype}`,
      'true is where a query may look; see paddingMask',
    );
  if (!sameShape(broadcastShapes('attention mask', mask.shape, scores), scores))
    throw new ShapeError(
      'attention',
      `expected a mask that broadcasts to ${showShape(scores)}, got ${showShape(mask.shape)}`,
      'shapes are [batch, heads, queries, keys]',
    );
}

/** [B, T, H * D] -> [B, H, T, D]; [B, H * D] counts as T = 1. */
export function splitHeads(x: Tensor, heads: number): Tensor {
  const width = x.shape.at(-1)!;
  if (x.rank < 2 || x.rank > 3 || width % heads)
    throw new ShapeError(
      'splitHeads',
      `expected [B, T, ${heads} * D], got ${showShape(x.shape)}`,
      'the number of heads divides the width',
    );
  const [batch, time] = x.rank === 3 ? x.shape : [x.shape[0], 1];
  const d = width / heads;
  return time === 1 ? x.reshape([batch, heads, 1, d]) : x.reshape([batch, time, heads, d]).transpose([0, 2, 1, 3]);
}

/** [B, H, T, D] -> [B, T, H * D] */
export function mergeHeads(x: Tensor): Tensor {
  const [batch, heads, time, width] = x.shape;
  return (time === 1 ? x : x.transpose([0, 2, 1, 3])).reshape([batch, time, heads * width]);
}
