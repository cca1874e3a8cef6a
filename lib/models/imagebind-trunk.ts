/**
 * The parts of ImageBind (Girdhar et al. 2023): stems that cut a picture, a clip or a spectrogram into patches, and the
 * pre-norm transformer that all its modalities use, each with parameters of its own. Parameters are nested so that their
 * paths are the names in the published state dict (`modality_trunks.vision.blocks.0.attn.in_proj_weight`).
 */
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import { concat } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { attention, mergeHeads, splitHeads } from '../nn/attention';
import { conv2d } from '../nn/conv';
import { filled, normal, uniform } from '../nn/init';
import type { Noise } from '../nn/init';
import { linear } from '../nn/linear';
import { layerNorm, layerNormInit } from '../nn/norm';
import type { NormParams } from '../nn/norm';

export interface TrunkConfig {
  width: number;
  layers: number;
  heads: number;
}

/** A linear layer with bias. */
type Affine = { weight: Tensor; bias: Tensor };

export type BlockParams = {
  attn: {
    /** Queries, keys and values, one below the other: [3 width, width]. */
    in_proj_weight: Tensor;
    in_proj_bias: Tensor;
    out_proj: Affine;
    /** A key and a value that every query sees besides those of the sequence: [1, 1, width]. */
    bias_k?: Tensor;
    bias_v?: Tensor;
  };
  norm_1: NormParams;
  mlp: { fc1: Affine; fc2: Affine };
  norm_2: NormParams;
};
export type TrunkParams = { pre_transformer_layer?: { '0': NormParams }; blocks: BlockParams[] };

export interface TrunkOptions {
  /** A layer norm before the first block (vision). */
  normFirst?: boolean;
  /** Learned extra key and value in each attention (audio). */
  biasKeys?: boolean;
}

export const NORM_EPSILON = 1e-6;

/** Uniform within sqrt(6 / (inputs + outputs)) (Glorot & Bengio 2010). */
const xavier = (rng: Noise, outputs: number, inputs: number): Tensor =>
  uniform(rng, [outputs, inputs], Math.sqrt(6 / (inputs + outputs)));
const affine = (rng: Noise, outputs: number, inputs: number): Affine => ({
  weight: xavier(rng, outputs, inputs),
  bias: filled([outputs], 0),
});

/** Weights by Glorot's rule, biases zero, as the original. Throws ArgumentError. */
export function trunkInit(rng: Noise, c: TrunkConfig, options: TrunkOptions = {}): TrunkParams {
  const { width, layers, heads } = c;
  if (width % heads)
    throw new ArgumentError(
      'trunkInit',
      `expected heads that divide the width, got ${heads} and ${width}`,
      'choose a divisor',
    );
  const extra = (): Tensor => normal(rng, [1, 1, width], Math.sqrt(2 / (2 * width)));
  const blocks = Array.from({ length: layers }, (): BlockParams => ({
    attn: {
      in_proj_weight: xavier(rng, 3 * width, width),
      in_proj_bias: filled([3 * width], 0),
      out_proj: affine(rng, width, width),
      ...(options.biasKeys ? { bias_k: extra(), bias_v: extra() } : {}),
    },
    norm_1: layerNormInit(width),
    mlp: { fc1: affine(rng, 4 * width, width), fc2: affine(rng, width, 4 * width) },
    norm_2: layerNormInit(width),
  }));
  return options.normFirst ? { pre_transformer_layer: { '0': layerNormInit(width) }, blocks } : { blocks };
}

function attend(p: BlockParams['attn'], x: Tensor, heads: number, causal: boolean): Tensor {
  const [batch, , width] = x.shape;
  const [q, k, v] = x.matMul(p.in_proj_weight, { transB: true }).add(p.in_proj_bias).split([width, width, width], 2);
  const extended = (t: Tensor, extra: Tensor | undefined): Tensor =>
    extra ? concat([t, extra.expand([batch, 1, width])], 1) : t;
  const mixed = attention(
    splitHeads(q, heads),
    splitHeads(extended(k, p.bias_k), heads),
    splitHeads(extended(v, p.bias_v), heads),
    { causal },
  );
  return linear(p.out_proj, mergeHeads(mixed));
}

/** x + attention(norm(x)), then x + mlp(norm(x)). */
export function trunkBlock(p: BlockParams, heads: number, x: Tensor, causal = false): Tensor {
  const y = x.add(attend(p.attn, layerNorm(p.norm_1, x, NORM_EPSILON), heads, causal));
  const h = linear(p.mlp.fc1, layerNorm(p.norm_2, y, NORM_EPSILON)).gelu();
  return y.add(linear(p.mlp.fc2, h));
}

/** tokens [B, L, width] -> [B, L, width]: the residual stream after the last block. */
export function trunk(p: TrunkParams, c: TrunkConfig, tokens: Tensor, options: { causal?: boolean } = {}): Tensor {
  if (tokens.rank !== 3 || tokens.shape[2] !== c.width)
    throw new ShapeError(
      'trunk',
      `expected tokens [B, L, ${c.width}], got ${showShape(tokens.shape)}`,
      'check the configuration',
    );
  const first = p.pre_transformer_layer?.['0'];
  return p.blocks.reduce(
    (x, block) => trunkBlock(block, c.heads, x, options.causal),
    first ? layerNorm(first, tokens, NORM_EPSILON) : tokens,
  );
}

/**
 * x [B, C, T, H, W] convolved with weight [out, C, t, h, w] at a stride of the kernel: [B, T/t * H/h * W/w, out], in that
 * order. As the patches do not overlap, this is one matrix product. Throws ShapeError unless the kernel divides x.
 */
export function patches3d(weight: Tensor, x: Tensor): Tensor {
  const [out, channels, t, h, w] = weight.shape;
  const [batch, c, time, height, width] = x.shape;
  if (x.rank !== 5 || c !== channels || time % t || height % h || width % w)
    throw new ShapeError(
      'patches3d',
      `expected [B, ${channels}, ...] cut evenly by [${t}, ${h}, ${w}], got ${showShape(x.shape)}`,
      'resize the pictures, or take another number of frames',
    );
  const [nt, nh, nw] = [time / t, height / h, width / w];
  return x
    .reshape([batch, c, nt, t, nh, h, nw, w])
    .transpose([0, 2, 4, 6, 1, 3, 5, 7])
    .reshape([batch, nt * nh * nw, c * t * h * w])
    .matMul(weight.reshape([out, -1]), { transB: true });
}

/** x [B, 1, M, T] convolved with weight [out, 1, m, t] at a stride, patches overlapping or not: [B, patches, out]. */
export function patches2d(weight: Tensor, x: Tensor, stride: readonly [number, number]): Tensor {
  const [, , m, t] = weight.shape;
  const even = stride[0] === m && stride[1] === t && x.shape[2] % m === 0 && x.shape[3] % t === 0;
  if (even) return patches3d(weight.unsqueeze(2), x.unsqueeze(2));
  const y = conv2d({ weight }, x, { stride });
  return y.reshape([y.shape[0], y.shape[1], -1]).transpose([0, 2, 1]);
}
