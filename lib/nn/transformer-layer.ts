/**
 * Transformer layers as torch.nn has them (TransformerEncoderLayer, TransformerDecoderLayer), normalised before each part
 * (`norm_first`), with PyTorch's parameter names. Queries, keys and values are one projection, `in_proj`.
 */
import type { Tensor } from '../graph/tensor';
import { attention, mergeHeads, splitHeads } from './attention';
import { filled, normal } from './init';
import type { Noise } from './init';
import { linear, linearInit } from './linear';
import type { LinearParams } from './linear';
import { layerNorm, layerNormInit } from './norm';
import type { NormParams } from './norm';

/** in_proj_weight [3 width, width], in_proj_bias [3 width]; torch.nn.MultiheadAttention. */
export type MultiheadAttentionParams = { in_proj_weight: Tensor; in_proj_bias: Tensor; out_proj: LinearParams };

export type EncoderLayerParams = {
  self_attn: MultiheadAttentionParams;
  linear1: LinearParams;
  linear2: LinearParams;
  norm1: NormParams;
  norm2: NormParams;
};
export type DecoderLayerParams = EncoderLayerParams & { multihead_attn: MultiheadAttentionParams; norm3: NormParams };

export interface TransformerLayerConfig {
  width: number;
  heads: number;
  /** Width of the feed-forward part. */
  hidden: number;
  /** Default relu, PyTorch's own. */
  activation?: 'relu' | 'gelu';
}

function multiheadInit(rng: Noise, width: number): MultiheadAttentionParams {
  return {
    in_proj_weight: normal(rng, [3 * width, width], 1 / Math.sqrt(width)),
    in_proj_bias: filled([3 * width], 0),
    out_proj: linearInit(rng, width, width),
  };
}

export function encoderLayerInit(rng: Noise, { width, hidden }: TransformerLayerConfig): EncoderLayerParams {
  return {
    self_attn: multiheadInit(rng, width),
    linear1: linearInit(rng, width, hidden),
    linear2: linearInit(rng, hidden, width),
    norm1: layerNormInit(width),
    norm2: layerNormInit(width),
  };
}

export function decoderLayerInit(rng: Noise, c: TransformerLayerConfig): DecoderLayerParams {
  return { ...encoderLayerInit(rng, c), multihead_attn: multiheadInit(rng, c.width), norm3: layerNormInit(c.width) };
}

/** x [B, T, width] looks at `context` [B, S, width]; `mask` as in nn/attention. */
export function multiheadAttention(
  p: MultiheadAttentionParams,
  x: Tensor,
  context: Tensor,
  heads: number,
  mask?: Tensor,
): Tensor {
  const width = x.shape[2];
  const part = (input: Tensor, from: number, to: number): Tensor =>
    linear({ weight: p.in_proj_weight.slice([from, to]), bias: p.in_proj_bias.slice([from, to]) }, input);
  const [q, k, v] =
    x === context
      ? linear({ weight: p.in_proj_weight, bias: p.in_proj_bias }, x).split([width, width, width], 2)
      : [part(x, 0, width), ...part(context, width, 3 * width).split([width, width], 2)];
  const mixed = attention(splitHeads(q, heads), splitHeads(k, heads), splitHeads(v, heads), { mask });
  return linear(p.out_proj, mergeHeads(mixed));
}

const feedForward = (p: EncoderLayerParams, c: TransformerLayerConfig, x: Tensor): Tensor => {
  const h = linear(p.linear1, x);
  return linear(p.linear2, c.activation === 'gelu' ? h.gelu() : h.relu());
};

/** x [B, T, width] -> [B, T, width]. */
export function encoderLayer(p: EncoderLayerParams, c: TransformerLayerConfig, x: Tensor, mask?: Tensor): Tensor {
  const h = layerNorm(p.norm1, x);
  const y = x.add(multiheadAttention(p.self_attn, h, h, c.heads, mask));
  return y.add(feedForward(p, c, layerNorm(p.norm2, y)));
}

/** x [B, T, width] and the encoder's states [B, S, width] -> [B, T, width]; no causal mask. */
export function decoderLayer(p: DecoderLayerParams, c: TransformerLayerConfig, x: Tensor, memory: Tensor): Tensor {
  const h = layerNorm(p.norm1, x);
  const y = x.add(multiheadAttention(p.self_attn, h, h, c.heads));
  const z = y.add(multiheadAttention(p.multihead_attn, layerNorm(p.norm2, y), memory, c.heads));
  return z.add(feedForward(p, c, layerNorm(p.norm3, z)));
}
