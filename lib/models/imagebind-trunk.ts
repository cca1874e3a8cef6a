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
import { conv } from '../nn/conv';
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
  const [q, k, v] = linear({ weight: p.in_proj_weight, bias: p.in_proj_bias }, x).split([width, width, width], 2);
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
 * x [B, C, ...axes] convolved with weight [out, C, ...kernel] at a stride: [B, positions, out], positions in row-major order.
 * Where the stride divides kernel and axes this is one matrix product over patches (joined from tiles of the stride's size,
 * if they overlap); else a convolution. Throws ShapeError where x has other channels or is smaller than the kernel.
 */
export function patchify(weight: Tensor, x: Tensor, stride: readonly number[]): Tensor {
  const [out, channels, ...kernel] = weight.shape;
  const [batch, found, ...axes] = x.shape;
  if (x.rank !== weight.rank || found !== channels || kernel.some((k, i) => axes[i] < k))
    throw new ShapeError(
      'patchify',
      `expected [B, ${channels}, ...] of at least [${kernel.join(', ')}], got ${showShape(x.shape)}`,
      'resize the input, or change the configuration',
    );
  if (stride.some((s, i) => kernel[i] % s || axes[i] % s)) {
    const y = conv({ weight }, x, { stride });
    return y.reshape([batch, out, -1]).transpose([0, 2, 1]);
  }
  const counts = axes.map((n, i) => (n - kernel[i]) / stride[i] + 1);
  const tiles = intoTiles(x, stride);
  // A patch is a block of tiles; its weights are put into the same order.
  const block = kernel.map((k, i) => k / stride[i]);
  const offsets = block.reduce<number[][]>(
    (all, n) => all.flatMap((o) => Array.from({ length: n }, (_, i) => [...o, i])),
    [[]],
  );
  const joined = concat(
    offsets.map((o) => tiles.slice(null, ...o.map((at, i): [number, number] => [at, at + counts[i]]))),
    -1,
  );
  const size = channels * product(kernel);
  return joined
    .reshape([batch, product(counts), size])
    .matMul(intoTiles(weight, stride).reshape([out, size]), { transB: true });
}
const product = (list: readonly number[]): number => list.reduce((a, b) => a * b, 1);

/** [B, C, ...axes] -> [B, ...tiles along each axis, C * size of a tile]. */
function intoTiles(x: Tensor, size: readonly number[]): Tensor {
  const [batch, channels, ...axes] = x.shape;
  const counts = axes.map((n, i) => n / size[i]);
  const at = size.map((_, i) => 2 + 2 * i);
  return x
    .reshape([batch, channels, ...size.flatMap((k, i) => [counts[i], k])])
    .transpose([0, ...at, 1, ...at.map((i) => i + 1)])
    .reshape([batch, ...counts, channels * product(size)]);
}
