/**
 * The denoiser of latent diffusion (Rombach et al. 2022; Ho et al. 2020): a UNet of residual blocks with the embedding of
 * the time step, whose attention blocks look at a caption's token states. Architecture and parameter names are those of
 * diffusers' `UNet2DConditionModel`. Layers for another axis (a clip's frames) can follow each block, see `UnetHooks`.
 */
import { z } from 'zod';
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import { concat, tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { conv2d, conv2dInit } from '../nn/conv';
import type { ConvLayerParams } from '../nn/conv';
import { filled } from '../nn/init';
import type { Noise } from '../nn/init';
import { linear, linearInit } from '../nn/linear';
import type { LinearParams } from '../nn/linear';
import { groupNorm, groupNormInit } from '../nn/norm';
import type { NormParams } from '../nn/norm';
import { downsample, resampleInit, resBlock, resBlockInit, upsample } from '../nn/res-block';
import type { ResampleParams, ResBlockParams } from '../nn/res-block';
import { spatialTransformer, spatialTransformerInit } from '../nn/spatial-transformer';
import type { SpatialTransformerParams } from '../nn/spatial-transformer';

const count = z.number().int().positive();
/** diffusers' configuration, in camel case. */
export const unetSchema = z.strictObject({
  inChannels: count,
  outChannels: count,
  /** One a resolution, the highest first; those with CrossAttn in their name look at the caption. */
  downBlockTypes: z.array(z.enum(['CrossAttnDownBlock2D', 'DownBlock2D'])).min(1),
  upBlockTypes: z.array(z.enum(['CrossAttnUpBlock2D', 'UpBlock2D'])).min(1),
  blockOutChannels: z.array(count).min(1),
  /** Residual blocks a resolution on the way down; one more on the way up. */
  layersPerBlock: count,
  crossAttentionDim: count,
  /** The NUMBER of heads, for all resolutions or one each: the name is diffusers', which keeps it for old files. */
  attentionHeadDim: z.union([count, z.array(count)]),
  transformerLayersPerBlock: count.default(1),
  normNumGroups: count,
  normEps: z.number().positive().default(1e-5),
  useLinearProjection: z.boolean().default(false),
  /** Time embedding: cosines before sines. */
  flipSinToCos: z.boolean().default(true),
  freqShift: z.number().default(0),
  /** Height and width of the latents; informative. */
  sampleSize: count.optional(),
});
export type UnetConfig = z.infer<typeof unetSchema>;

/** A configuration; down and up blocks with attention at every resolution but the lowest, as Stable Diffusion has. */
export function unetConfig(c: Partial<z.input<typeof unetSchema>> & { blockOutChannels: number[] }): UnetConfig {
  const n = c.blockOutChannels.length;
  return unetSchema.parse({
    inChannels: 4,
    outChannels: 4,
    layersPerBlock: 2,
    crossAttentionDim: 768,
    attentionHeadDim: 8,
    normNumGroups: 32,
    downBlockTypes: c.blockOutChannels.map((_, i) => (i < n - 1 ? 'CrossAttnDownBlock2D' : 'DownBlock2D')),
    upBlockTypes: c.blockOutChannels.map((_, i) => (i > 0 ? 'CrossAttnUpBlock2D' : 'UpBlock2D')),
    ...c,
  });
}

/** Sizes from the tests' to Stable Diffusion 1.5's. */
export const unetSizes: Record<'nano' | 'gpu' | 'sd-1.5', UnetConfig> = {
  nano: unetConfig({
    blockOutChannels: [32, 64],
    layersPerBlock: 1,
    crossAttentionDim: 64,
    attentionHeadDim: 2,
    normNumGroups: 8,
    sampleSize: 8,
  }),
  gpu: unetConfig({ blockOutChannels: [128, 256, 256], crossAttentionDim: 384, attentionHeadDim: 4, sampleSize: 16 }),
  'sd-1.5': unetConfig({ blockOutChannels: [320, 640, 1280, 1280], sampleSize: 64 }),
};

export type UnetBlockParams = {
  resnets: ResBlockParams[];
  attentions?: SpatialTransformerParams[];
  downsamplers?: [ResampleParams];
  upsamplers?: [ResampleParams];
};
export type UnetParams = {
  conv_in: ConvLayerParams;
  time_embedding: { linear_1: LinearParams; linear_2: LinearParams };
  down_blocks: UnetBlockParams[];
  mid_block: UnetBlockParams;
  up_blocks: UnetBlockParams[];
  conv_norm_out: NormParams;
  conv_out: ConvLayerParams;
};

/** The number of heads at each resolution. */
export function unetHeads(c: UnetConfig): number[] {
  const { attentionHeadDim: heads, blockOutChannels } = c;
  return blockOutChannels.map((_, i) => (typeof heads === 'number' ? heads : heads[i]));
}

/**
 * Weights as PyTorch's layers draw them, but zero in the last layer of each residual branch and in the output, so that
 * training starts from the identity (Ho et al. 2020's code; Dhariwal & Nichol 2021).
 */
export function unetInit(rng: Noise, c: UnetConfig): UnetParams {
  const channels = c.blockOutChannels;
  const n = channels.length;
  const heads = unetHeads(c);
  const lists = [c.downBlockTypes, c.upBlockTypes, heads.filter((h) => h > 0)];
  if (lists.some((l) => l.length !== n) || channels.some((w, i) => w % c.normNumGroups || w % heads[i]))
    throw new ArgumentError(
      'unetInit',
      `expected one block type a resolution, and channels divisible by groups and heads, got [${channels.join(', ')}], ${c.normNumGroups} groups, heads [${heads.join(', ')}]`,
      'check downBlockTypes, upBlockTypes, attentionHeadDim and normNumGroups',
    );
  const embedding = 4 * channels[0];
  const silent = ({ weight, bias }: ConvLayerParams): ConvLayerParams => ({
    weight: filled(weight.shape, 0),
    ...(bias ? { bias: filled(bias.shape, 0) } : {}),
  });
  const block = (inputs: number, outputs: number): ResBlockParams => {
    const p = resBlockInit(rng, inputs, outputs, { embedding });
    return { ...p, conv2: silent(p.conv2) };
  };
  const attend = (width: number): SpatialTransformerParams => {
    const p = spatialTransformerInit(rng, width, {
      context: c.crossAttentionDim,
      layers: c.transformerLayersPerBlock,
      linearProjection: c.useLinearProjection,
    });
    return { ...p, proj_out: silent(p.proj_out) };
  };
  const attentions = (type: string, width: number, layers: number): { attentions?: SpatialTransformerParams[] } =>
    type.startsWith('CrossAttn') ? { attentions: Array.from({ length: layers }, () => attend(width)) } : {};

  const down_blocks = channels.map((width, i): UnetBlockParams => ({
    resnets: Array.from({ length: c.layersPerBlock }, (_, j) => block(j ? width : channels[Math.max(i - 1, 0)], width)),
    ...attentions(c.downBlockTypes[i], width, c.layersPerBlock),
    ...(i < n - 1 ? { downsamplers: [resampleInit(rng, width, width)] } : {}),
  }));
  const widest = channels[n - 1];
  const mid_block = { resnets: [block(widest, widest), block(widest, widest)], attentions: [attend(widest)] };
  const reversed = [...channels].reverse();
  const up_blocks = reversed.map((width, i): UnetBlockParams => {
    const layers = c.layersPerBlock + 1;
    // What comes from below, and from the way down: the last of the latter from the resolution above.
    const below = (j: number): number => (j ? width : reversed[Math.max(i - 1, 0)]);
    const across = (j: number): number => (j < layers - 1 ? width : reversed[Math.min(i + 1, n - 1)]);
    return {
      resnets: Array.from({ length: layers }, (_, j) => block(below(j) + across(j), width)),
      ...attentions(c.upBlockTypes[i], width, layers),
      ...(i < n - 1 ? { upsamplers: [resampleInit(rng, width, width)] } : {}),
    };
  });
  return {
    conv_in: conv2dInit(rng, c.inChannels, channels[0], 3),
    time_embedding: {
      linear_1: linearInit(rng, channels[0], embedding),
      linear_2: linearInit(rng, embedding, embedding),
    },
    down_blocks,
    mid_block,
    up_blocks,
    conv_norm_out: groupNormInit(channels[0]),
    conv_out: silent(conv2dInit(rng, channels[0], c.outChannels, 3)),
  };
}

/** Sines and cosines of time steps [B] at `width / 2` frequencies from 1 down to 1 / 10000: [B, width]. */
export function timestepEmbedding(timesteps: Tensor, width: number, flipSinToCos = true, freqShift = 0): Tensor {
  const half = width / 2;
  const frequencies = Float32Array.from({ length: half }, (_, i) =>
    Math.exp((-Math.log(10000) * i) / (half - freqShift)),
  );
  const angles = timesteps
    .cast('float32')
    .unsqueeze(1)
    .mul(tensor(frequencies, { shape: [1, half] }));
  return concat(flipSinToCos ? [angles.cos(), angles.sin()] : [angles.sin(), angles.cos()], 1);
}

/** The embedding of time steps [B] that the residual blocks take: [B, 4 * first channels]. */
export function unetTimeEmbedding(p: UnetParams['time_embedding'], c: UnetConfig, timesteps: Tensor): Tensor {
  const waves = timestepEmbedding(timesteps, c.blockOutChannels[0], c.flipSinToCos, c.freqShift);
  return linear(p.linear_2, linear(p.linear_1, waves).silu());
}

/** Layers that a larger model puts after those of this one; `path` is the layer's: "down_blocks.0.resnets.1". */
export interface UnetHooks {
  after?: (h: Tensor, path: string) => Tensor;
}

export interface UnetInputs extends UnetHooks {
  /** Noisy latents [B, inChannels, H, W]. */
  sample: Tensor;
  /** Time steps [B], counted from 0. */
  timesteps: Tensor;
  /** The caption's token states [B, L, crossAttentionDim]. */
  context: Tensor;
  /** bool, broadcastable to [B, heads, H W, L]: true where a position may look. */
  contextMask?: Tensor;
}

/** The prediction, [B, outChannels, H, W]. Throws ShapeError. */
export function unet(p: UnetParams, c: UnetConfig, inputs: UnetInputs): Tensor {
  const { sample, timesteps, context, contextMask: mask, after = (h) => h } = inputs;
  const factor = 2 ** (c.blockOutChannels.length - 1);
  const [batch, channels, height, width] = sample.shape;
  if (sample.rank !== 4 || channels !== c.inChannels || height % factor || width % factor)
    throw new ShapeError(
      'unet',
      `expected latents [B, ${c.inChannels}, H, W] with sizes divisible by ${factor}, got ${showShape(sample.shape)}`,
      'pad the latents, or use fewer resolutions',
    );
  if (context.rank !== 3 || context.shape[0] !== batch || context.shape[2] !== c.crossAttentionDim)
    throw new ShapeError(
      'unet',
      `expected a context [${batch}, L, ${c.crossAttentionDim}], got ${showShape(context.shape)}`,
      "give the text encoder's token states, one row a sample",
    );
  const heads = unetHeads(c);
  const groups = c.normNumGroups;
  const embedding = unetTimeEmbedding(p.time_embedding, c, timesteps);
  const layers = (block: UnetBlockParams, path: string, j: number, h: Tensor, at: number): Tensor => {
    const y = resBlock(block.resnets[j], h, { embedding, groups, epsilon: c.normEps });
    const z = after(y, `${path}.resnets.${j}`);
    return block.attentions ? attend(block.attentions[j], `${path}.attentions.${j}`, z, at) : z;
  };
  const attend = (q: SpatialTransformerParams, path: string, h: Tensor, at: number): Tensor =>
    after(spatialTransformer(q, h, { heads: heads[at], groups, context, mask }), path);

  let h = after(conv2d(p.conv_in, sample, { padding: 1 }), 'conv_in');
  const skips = [h];
  p.down_blocks.forEach((block, i) => {
    block.resnets.forEach((_, j) => skips.push((h = layers(block, `down_blocks.${i}`, j, h, i))));
    if (block.downsamplers) skips.push((h = downsample(block.downsamplers[0], h)));
  });
  const lowest = heads.length - 1;
  h = layers(p.mid_block, 'mid_block', 0, h, lowest);
  h = layers({ resnets: p.mid_block.resnets }, 'mid_block', 1, h, lowest);
  p.up_blocks.forEach((block, i) => {
    block.resnets.forEach((_, j) => (h = layers(block, `up_blocks.${i}`, j, concat([h, skips.pop()!], 1), lowest - i)));
    if (block.upsamplers) h = upsample(block.upsamplers[0], h);
  });
  return conv2d(p.conv_out, groupNorm(p.conv_norm_out, h, groups, c.normEps).silu(), { padding: 1 });
}
