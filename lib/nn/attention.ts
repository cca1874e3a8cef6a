/** Scaled dot-product attention (Vaswani et al. 2017), with grouped queries (Ainslie et al. 2023) and masks. */
import { ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import { tril, where } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';

/** What a masked score becomes: far below any score, yet finite, so that a row that is masked whole stays finite. */
const MASKED = -1e9;

export interface AttentionOptions {
  /** Query i sees keys up to i + (keys - queries). */
  causal?: boolean;
  /** bool, broadcastable to [B, heads, queries, keys]: true where a query may look. */
  mask?: Tensor;
  /** Default: 1 / sqrt(head width). */
  scale?: number;
}

/**
 * softmax(q k^T scale) v. q [B, H, Tq, D]; k, v [B, G, Tk, D] where G divides H: each key head then serves H / G query
 * heads. Returns [B, H, Tq, D].
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  const [batch, heads, queries, width] = q.shape;
  const [, groups, keys] = k.shape;
  if (heads % groups || k.shape[3] !== width)
    throw new ShapeError(
      'attention',
      `expected key heads that divide the query heads and have their width, got q ${showShape(q.shape)}, k ${showShape(k.shape)}`,
      'shapes are [batch, heads, time, width]',
    );
  const { causal = false, mask, scale = 1 / Math.sqrt(width) } = options;
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
  if (allowed) scores = scores.add(where(allowed, 0, MASKED).cast(q.dtype));
  const weights = scores.softmax(-1);
  const mixed = grouped
    ? weights.reshape([batch, groups, heads / groups, queries, keys]).matMul(share(v))
    : weights.matMul(v);
  return grouped ? mixed.reshape([batch, heads, queries, v.shape[3]]) : mixed;
}

/** [B, T, H * D] -> [B, H, T, D] */
export function splitHeads(x: Tensor, heads: number): Tensor {
  const [batch, time, width] = x.shape;
  return x.reshape([batch, time, heads, width / heads]).transpose([0, 2, 1, 3]);
}

/** [B, H, T, D] -> [B, T, H * D] */
export function mergeHeads(x: Tensor): Tensor {
  const [batch, heads, time, width] = x.shape;
  return x.transpose([0, 2, 1, 3]).reshape([batch, time, heads * width]);
}
