/**
 * LLaMA with a cache of keys and values: `prefill` reads the prompts, `decode` adds one token to every row.
 *
 * The cache has two parts, so that a step writes little: a long one, which steps only read, and a window of the last
 * `WINDOW` tokens, which every step writes anew. `fold` moves a full window into the long part. So a step costs one
 * reading of the cache, on every device, without writing in place.
 *
 * Rows of one batch have prompts of different lengths, padded on the right. Row b's long part holds its positions 0 to
 * base[b] - 1, and the window, newest last, those from base[b] on; what lies beyond is never looked at, so padding
 * needs no mask of its own.
 */
import { arange, concat, where, zeros } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { llamaBlock, llamaLogits } from '../models/llama';
import type { LayerCache, LlamaConfig, LlamaParams } from '../models/llama';
import { attention } from '../nn/attention';
import { embedding } from '../nn/linear';
import { rmsNorm } from '../nn/norm';
import { ropeAngles } from '../nn/rope';

/** Slots of the window. */
export const WINDOW = 16;
/** As in nn/attention. */
const MASKED = -1e9;

/** One entry a layer: the long part, [B, kvHeads, length, D], and the window, [B, kvHeads, WINDOW, D], newest last. */
export type KvCache = { long: LayerCache[]; window: LayerCache[] };

/** What a step gives: log-probabilities of the next token [B, vocabSize] and the last hidden states [B, width]. */
export type Prediction = { logProbs: Tensor; hidden: Tensor };

/**
 * Vectors in the place of tokens' embeddings: rows [R, width], and for each of the batch's B * T places, in order, the
 * row that stands there, or -1 for the token's own (int32 [B * T]).
 */
export type MediaRows = { rows: Tensor; places: Tensor };

/** Embeddings [B, T, width] of ids [B, T], replaced where media stand. */
function embed(p: LlamaParams, ids: Tensor, media: MediaRows | null): Tensor {
  const x = embedding(p.model.embed_tokens, ids);
  if (!media) return x;
  const [batch, time, width] = x.shape;
  const count = batch * time;
  const from = where(media.places.less(0), arange(count), media.places.add(count));
  return concat([x.reshape([count, width]), media.rows], 0)
    .gather(from)
    .reshape(x.shape);
}

/**
 * Embeddings [B, T, width], or [B, width] for T = 1, to the hidden states after all blocks; `attend` gets the index of the layer and its q, k, v.
 */
function blocks(
  p: LlamaParams,
  c: LlamaConfig,
  embeddings: Tensor,
  positions: Tensor,
  attend: (layer: number, q: Tensor, k: Tensor, v: Tensor) => Tensor,
): Tensor {
  const angles = ropeAngles(positions, c.width / c.heads, c.ropeBase);
  let x = embeddings;
  p.model.layers.forEach((layer, i) => {
    x = llamaBlock(layer, c, x, angles, (q, k, v) => attend(i, q, k, v));
  });
  return rmsNorm(p.model.norm, x, c.normEpsilon);
}

/** The most probable token of each row (the first of equals), int32 [B], and its log-probability [B]. */
export const mostProbable = (logProbs: Tensor): { tokens: Tensor; logProbs: Tensor } => ({
  tokens: logProbs.argMax(-1),
  logProbs: logProbs.max(-1),
});

const predict = (p: LlamaParams, hidden: Tensor): Prediction => ({
  logProbs: llamaLogits(p, hidden).logSoftmax(-1),
  hidden,
});

/**
 * Reads prompts: ids int32 [B, T] padded on the right, lengths int32 [B], at least 1 each, and what stands in the place
 * of some of them. Returns the prediction after each row's last token, and a cache with room for `length` positions.
 */
