/**
 * Layers along the frames of clips (Wang et al. 2023, "ModelScope text-to-video technical report", section 3.3; Blattmann et
 * al. 2023): convolutions and attention that mix the frames at each position, to stand behind the layers of a picture's UNet.
 * Feature maps are pictures in a row, [B F, C, H, W], the frames of a clip one after the other. Parameters carry diffusers'
 * names (`TemporalConvLayer`, `TransformerTemporalModel`). Different from the reference: its dropout of 0.1 between the
 * convolutions, in training, is left out.
 */
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import { concat, tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { conv3dInit } from './conv';
import type { ConvLayerParams } from './conv';
import { filled } from './init';
import type { Noise } from './init';
import { linear, linearInit } from './linear';
import type { LinearParams } from './linear';
import { groupNorm, groupNormInit } from './norm';
import type { NormParams } from './norm';
import { transformerBlock, transformerBlockInit } from './spatial-transformer';
import type { TransformerBlockParams } from './spatial-transformer';

/** The reference's sequences: norm, activation, (dropout,) convolution with kernel [3, 1, 1]. */
export type TemporalConvParams = {
  conv1: { 0: NormParams; 2: ConvLayerParams };
  conv2: { 0: NormParams; 3: ConvLayerParams };
  conv3: { 0: NormParams; 3: ConvLayerParams };
  conv4: { 0: NormParams; 3: ConvLayerParams };
};
export type TemporalTransformerParams = {
  norm: NormParams;
  proj_in: LinearParams;
  transformer_blocks: TransformerBlockParams[];
  proj_out: LinearParams;
};

const silent = ({ weight, bias }: LinearParams): LinearParams => ({
  weight: filled(weight.shape, 0),
  ...(bias ? { bias: filled(bias.shape, 0) } : {}),
});

/** The last convolution is zero, so that the layer starts as the identity. */
export function temporalConvInit(rng: Noise, channels: number): TemporalConvParams {
  const conv = (): ConvLayerParams => conv3dInit(rng, channels, channels, [3, 1, 1]);
  const norm = (): NormParams => groupNormInit(channels);
  return {
    conv1: { 0: norm(), 2: conv() },
    conv2: { 0: norm(), 3: conv() },
    conv3: { 0: norm(), 3: conv() },
    conv4: { 0: norm(), 3: silent(conv()) },
  };
}

/** [B F, C, H, W] -> [B, C, F H W] */
function joinFrames(where: string, x: Tensor, frames: number): Tensor {
  const [rows, channels, height, width] = x.shape;
  if (x.rank !== 4 || !Number.isInteger(frames) || frames < 1 || rows % frames)
    throw new ShapeError(
      where,
      `expected [B * ${frames} frames, C, H, W], got ${showShape(x.shape)}`,
      'lay the frames of each clip one after the other along the first axis',
    );
  return x
    .reshape([rows / frames, frames, channels, height * width])
    .transpose([0, 2, 1, 3])
    .reshape([rows / frames, channels, frames * height * width]);
}

/** The inverse of `joinFrames`. */
const splitFrames = (x: Tensor, frames: number, shape: readonly number[]): Tensor =>
  x
    .reshape([x.shape[0], shape[1], frames, shape[2] * shape[3]])
    .transpose([0, 2, 1, 3])
    .reshape(shape);

/**
 * The convolution over frames of x [B, C, F P], zeros before the first and after the last, as one matrix product with the
 * three shifts of x below one another: twice as fast here as the runtime's three-dimensional convolution.
 */
function convFrames({ weight, bias }: ConvLayerParams, x: Tensor, positions: number): Tensor {
  const [outputs, inputs] = weight.shape;
  const length = x.shape[2];
  const padded = x.pad([0, 0, positions], [0, 0, positions]);
  const shifts = [0, 1, 2].map((k) => padded.slice(null, null, [k * positions, k * positions + length]));
  const matrix = weight
    .reshape([outputs, inputs, 3])
    .transpose([0, 2, 1])
    .reshape([outputs, 3 * inputs]);
  const y = matrix.matMul(concat(shifts, 1));
  return bias ? y.add(bias.reshape([outputs, 1])) : y;
}

/** x [B F, C, H, W] plus four convolutions over its frames, same shape. Throws ShapeError. */
export function temporalConv(
  p: TemporalConvParams,
  x: Tensor,
  { frames, groups }: { frames: number; groups: number },
): Tensor {
  const joined = joinFrames('temporalConv', x, frames);
  const positions = x.shape[2] * x.shape[3];
  const stage = (norm: NormParams, conv: ConvLayerParams, h: Tensor): Tensor =>
    convFrames(conv, groupNorm(norm, h, groups).silu(), positions);
  let h = stage(p.conv1[0], p.conv1[2], joined);
  for (const { 0: norm, 3: conv } of [p.conv2, p.conv3, p.conv4]) h = stage(norm, conv, h);
  return splitFrames(joined.add(h), frames, x.shape);
}

/** `width`: of the blocks, if not the number of channels. The output projection is zero: the layer starts as the identity. */
export function temporalTransformerInit(
  rng: Noise,
  channels: number,
  { width = channels, layers = 1 }: { width?: number; layers?: number } = {},
): TemporalTransformerParams {
  return {
    norm: groupNormInit(channels),
    proj_in: linearInit(rng, channels, width),
    transformer_blocks: Array.from({ length: layers }, () => transformerBlockInit(rng, width)),
    proj_out: silent(linearInit(rng, width, channels)),
  };
}

/** Sines and cosines of frame numbers by turns, at `width / 2` frequencies from 1 down (Vaswani et al. 2017): [frames, width]. */
export function framePositions(frames: number, width: number): Tensor {
  const at = (frame: number, i: number): number => frame * Math.exp(((i - (i % 2)) * -Math.log(10000)) / width);
  const values = Float32Array.from({ length: frames * width }, (_, k) => {
    const angle = at(Math.floor(k / width), k % width);
    return (k % width) % 2 ? Math.cos(angle) : Math.sin(angle);
  });
  return tensor(values, { shape: [frames, width] });
}

/**
 * x [B F, C, H, W] plus what blocks of self-attention among the frames of each position add, same shape. Both attentions of a
 * block look at the frames, and no frame knows its number but through the convolutions' zeros at both ends, as in the
 * reference; with `positions` the attentions see it, as AnimateDiff's do (Guo et al. 2024, section 4.2;
 * diffusers' `AnimateDiffTransformer3D`). Throws ShapeError and ArgumentError.
 */
export function temporalTransformer(
  p: TemporalTransformerParams,
  x: Tensor,
  options: { frames: number; groups: number; heads: number; positions?: boolean },
): Tensor {
  const { frames, groups, heads } = options;
  const joined = joinFrames('temporalTransformer', x, frames);
  const [batch, channels] = joined.shape;
  const positions = x.shape[2] * x.shape[3];
  const [inner] = p.proj_in.weight.shape;
  if (inner % heads)
    throw new ArgumentError(
      'temporalTransformer',
      `expected heads that divide the width ${inner}, got ${heads}`,
      'choose a divisor',
    );
  const tokens = groupNorm(p.norm, joined, groups, 1e-6)
    .reshape([batch, channels, frames, positions])
    .transpose([0, 3, 2, 1])
    .reshape([batch * positions, frames, channels]);
  let h = linear(p.proj_in, tokens);
  const numbers = options.positions ? framePositions(frames, inner) : undefined;
  for (const block of p.transformer_blocks) h = transformerBlock(block, h, { heads, positions: numbers });
  const added = linear(p.proj_out, h)
    .reshape([batch, positions, frames, channels])
    .transpose([0, 2, 3, 1])
    .reshape(x.shape);
  return x.add(added);
}
