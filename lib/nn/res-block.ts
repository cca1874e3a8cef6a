/**
 * The blocks of diffusion UNets and VAEs (Ho et al. 2020, appendix B; Rombach et al. 2022): a residual block of
 * GroupNorm, SiLU and convolution with an embedding of the time step, and the steps between resolutions. Parameters
 * carry the names of the published checkpoints (`norm1`, `conv1`, `time_emb_proj`, `norm2`, `conv2`, `conv_shortcut`).
 */
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import type { Tensor } from '../graph/tensor';
import { conv, conv1dInit, conv2dInit, conv3dInit } from './conv';
import type { ConvLayerParams } from './conv';
import { fanInUniform, uniform } from './init';
import type { Noise } from './init';
import { linear } from './linear';
import type { LinearParams } from './linear';
import { groupNorm, groupNormInit } from './norm';
import type { NormParams } from './norm';
import { upsampleNearest } from './pool';

export type ResBlockParams = {
  norm1: NormParams;
  conv1: ConvLayerParams;
  time_emb_proj?: LinearParams;
  norm2: NormParams;
  conv2: ConvLayerParams;
  /** Where the number of channels changes: a convolution with kernel 1. */
  conv_shortcut?: ConvLayerParams;
};
/** 1: sound, 2: images, 3: video. */
export type SpatialAxes = 1 | 2 | 3;
const inits = { 1: conv1dInit, 2: conv2dInit, 3: conv3dInit };

/** `embedding` is the width of the time embedding, if the block takes one. */
export function resBlockInit(
  rng: Noise,
  inputs: number,
  outputs: number,
  options: { embedding?: number; axes?: SpatialAxes } = {},
): ResBlockParams {
  const { embedding, axes = 2 } = options;
  const init = inits[axes];
  const params: ResBlockParams = {
    norm1: groupNormInit(inputs),
    conv1: init(rng, inputs, outputs, 3),
    norm2: groupNormInit(outputs),
    conv2: init(rng, outputs, outputs, 3),
  };
  if (embedding !== undefined)
    params.time_emb_proj = {
      weight: fanInUniform(rng, [outputs, embedding]),
      bias: uniform(rng, [outputs], 1 / Math.sqrt(embedding)),
    };
  if (inputs !== outputs) params.conv_shortcut = init(rng, inputs, outputs, 1);
  return params;
}

export interface ResBlockOptions {
  /** Embedding of the time step, [N, E]; wanted if and only if the block has `time_emb_proj`. */
  embedding?: Tensor;
  /** Default 32. */
  groups?: number;
  epsilon?: number;
  /** Applied before the second convolution. */
  dropout?: (h: Tensor) => Tensor;
}

/** x [N, in, ...] -> shortcut(x) + conv2(silu(norm2(conv1(silu(norm1(x))) + proj(silu(embedding))))) [N, out, ...]. */
export function resBlock(p: ResBlockParams, x: Tensor, options: ResBlockOptions = {}): Tensor {
  const { embedding, groups = 32, epsilon = 1e-5, dropout = (h) => h } = options;
  if (!embedding !== !p.time_emb_proj)
    throw new ArgumentError(
      'resBlock',
      p.time_emb_proj ? 'expected an embedding, got none' : 'expected no embedding, got one',
      'give the block an embedding width at initialisation if and only if it is to take one',
    );
  if (embedding && (embedding.rank !== 2 || embedding.shape[0] !== x.shape[0]))
    throw new ShapeError(
      'resBlock',
      `expected an embedding [${x.shape[0]}, width], got ${showShape(embedding.shape)}`,
      'give one row an example',
    );
  let h = conv(p.conv1, groupNorm(p.norm1, x, groups, epsilon).silu(), { padding: 1 });
  if (p.time_emb_proj && embedding) {
    const shift = linear(p.time_emb_proj, embedding.silu());
    h = h.add(shift.reshape([...shift.shape, ...h.shape.slice(2).map(() => 1)]));
  }
  h = conv(p.conv2, dropout(groupNorm(p.norm2, h, groups, epsilon).silu()), { padding: 1 });
  return (p.conv_shortcut ? conv(p.conv_shortcut, x) : x).add(h);
}

/** One convolution with kernel 3. */
export type ResampleParams = { conv: ConvLayerParams };
export const resampleInit = (rng: Noise, inputs: number, outputs: number, axes: SpatialAxes = 2): ResampleParams => ({
  conv: inits[axes](rng, inputs, outputs, 3),
});

/** Half the resolution: a convolution with stride 2. */
export const downsample = (p: ResampleParams, x: Tensor): Tensor => conv(p.conv, x, { stride: 2, padding: 1 });

/** Twice the resolution: each entry repeated, then a convolution. */
export const upsample = (p: ResampleParams, x: Tensor): Tensor => conv(p.conv, upsampleNearest(x, 2), { padding: 1 });
