/**
 * The autoencoder of latent diffusion (Rombach et al. 2022, appendix G; Kingma & Welling 2014): a convolutional encoder to
 * the mean and log-variance of a small latent map, and a decoder back. It serves pictures (3 channels) and log-mel
 * spectrograms (1 channel) alike. Architecture and parameter names are those of diffusers' `AutoencoderKL`.
 */
import { z } from 'zod';
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { treeMap } from '../graph/tree';
import { conv2d, conv2dInit } from '../nn/conv';
import type { ConvLayerParams } from '../nn/conv';
import { groupNorm, groupNormInit } from '../nn/norm';
import type { NormParams } from '../nn/norm';
import { resampleInit, resBlock, resBlockInit, upsample } from '../nn/res-block';
import type { ResampleParams, ResBlockParams } from '../nn/res-block';
import { crossAttention, crossAttentionInit } from '../nn/spatial-transformer';
import type { CrossAttentionParams } from '../nn/spatial-transformer';
import { filled } from '../nn/init';
import type { Noise } from '../nn/init';
import { foldPatches, unfoldPatches } from './patches';

const count = z.number().int().positive();
/** diffusers' configuration, in camel case. */
export const autoencoderSchema = z.strictObject({
  inChannels: count,
  outChannels: count,
  latentChannels: count,
  /** Channels at each resolution, the highest first; each but the last halves height and width. */
  blockOutChannels: z.array(count).min(1),
  /** Residual blocks a resolution in the encoder; the decoder has one more. */
  layersPerBlock: count,
  normNumGroups: count,
  midBlockAddAttention: z.boolean().default(true),
  /** 1x1 convolutions on the latents' side of encoder and decoder. */
  useQuantConv: z.boolean().default(true),
  usePostQuantConv: z.boolean().default(true),
  /** What latents are multiplied by for the diffusion model: about 1 / their standard deviation. */
  scalingFactor: z.number().positive().default(0.18215),
  /** Side of the squares of pixels that are channels of the first and last convolution; 1: none, as diffusers has it. */
  patchSize: count.default(1),
  /** Height and width of the training samples; informative. */
  sampleSize: count.optional(),
});
export type AutoencoderConfig = z.infer<typeof autoencoderSchema>;
const config = (c: z.input<typeof autoencoderSchema>): AutoencoderConfig => autoencoderSchema.parse(c);

/** Sizes from the tests' to Stable Diffusion 1.5's. */
export const autoencoderSizes: Record<'nano' | 'gpu' | 'sd-1.5', AutoencoderConfig> = {
  nano: config({
    inChannels: 3,
    outChannels: 3,
    latentChannels: 4,
    blockOutChannels: [16, 32, 32],
    layersPerBlock: 1,
    normNumGroups: 8,
    midBlockAddAttention: false,
    sampleSize: 32,
  }),
  gpu: config({
    inChannels: 3,
    outChannels: 3,
    latentChannels: 4,
    blockOutChannels: [64, 128, 256],
    layersPerBlock: 2,
    normNumGroups: 32,
    sampleSize: 64,
  }),
  'sd-1.5': config({
    inChannels: 3,
    outChannels: 3,
    latentChannels: 4,
    blockOutChannels: [128, 256, 512, 512],
    layersPerBlock: 2,
    normNumGroups: 32,
    sampleSize: 512,
  }),
};

type MidBlockParams = {
  resnets: [ResBlockParams, ResBlockParams];
  attentions?: [CrossAttentionParams & { group_norm: NormParams }];
};
type SideParams = {
  conv_in: ConvLayerParams;
  mid_block: MidBlockParams;
  conv_norm_out: NormParams;
  conv_out: ConvLayerParams;
};
export type AutoencoderParams = {
  encoder: SideParams & { down_blocks: { resnets: ResBlockParams[]; downsamplers?: [ResampleParams] }[] };
  decoder: SideParams & { up_blocks: { resnets: ResBlockParams[]; upsamplers?: [ResampleParams] }[] };
  quant_conv?: ConvLayerParams;
  post_quant_conv?: ConvLayerParams;
};

/**
 * Weights that a short training gets far with. Differences from PyTorch's defaults, which diffusers keeps: 1. convolutions
 * keep the variance of what they read (times sqrt(3)), so that the sample arrives at the other end; 2. residual branches begin
 * at zero; 3. latents begin with little noise (log-variance about -6).
 */
