/**
 * VQ-GAN (Esser et al. 2021, "Taming transformers"; van den Oord et al. 2017), the image tokenizer of Chameleon: a convolutional
 * encoder, a codebook whose nearest entry (squared Euclidean distance) stands for each vector, and a decoder. Parameter names are
 * those of the published checkpoints: `encoder.down.0.block.0.conv1`, `quantize.embedding`, `decoder.up.0.upsample.conv`;
 * encoder and quantiser equal transformers' ChameleonVQVAE.
 *
 * What it is not: the adversarial half of the training; see trainers/vqgan.ts.
 */
import { z } from 'zod';
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import { stopGradient, tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { treeMap } from '../graph/tree';
import { conv2d, conv2dInit } from '../nn/conv';
import type { ConvLayerParams } from '../nn/conv';
import { filled, uniform } from '../nn/init';
import type { Noise } from '../nn/init';
import { groupNorm, groupNormInit } from '../nn/norm';
import type { NormParams } from '../nn/norm';
import { upsampleNearest } from '../nn/pool';
import { foldPatches, unfoldPatches } from './patches';

const count = z.number().int().positive();
export const vqganSchema = z.strictObject({
  /** Height and width of pictures. */
  resolution: count,
  inChannels: count.default(3),
  baseChannels: count,
  /** Channels at each resolution, in units of baseChannels, the highest first; each but the last halves the size. */
  channelMultiplier: z.array(count).min(1),
  /** Residual blocks a resolution in the encoder; the decoder has one more. */
  numResBlocks: count,
  /** Resolutions with an attention block after each residual block. */
  attnResolutions: z.array(count).default([]),
  /** An attention block in the middle. */
  midAttention: z.boolean().default(true),
  /** Channels between the convolutions and the 1x1 convolutions about the codebook. */
  latentChannels: count,
  embedDim: count,
  numEmbeddings: count,
  normNumGroups: count.default(32),
  /** Side of the squares of pixels that are channels of the first and last convolution; 1: none, as published. */
  patchSize: count.default(1),
});
export type VqganConfig = z.infer<typeof vqganSchema>;
const config = (c: z.input<typeof vqganSchema>): VqganConfig => vqganSchema.parse(c);

/** Sizes from the tests' to Chameleon's. Laptop: 64x64 to 8x8 of 512 codes; paper: 512x512 to 32x32 of 8192. */
export const vqganSizes: Record<'nano' | 'laptop' | 'gpu' | 'paper', VqganConfig> = {
  nano: config({
    resolution: 16,
    baseChannels: 8,
    channelMultiplier: [1, 2],
    numResBlocks: 1,
    latentChannels: 8,
    embedDim: 6,
    numEmbeddings: 16,
    normNumGroups: 4,
  }),
  laptop: config({
    resolution: 64,
    baseChannels: 96,
    channelMultiplier: [1],
    numResBlocks: 1,
    midAttention: false,
    latentChannels: 48,
    embedDim: 48,
    numEmbeddings: 512,
    normNumGroups: 8,
    patchSize: 8,
  }),
  gpu: config({
    resolution: 128,
    baseChannels: 64,
    channelMultiplier: [1, 1, 2, 4],
    numResBlocks: 2,
    latentChannels: 128,
    embedDim: 128,
    numEmbeddings: 2048,
  }),
  paper: config({
    resolution: 512,
    baseChannels: 128,
    channelMultiplier: [1, 1, 2, 2, 4],
    numResBlocks: 2,
    latentChannels: 256,
    embedDim: 256,
    numEmbeddings: 8192,
  }),
};

type BlockParams = {
  norm1: NormParams;
  conv1: ConvLayerParams;
  norm2: NormParams;
  conv2: ConvLayerParams;
  nin_shortcut?: ConvLayerParams;
};
type AttnParams = {
  norm: NormParams;
  q: ConvLayerParams;
  k: ConvLayerParams;
  v: ConvLayerParams;
  proj_out: ConvLayerParams;
};
type LevelParams = { block: BlockParams[]; attn: AttnParams[] };
type MidParams = { block_1: BlockParams; attn_1?: AttnParams; block_2: BlockParams };
type Ends = { conv_in: ConvLayerParams; mid: MidParams; norm_out: NormParams; conv_out: ConvLayerParams };
export type VqganParams = {
  encoder: Ends & { down: (LevelParams & { downsample?: { conv: ConvLayerParams } })[] };
  quantize: { embedding: { weight: Tensor } };
  quant_conv: ConvLayerParams;
  post_quant_conv: ConvLayerParams;
  decoder: Ends & { up: (LevelParams & { upsample?: { conv: ConvLayerParams } })[] };
};

/** How many times height and width shrink. */
export const vqganFactor = (c: VqganConfig): number => c.patchSize * 2 ** (c.channelMultiplier.length - 1);
/** Tokens on a side of a picture. */
export const vqganGrid = (c: VqganConfig): number => c.resolution / vqganFactor(c);

/**
 * Weights for a short training: convolutions keep the variance of what they read, residual branches begin at zero, and the
 * codebook as the reference (uniform within 1 / codes).
 */
export function vqganInit(rng: Noise, c: VqganConfig): VqganParams {
  const widths = c.channelMultiplier.map((m) => m * c.baseChannels);
  if (widths.some((n) => n % c.normNumGroups) || !Number.isInteger(vqganGrid(c)))
    throw new ArgumentError(
      'vqganInit',
      `expected channels divisible by ${c.normNumGroups} groups and a resolution divisible by ${vqganFactor(c)}, got [${widths.join(', ')}] and ${c.resolution}`,
      'change normNumGroups or resolution',
    );
  const block = (from: number, to: number): BlockParams => ({
    norm1: groupNormInit(from),
    conv1: conv2dInit(rng, from, to, 3),
    norm2: groupNormInit(to),
    conv2: conv2dInit(rng, to, to, 3),
    ...(from === to ? {} : { nin_shortcut: conv2dInit(rng, from, to, 1) }),
  });
  const attn = (n: number): AttnParams => ({
    norm: groupNormInit(n),
    q: conv2dInit(rng, n, n, 1),
    k: conv2dInit(rng, n, n, 1),
    v: conv2dInit(rng, n, n, 1),
    proj_out: conv2dInit(rng, n, n, 1),
  });
  const last = widths.length - 1;
  const widest = widths[last];
  const mid = (): MidParams => ({
    block_1: block(widest, widest),
    ...(c.midAttention ? { attn_1: attn(widest) } : {}),
    block_2: block(widest, widest),
  });
  const level = (i: number, from: number, layers: number): LevelParams => ({
    block: Array.from({ length: layers }, (_, j) => block(j ? widths[i] : from, widths[i])),
    attn: hasAttention(c, i) ? Array.from({ length: layers }, () => attn(widths[i])) : [],
  });
  const ends = (inputs: number, first: number, outputs: number, final: number): Ends => ({
    conv_in: conv2dInit(rng, inputs, first, 3),
    mid: mid(),
    norm_out: groupNormInit(final),
    conv_out: conv2dInit(rng, final, outputs, 3),
  });
  const pixels = c.inChannels * c.patchSize ** 2;
  const params: VqganParams = {
    encoder: {
      ...ends(pixels, c.baseChannels, c.latentChannels, widest),
      down: widths.map((n, i) => ({
        ...level(i, i ? widths[i - 1] : c.baseChannels, c.numResBlocks),
        ...(i < last ? { downsample: { conv: conv2dInit(rng, n, n, 3) } } : {}),
      })),
    },
    quantize: { embedding: { weight: uniform(rng, [c.numEmbeddings, c.embedDim], 1 / c.numEmbeddings) } },
    quant_conv: conv2dInit(rng, c.latentChannels, c.embedDim, 1),
    post_quant_conv: conv2dInit(rng, c.embedDim, c.latentChannels, 1),
    decoder: {
      ...ends(c.latentChannels, widest, pixels, widths[0]),
      up: widths.map((n, i) => ({
        ...level(i, i < last ? widths[i + 1] : widest, c.numResBlocks + 1),
        ...(i ? { upsample: { conv: conv2dInit(rng, n, n, 3) } } : {}),
      })),
    },
  };
  return treeMap(params, (t, path) => {
    if (path.endsWith('conv2.weight') || path.endsWith('proj_out.weight')) return filled(t.shape, 0);
    if (t.rank !== 4) return t;
    const values = t.storage!.hostValues as Float32Array;
    return tensor(
      values.map((v) => v * Math.sqrt(3)),
      { shape: t.shape },
    );
  });
}

const hasAttention = (c: VqganConfig, level: number): boolean =>
  c.attnResolutions.includes(c.resolution / c.patchSize / 2 ** level);

const EPSILON = 1e-6;

function residual(p: BlockParams, x: Tensor, groups: number): Tensor {
  let h = conv2d(p.conv1, groupNorm(p.norm1, x, groups, EPSILON).silu(), { padding: 1 });
  h = conv2d(p.conv2, groupNorm(p.norm2, h, groups, EPSILON).silu(), { padding: 1 });
  return (p.nin_shortcut ? conv2d(p.nin_shortcut, x) : x).add(h);
}

/** Self-attention of one head over the places of a map. */
function attend(p: AttnParams, x: Tensor, groups: number): Tensor {
  const [batch, channels, height, width] = x.shape;
  const h = groupNorm(p.norm, x, groups, EPSILON);
  const flat = (layer: ConvLayerParams): Tensor => conv2d(layer, h).reshape([batch, channels, height * width]);
  const weights = flat(p.q)
    .matMul(flat(p.k), { transA: true })
    .mul(channels ** -0.5)
    .softmax(-1);
  const mixed = flat(p.v).matMul(weights, { transB: true }).reshape([batch, channels, height, width]);
  return x.add(conv2d(p.proj_out, mixed));
}

function level(p: LevelParams, x: Tensor, groups: number): Tensor {
  return p.block.reduce((h, layer, j) => {
    const y = residual(layer, h, groups);
    return p.attn.length ? attend(p.attn[j], y, groups) : y;
  }, x);
}

function middle(p: MidParams, x: Tensor, groups: number): Tensor {
  const h = residual(p.block_1, x, groups);
  return residual(p.block_2, p.attn_1 ? attend(p.attn_1, h, groups) : h, groups);
}

/** Pictures [B, inChannels, H, W], about -1 to 1 -> vectors before quantisation [B, embedDim, h, w]. Throws ShapeError. */
export function vqganEncode(p: VqganParams, c: VqganConfig, pictures: Tensor): Tensor {
  const factor = vqganFactor(c);
  if (pictures.rank !== 4 || pictures.shape[1] !== c.inChannels || pictures.shape.slice(2).some((n) => n % factor))
    throw new ShapeError(
      'vqganEncode',
      `expected [B, ${c.inChannels}, H, W] with sizes divisible by ${factor}, got ${showShape(pictures.shape)}`,
      'resize the pictures',
    );
  const { encoder } = p;
  const groups = c.normNumGroups;
  let h = conv2d(encoder.conv_in, foldPatches(pictures, c.patchSize), { padding: 1 });
  for (const down of encoder.down) {
    h = level(down, h, groups);
    if (down.downsample) h = conv2d(down.downsample.conv, h.pad([0, 0, 0, 0], [0, 0, 1, 1]), { stride: 2 });
  }
  h = groupNorm(encoder.norm_out, middle(encoder.mid, h, groups), groups, EPSILON).silu();
  return conv2d(p.quant_conv, conv2d(encoder.conv_out, h, { padding: 1 }));
}

/** The nearest codes by squared distance, the first of equals: z [B, D, h, w] -> int32 [B, h w], rows from the top. */
export function vqganCodes(p: VqganParams, z: Tensor): Tensor {
  const { weight } = p.quantize.embedding;
  const [batch, dim, height, width] = z.shape;
  const flat = z.reshape([batch, dim, height * width]).transpose([0, 2, 1]);
  // |z|² is the same for all codes.
  const distances = weight
    .square()
    .sum(-1)
    .sub(flat.matMul(weight, { transB: true }).mul(2));
  return distances.argMin(-1);
}

/** The vectors of codes int32 [B, h w] -> [B, D, h, w]; `rows` is h. */
export function vqganLookUp(p: VqganParams, codes: Tensor, rows: number): Tensor {
  const { weight } = p.quantize.embedding;
  const [batch, places] = codes.shape;
  return weight
    .gather(codes, 0)
    .transpose([0, 2, 1])
    .reshape([batch, weight.shape[1], rows, places / rows]);
}

export interface Quantised {
  /** The codes' vectors, [B, D, h, w]; gradients go through to what was quantised (straight-through). */
  vectors: Tensor;
  /** int32 [B, h w] */
  codes: Tensor;
  /** mean (codes - sg z)², which moves the codebook, and mean (sg codes - z)², which ties the encoder to it. */
  codebook: Tensor;
  commitment: Tensor;
}

/** Vectors [B, D, h, w] to their nearest codes. */
export function vqganQuantise(p: VqganParams, z: Tensor): Quantised {
  const codes = vqganCodes(p, stopGradient(z));
  const found = vqganLookUp(p, codes, z.shape[2]);
  return {
    vectors: z.add(stopGradient(found.sub(z))),
    codes,
    codebook: found.sub(stopGradient(z)).square().mean(),
    commitment: stopGradient(found).sub(z).square().mean(),
  };
}

/** Code vectors [B, D, h, w] -> pictures [B, inChannels, H, W]. */
export function vqganDecode(p: VqganParams, c: VqganConfig, vectors: Tensor): Tensor {
  const { decoder } = p;
  const groups = c.normNumGroups;
  let h = middle(decoder.mid, conv2d(decoder.conv_in, conv2d(p.post_quant_conv, vectors), { padding: 1 }), groups);
  for (const up of [...decoder.up].reverse()) {
    h = level(up, h, groups);
    if (up.upsample) h = conv2d(up.upsample.conv, upsampleNearest(h, 2), { padding: 1 });
  }
  h = groupNorm(decoder.norm_out, h, groups, EPSILON).silu();
  return unfoldPatches(conv2d(decoder.conv_out, h, { padding: 1 }), c.patchSize);
}
