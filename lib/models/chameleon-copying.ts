/**
 * Initial weights of Chameleon in which some heads look back by a fixed number of tokens: from an image to the one before it, so that a
 * short training only has to learn what changes between the two; to the row above, which edges and shapes go on from; to the token before.
 * Large models learn that; a small one trained for minutes would spend them on it. In the manner of llama-copying.ts (Trockman &
 * Kolter 2023, "Mimetic initialization").
 *
 * The biases of the query-key normalisation make it simple: q = b, k = R(offset) b on the fast rotary pairs, where R turns by the
 * positions' angles, gives a score that depends on the distance alone and has its peak at the offset; the content's part begins small.
 * Values and outputs are left as drawn, and all of it is trained.
 */
import { ArgumentError } from '../errors';
import { tensor } from '../graph/tensor';
import type { NormParams } from '../nn/norm';
import type { LlamaConfig, LlamaParams } from './llama';

/** Squared length of each pair: neighbours of the peak then lie about 6 below it. */
const STRENGTH = 50;
const PAIRS = 6;
/** Of the normalised content in these heads. */
const CONTENT = 0.1;

/** Which head looks how many tokens back. */
export interface LookBack {
  layer: number;
  head: number;
  offset: number;
}

/** Parameters of chameleonInit with such heads. Throws ArgumentError for heads that the model has not. */
export function withLookBack(params: LlamaParams, c: LlamaConfig, heads: readonly LookBack[]): LlamaParams {
  const width = c.width / c.heads;
  const half = width / 2;
  const pairs = Math.min(PAIRS, half);
  const wrong = heads.find(
    (h) => !params.model.layers[h.layer]?.self_attn.q_norm || h.head >= c.kvHeads || h.offset < 0,
  );
  if (wrong || c.heads !== c.kvHeads)
    throw new ArgumentError(
      'withLookBack',
      `expected heads of layers with query-key normalisation and as many key heads, got ${JSON.stringify(wrong ?? c.kvHeads)}`,
      'layers and heads count from 0',
    );
  const layers = params.model.layers.map((layer, l) => {
    const own = heads.filter((h) => h.layer === l);
    if (!own.length) return layer;
    const make = (norm: NormParams, angleOf: (offset: number, pair: number) => number): NormParams => {
      const weight = (norm.weight.storage!.hostValues as Float32Array).slice();
      const bias = (norm.bias.storage!.hostValues as Float32Array).slice();
      for (const { head, offset } of own)
        for (let d = 0; d < width; d++) {
          const pair = d % half;
          const angle = angleOf(offset, pair);
          weight[head * width + d] = CONTENT;
          bias[head * width + d] =
            pair < pairs ? Math.sqrt(STRENGTH) * (d < half ? Math.cos(angle) : Math.sin(angle)) : 0;
        }
      return { weight: tensor(weight, { shape: norm.weight.shape }), bias: tensor(bias, { shape: norm.bias.shape }) };
    };
    const { q_norm, k_norm, ...rest } = layer.self_attn;
    return {
      ...layer,
      self_attn: {
        ...rest,
        q_norm: make(q_norm!, () => 0),
        k_norm: make(k_norm!, (offset, pair) => offset * c.ropeBase ** ((-2 * pair) / width)),
      },
    };
  });
  return { ...params, model: { ...params.model, layers } };
}

/**
 * Heads that look back from an image of `columns` tokens a row to the one before, `distance` tokens back; to the row above; to the token
 * before, from which a thing learns what ground it stands on. Later heads look from where x and y of a BBOX are predicted to the name of
 * what is framed, 2 and 4 tokens back in the laptop's vocabulary. Heads that the model has not are left out. The state at an image token
 * predicts the next one: its counterparts lie one nearer.
 */
export const imageLookBacks = (c: LlamaConfig, columns: number, distance: number): LookBack[] =>
  [
    { layer: 0, head: 0, offset: distance - 1 },
    { layer: 0, head: 1, offset: distance },
    { layer: 1, head: 0, offset: distance - 1 },
    { layer: 0, head: 2, offset: columns - 1 },
    { layer: 0, head: 3, offset: 1 },
    { layer: 2, head: 0, offset: 2 },
    { layer: 2, head: 1, offset: 4 },
  ].filter((h) => h.layer < c.layers && h.head < c.kvHeads);