export function autoencoderInit(rng: Noise, c: AutoencoderConfig): AutoencoderParams {
  const channels = c.blockOutChannels;
  if (channels.some((n) => n % c.normNumGroups))
    throw new ArgumentError(
      'autoencoderInit',
      `expected channels divisible by ${c.normNumGroups} groups, got [${channels.join(', ')}]`,
      'choose a divisor as normNumGroups',
    );
  const last = channels.length - 1;
  const widest = channels[last];
  const chain = (from: number, to: number, layers: number): ResBlockParams[] =>
    Array.from({ length: layers }, (_, j) => resBlockInit(rng, j ? to : from, to));
  const mid = (): MidBlockParams => ({
    resnets: [resBlockInit(rng, widest, widest), resBlockInit(rng, widest, widest)],
    ...(c.midBlockAddAttention
      ? {
          attentions: [
            { ...crossAttentionInit(rng, widest, widest, { bias: true }), group_norm: groupNormInit(widest) },
          ],
        }
      : {}),
  });
  const reversed = [...channels].reverse();
  const moments = 2 * c.latentChannels;
  const quiet = ({ weight }: ConvLayerParams): ConvLayerParams => ({
    weight,
    bias: tensor(Float32Array.from({ length: moments }, (_, i) => (i < c.latentChannels ? 0 : -6))),
  });
  const encoderOut = conv2dInit(rng, widest, moments, 3);
  const params: AutoencoderParams = {
    encoder: {
      conv_in: conv2dInit(rng, c.inChannels * c.patchSize ** 2, channels[0], 3),
      down_blocks: channels.map((n, i) => ({
        resnets: chain(channels[Math.max(i - 1, 0)], n, c.layersPerBlock),
        ...(i < last ? { downsamplers: [resampleInit(rng, n, n)] as [ResampleParams] } : {}),
      })),
      mid_block: mid(),
      conv_norm_out: groupNormInit(widest),
      conv_out: c.useQuantConv ? encoderOut : quiet(encoderOut),
    },
    decoder: {
      conv_in: conv2dInit(rng, c.latentChannels, widest, 3),
      mid_block: mid(),
      up_blocks: reversed.map((n, i) => ({
        resnets: chain(reversed[Math.max(i - 1, 0)], n, c.layersPerBlock + 1),
        ...(i < last ? { upsamplers: [resampleInit(rng, n, n)] as [ResampleParams] } : {}),
      })),
      conv_norm_out: groupNormInit(channels[0]),
      conv_out: conv2dInit(rng, channels[0], c.outChannels * c.patchSize ** 2, 3),
    },
    ...(c.useQuantConv ? { quant_conv: quiet(conv2dInit(rng, moments, moments, 1)) } : {}),
    ...(c.usePostQuantConv ? { post_quant_conv: conv2dInit(rng, c.latentChannels, c.latentChannels, 1) } : {}),
  };
  return treeMap(params, (t, path) => {
    if (path.includes('.conv2.')) return filled(t.shape, 0);
    if (t.rank !== 4) return t;
    const values = t.storage!.hostValues as Float32Array;
    return tensor(
      values.map((v) => v * Math.sqrt(3)),
      { shape: t.shape },
    );
  });
}

const EPSILON = 1e-6;

function midBlock(p: MidBlockParams, x: Tensor, groups: number): Tensor {
  const options = { groups, epsilon: EPSILON };
  let h = resBlock(p.resnets[0], x, options);
  if (p.attentions) {
    const [block] = p.attentions;
    const [batch, channels] = h.shape;
    const tokens = groupNorm(block.group_norm, h, groups, EPSILON).reshape([batch, channels, -1]).transpose([0, 2, 1]);
    h = crossAttention(block, tokens, { heads: 1 }).transpose([0, 2, 1]).reshape(h.shape).add(h);
  }
  return resBlock(p.resnets[1], h, options);
}

/** What the encoder says of the latents: a normal distribution for each entry, [B, latentChannels, h, w] each. */
export interface LatentDistribution {
  mean: Tensor;
  /** Cut to [-30, 20]. */
  logVariance: Tensor;
}

/** How many times height and width shrink. */
export const autoencoderFactor = (c: AutoencoderConfig): number => c.patchSize * 2 ** (c.blockOutChannels.length - 1);

/** x [B, inChannels, H, W], about -1 to 1 -> the distribution of its latents, unscaled. Throws ShapeError. */
export function encodeLatents(p: AutoencoderParams, c: AutoencoderConfig, x: Tensor): LatentDistribution {
  const factor = autoencoderFactor(c);
  if (x.rank !== 4 || x.shape[1] !== c.inChannels || x.shape[2] % factor || x.shape[3] % factor)
    throw new ShapeError(
      'encodeLatents',
      `expected [B, ${c.inChannels}, H, W] with sizes divisible by ${factor}, got ${showShape(x.shape)}`,
      'pad or resize the samples',
    );
  const { encoder } = p;
  const options = { groups: c.normNumGroups, epsilon: EPSILON };
  let h = conv2d(encoder.conv_in, foldPatches(x, c.patchSize), { padding: 1 });
  for (const block of encoder.down_blocks) {
    for (const layer of block.resnets) h = resBlock(layer, h, options);
    // Zeros at the end only, unlike the UNet's step down.
    if (block.downsamplers) h = conv2d(block.downsamplers[0].conv, h.pad([0, 0, 0, 0], [0, 0, 1, 1]), { stride: 2 });
  }
  h = midBlock(encoder.mid_block, h, c.normNumGroups);
  h = conv2d(encoder.conv_out, groupNorm(encoder.conv_norm_out, h, c.normNumGroups, EPSILON).silu(), { padding: 1 });
  if (p.quant_conv) h = conv2d(p.quant_conv, h);
  const [mean, logVariance] = h.split([c.latentChannels, c.latentChannels], 1);
  return { mean, logVariance: logVariance.clip(-30, 20) };
}

/** mean + standard deviation * noise; `noise` normal, of the mean's shape. */
export const sampleLatents = ({ mean, logVariance }: LatentDistribution, noise: Tensor): Tensor =>
  mean.add(logVariance.mul(0.5).exp().mul(noise));

/** Latents [B, latentChannels, h, w], unscaled -> [B, outChannels, H, W]. */
export function decodeLatents(p: AutoencoderParams, c: AutoencoderConfig, latents: Tensor): Tensor {
  const { decoder } = p;
  const options = { groups: c.normNumGroups, epsilon: EPSILON };
  const z = p.post_quant_conv ? conv2d(p.post_quant_conv, latents) : latents;
  let h = midBlock(decoder.mid_block, conv2d(decoder.conv_in, z, { padding: 1 }), c.normNumGroups);
  for (const block of decoder.up_blocks) {
    for (const layer of block.resnets) h = resBlock(layer, h, options);
    if (block.upsamplers) h = upsample(block.upsamplers[0], h);
  }
  h = groupNorm(decoder.conv_norm_out, h, c.normNumGroups, EPSILON).silu();
  return unfoldPatches(conv2d(decoder.conv_out, h, { padding: 1 }), c.patchSize);
}
