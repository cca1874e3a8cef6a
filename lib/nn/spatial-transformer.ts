/**
 * Transformer blocks on the positions of a feature map (Rombach et al. 2022, section 3.3 and appendix E.2.1):
 * self-attention, attention to a context (a caption's tokens), and a gated feed-forward block. Parameters carry
 * diffusers' names (`Transformer2DModel`, `BasicTransformerBlock`).
 */
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import type { Tensor } from '../graph/tensor';
import { attention, mergeHeads, splitHeads } from './attention';
import { conv2dInit } from './conv';
import type { ConvLayerParams } from './conv';
import { linear, linearInit } from './linear';
import type { LinearParams } from './linear';
import type { Noise } from './init';
import { groupNorm, groupNormInit, layerNorm, layerNormInit } from './norm';
import type { NormParams } from './norm';

export type CrossAttentionParams = {
  to_q: LinearParams;
  to_k: LinearParams;
  to_v: LinearParams;
  to_out: [LinearParams];
};
/** `net.1` is the reference's dropout, without parameters. */
export type GegluParams = { net: [{ proj: LinearParams }, Record<string, never>, LinearParams] };
export type TransformerBlockParams = {
  norm1: NormParams;
  attn1: CrossAttentionParams;
  norm2: NormParams;
  attn2: CrossAttentionParams;
  norm3: NormParams;
  ff: GegluParams;
};
export type SpatialTransformerParams = {
  norm: NormParams;
  /** [C, C, 1, 1] as a convolution, or [C, C]: the same products. */
  proj_in: ConvLayerParams;
  transformer_blocks: TransformerBlockParams[];
  proj_out: ConvLayerParams;
};

/** Projections without biases but at the output; `context` is the width that keys and values come from. */
export function crossAttentionInit(
  rng: Noise,
  width: number,
  context = width,
  options: { bias?: boolean } = {},
): CrossAttentionParams {
  const { bias = false } = options;
  return {
    to_q: linearInit(rng, width, width, { bias }),
    to_k: linearInit(rng, context, width, { bias }),
    to_v: linearInit(rng, context, width, { bias }),
    to_out: [linearInit(rng, width, width)],
  };
}

/** x [B, T, width] looks at itself or at `context` [B, Tc, contextWidth]; the mask is that of `attention`. */
export function crossAttention(
  p: CrossAttentionParams,
  x: Tensor,
  options: { heads: number; context?: Tensor; mask?: Tensor },
): Tensor {
  const { heads, context = x, mask } = options;
  const q = splitHeads(linear(p.to_q, x), heads);
  const k = splitHeads(linear(p.to_k, context), heads);
  const v = splitHeads(linear(p.to_v, context), heads);
  return linear(p.to_out[0], mergeHeads(attention(q, k, v, { mask })));
}

/** Hidden width 4 * width, gated (Shazeer 2020). */
export const gegluInit = (rng: Noise, width: number): GegluParams => ({
  net: [{ proj: linearInit(rng, width, 8 * width) }, {}, linearInit(rng, 4 * width, width)],
});

/** W2 (a * gelu(b)) where [a, b] = W1 x. */
export function geglu(p: GegluParams, x: Tensor): Tensor {
  const h = linear(p.net[0].proj, x);
  const half = h.shape[h.rank - 1] / 2;
  const [value, gate] = h.split([half, half], -1);
  return linear(p.net[2], value.mul(gate.gelu()));
}

export function transformerBlockInit(rng: Noise, width: number, context = width): TransformerBlockParams {
  return {
    norm1: layerNormInit(width),
    attn1: crossAttentionInit(rng, width),
    norm2: layerNormInit(width),
    attn2: crossAttentionInit(rng, width, context),
    norm3: layerNormInit(width),
    ff: gegluInit(rng, width),
  };
}

/**
 * x [B, T, width]; `attn2` looks at the context, or, where there is none, at x once more. `positions` [T, width] are added to
 * what both attentions see, after the normalisation (diffusers' `positional_embeddings`).
 */
export function transformerBlock(
  p: TransformerBlockParams,
  x: Tensor,
  options: { heads: number; context?: Tensor; mask?: Tensor; positions?: Tensor },
): Tensor {
  const { heads, context, mask, positions } = options;
  const placed = (h: Tensor): Tensor => (positions ? h.add(positions) : h);
  let y = x.add(crossAttention(p.attn1, placed(layerNorm(p.norm1, x)), { heads }));
  y = y.add(crossAttention(p.attn2, placed(layerNorm(p.norm2, y)), { heads, context, mask }));
  return y.add(geglu(p.ff, layerNorm(p.norm3, y)));
}

/** `linearProjection`: proj_in and proj_out as linear layers (Stable Diffusion 2), not as 1x1 convolutions. */
export function spatialTransformerInit(
  rng: Noise,
  channels: number,
  options: { context?: number; layers?: number; linearProjection?: boolean } = {},
): SpatialTransformerParams {
  const { context = channels, layers = 1, linearProjection = false } = options;
  const project = (): ConvLayerParams =>
    linearProjection ? linearInit(rng, channels, channels) : conv2dInit(rng, channels, channels, 1);
  return {
    norm: groupNormInit(channels),
    proj_in: project(),
    transformer_blocks: Array.from({ length: layers }, () => transformerBlockInit(rng, channels, context)),
    proj_out: project(),
  };
}

/** x [B, C, H, W], context [B, L, contextWidth] -> x + what the blocks add [B, C, H, W]. */
export function spatialTransformer(
  p: SpatialTransformerParams,
  x: Tensor,
  options: { heads: number; groups: number; context?: Tensor; mask?: Tensor },
): Tensor {
  const { groups, ...rest } = options;
  if (x.rank !== 4)
    throw new ShapeError('spatialTransformer', `expected [B, C, H, W], got ${showShape(x.shape)}`, 'add missing axes');
  const [batch, channels, height, width] = x.shape;
  if (channels % rest.heads)
    throw new ArgumentError(
      'spatialTransformer',
      `expected heads that divide ${channels} channels, got ${rest.heads}`,
      'choose a divisor',
    );
  const tokens = groupNorm(p.norm, x, groups, 1e-6)
    .reshape([batch, channels, height * width])
    .transpose([0, 2, 1]);
  let h = linear(asLinear(p.proj_in), tokens);
  for (const block of p.transformer_blocks) h = transformerBlock(block, h, rest);
  const out = linear(asLinear(p.proj_out), h);
  return out.transpose([0, 2, 1]).reshape(x.shape).add(x);
}

/** A convolution with kernel 1 as the linear layer that it is. */
const asLinear = ({ weight, bias }: ConvLayerParams): LinearParams => ({
  weight: weight.reshape(weight.shape.slice(0, 2)),
  bias,
});