export function prefill(
  p: LlamaParams,
  c: LlamaConfig,
  ids: Tensor,
  lengths: Tensor,
  length: number,
  media: MediaRows | null = null,
): Prediction & { cache: KvCache } {
  const [batch, time] = ids.shape;
  const long: LayerCache[] = [];
  const real = arange(time).unsqueeze(0).less(lengths.unsqueeze(1)).cast('float32').reshape([batch, 1, time, 1]);
  // Zeros where there is no token, for `fold` to add to.
  const grow = (t: Tensor): Tensor => t.mul(real).pad([0, 0, 0, 0], [0, 0, length - time, 0]);
  const all = blocks(p, c, embed(p, ids, media), arange(time), (layer, q, k, v) => {
    long[layer] = { k: grow(k), v: grow(v) };
    return attention(q, k, v, { causal: true });
  });
  const last = arange(batch).mul(time).add(lengths).sub(1);
  const empty = zeros([batch, c.kvHeads, WINDOW, c.width / c.heads]);
  const window = long.map(() => ({ k: empty, v: empty }));
  return { ...predict(p, all.reshape([batch * time, c.width]).gather(last)), cache: { long, window } };
}

/**
 * Adds one token a row: ids int32 [B] at position base + slot, where base int32 [B] is the number of positions in the
 * long part and `slot` (an int32 scalar) the number of tokens in the window, the same for all rows. Returns the
 * prediction and the window with the token in it.
 */
export function decode(
  p: LlamaParams,
  c: LlamaConfig,
  ids: Tensor,
  base: Tensor,
  slot: Tensor,
  cache: KvCache,
): Prediction & { window: LayerCache[] } {
  const [batch] = ids.shape;
  const groups = c.kvHeads;
  const width = c.width / c.heads;
  const length = cache.long[0].v.shape[2];
  const recent = arange(WINDOW)
    .add(slot)
    .greaterOrEqual(WINDOW - 1);
  const seen = concat(
    [arange(length).unsqueeze(0).less(base.unsqueeze(1)), recent.unsqueeze(0).expand([batch, WINDOW])],
    1,
  );
  const bias = where(seen, 0, MASKED).reshape([batch, 1, 1, length + WINDOW]);
  const push = (old: Tensor, t: Tensor): Tensor => concat([old.slice(null, null, [1, null]), t], 2);
  const window: LayerCache[] = [];
  const x = embedding(p.model.embed_tokens, ids);
  const hidden = blocks(p, c, x, base.add(slot).unsqueeze(1), (layer, q, k, v) => {
    const { long } = cache;
    const young = { k: push(cache.window[layer].k, k), v: push(cache.window[layer].v, v) };
    window[layer] = young;
    // With one query a head, the query heads that share a key head are the rows of one product.
    const query = q.reshape([batch, groups, c.heads / groups, width]);
    const products = concat(
      [query.matMul(long[layer].k, { transB: true }), query.matMul(young.k, { transB: true })],
      -1,
    );
    // Scaled here: the runtime would fuse a scale with a product, and its product with a scale is three times slower.
    const weights = products
      .mul(1 / Math.sqrt(width))
      .add(bias)
      .softmax(-1);
    const [far, near] = weights.split([length, WINDOW], 3);
    return far.matMul(long[layer].v).add(near.matMul(young.v)).reshape([batch, c.heads, 1, width]);
  });
  return { ...predict(p, hidden), window };
}

/** Moves a full window into the long part, to positions base to base + WINDOW - 1, which must exist and hold zeros. */
export function fold(base: Tensor, cache: KvCache): LayerCache[] {
  const [batch, groups, length, width] = cache.long[0].k.shape;
  const first = arange(batch * groups)
    .mul(length)
    .reshape([batch, groups, 1])
    .add(base.reshape([batch, 1, 1]));
  const rows = first.add(arange(WINDOW)).flatten();
  const merge = (old: Tensor, young: Tensor): Tensor =>
    old
      .reshape([-1, width])
      .scatterAdd(rows, young.reshape([-1, width]), 0, { unique: true })
      .reshape(old.shape);
  return cache.long.map((l, i) => ({ k: merge(l.k, cache.window[i].k), v: merge(l.v, cache.window[i].v) }));
}

/** The rows of a cache that are still needed: int32 indices [B']. */
export function takeRows(cache: KvCache, rows: Tensor): KvCache {
  const take = (layers: LayerCache[]): LayerCache[] =>
    layers.map(({ k, v }) => ({ k: k.gather(rows), v: v.gather(rows) }));
  return { long: take(cache.long), window: take(cache.window) };
}
