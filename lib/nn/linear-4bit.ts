/**
 * Linear layers with weights of 4 bits (Dettmers et al. 2023, "QLoRA", section 3): blocks of weights are divided by
 * their largest magnitude, and each quotient is stored as the nearest of the sixteen NF4 numbers. With double
 * quantisation the blocks' scales are stored in 8 bits themselves. Layout and rounding are bitsandbytes'.
 *
 * The product takes the codes as they are: on the CPU and CUDA as the runtime's MatMulBnb4, elsewhere written out
 * (lib/graph/onnx/targets.ts). Its MatMulNBits was not taken: it knows evenly spaced numbers only. The gradient flows to
 * the input, not to the codes, so that a low-rank update can be trained beside them.
 */
import { ArgumentError, ShapeError } from '../errors';
import { NF4 } from '../graph/nf4';
import { showShape } from '../graph/shape';
import { apply, concat, tensor, Tensor } from '../graph/tensor';
import { tensorsOf } from '../graph/tree';

/** Scales of blocks in 8 bits: offset + CODES_8BIT[codes] * scale of 256 neighbours. */
export type Scales8Bit = { codes: Tensor; scales: Tensor; offset: Tensor };
/**
 * A weight matrix [out, in]: two codes a byte, uint8 [out, in / 2], the first in the high half; a scale for each block
 * of weights in reading order, float32 [blocks], or those scales in 8 bits.
 */
export type Weight4Bit = { codes: Tensor; scales: Tensor | Scales8Bit };

export interface Quantisation {
  /** Weights that share a scale: 16, 32, 64, 128 or 256, which divides a layer's weights. Default 64. */
  blockSize?: number;
  /** Store the scales in 8 bits. Default true, as in QLoRA. */
  double?: boolean;
}

/** Scales that share one of theirs. */
const BLOCK_8BIT = 256;

/**
 * The 256 numbers of the 8-bit "dynamic" format (Dettmers 2015): a sign, a power of ten, and evenly spaced fractions,
 * the more of them the larger the power.
 */
export const CODES_8BIT: Float32Array = (() => {
  const numbers = [0, 1];
  for (let i = 0; i < 7; i++) {
    const count = 2 ** i;
    for (let j = 0; j < count; j++) {
      const middle = 0.1 + (0.9 * (j + 0.5)) / count;
      numbers.push(10 ** (i - 6) * middle, -(10 ** (i - 6)) * middle);
    }
  }
  return Float32Array.from(numbers).sort();
})();

/** The index of the nearest of ascending numbers. */
function nearest(numbers: ArrayLike<number>, x: number): number {
  let low = 0;
  let high = numbers.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= x) low = middle;
    else high = middle;
  }
  return x - numbers[low] <= numbers[high] - x ? low : high;
}

/** Codes of values, each divided by the largest magnitude of its block, and those magnitudes. */
function quantiseBlocks(values: Float32Array, blockSize: number, numbers: ArrayLike<number>) {
  const scales = new Float32Array(Math.ceil(values.length / blockSize));
  const codes = new Uint8Array(values.length);
  scales.forEach((_, b) => {
    const block = values.subarray(b * blockSize, (b + 1) * blockSize);
    const scale = block.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
    scales[b] = scale;
    block.forEach((x, i) => (codes[b * blockSize + i] = nearest(numbers, scale ? x / scale : 0)));
  });
  return { codes, scales };
}

const checkBlock = (blockSize: number, weights: number): boolean =>
  Number.isInteger(Math.log2(blockSize)) && blockSize >= 16 && blockSize <= 256 && weights % blockSize === 0;

/** Quantises a matrix [out, in] of float32 values on the host; `in` is even. Throws ShapeError and ArgumentError. */
export async function quantise4Bit(weight: Tensor, options: Quantisation = {}): Promise<Weight4Bit> {
  const { blockSize = 64, double = true } = options;
  const [outputs, inputs] = weight.shape;
  if (weight.rank !== 2 || inputs % 2 || weight.dtype !== 'float32')
    throw new ShapeError(
      'quantise4Bit',
      `expected float32 [out, in] with an even number of inputs, got ${weight.dtype} ${showShape(weight.shape)}`,
      'leave other layers as they are',
    );
  if (!checkBlock(blockSize, weight.size))
    throw new ArgumentError(
      'quantise4Bit',
      `expected a block size of 16, 32, 64, 128 or 256 that divides ${weight.size} weights, got ${blockSize}`,
      'choose for example 64 or 16',
    );
  const values = (await weight.data()) as Float32Array;
  const bad = values.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0)
    throw new ArgumentError('quantise4Bit', `expected finite weights, got ${values[bad]}`, 'check the checkpoint');
  const { codes, scales } = quantiseBlocks(values, blockSize, NF4);
  const packed = Uint8Array.from({ length: codes.length / 2 }, (_, i) => (codes[2 * i] << 4) | codes[2 * i + 1]);
  return {
    codes: tensor(packed, { shape: [outputs, inputs / 2], dtype: 'uint8' }),
    scales: double ? quantiseScales(scales) : tensor(scales),
  };
}

function quantiseScales(scales: Float32Array): Scales8Bit {
  const offset = Math.fround(scales.reduce((a, b) => a + b, 0) / scales.length);
  const second = quantiseBlocks(
    scales.map((x) => x - offset),
    BLOCK_8BIT,
    CODES_8BIT,
  );
  return {
    codes: tensor(second.codes, { dtype: 'uint8' }),
    scales: tensor(second.scales),
    offset: tensor(Float32Array.of(offset), { shape: [] }),
  };
}

/** The scales of the blocks, float32 [blocks]. */
function scalesOf({ scales }: Weight4Bit): Tensor {
  if (scales instanceof Tensor) return scales;
  const numbers = tensor(CODES_8BIT).gather(scales.codes.cast('int32'));
  const blocks = scales.codes.size;
  const each = scales.scales.unsqueeze(1).expand([scales.scales.size, BLOCK_8BIT]).flatten().slice([0, blocks]);
  return numbers.mul(each).add(scales.offset);
}

/** x [..., in] -> x W^T [..., out], without bias. */
export const product4Bit = (w: Weight4Bit, x: Tensor): Tensor =>
  apply('matMulNf4', { transB: true }, x, w.codes, scalesOf(w));

/** The matrix that the codes stand for, float32 [out, in]. */
export function dequantise4Bit(w: Weight4Bit): Tensor {
  const scales = scalesOf(w);
  const bytes = w.codes.cast('int32').unsqueeze(-1);
  const sixteen = tensor(Int32Array.of(16), { shape: [] });
  const codes = bytesToCodes(bytes, sixteen).reshape([scales.size, -1]);
  const [outputs, half] = w.codes.shape;
  return tensor(Float32Array.from(NF4))
    .gather(codes)
    .mul(scales.unsqueeze(1))
    .reshape([outputs, 2 * half]);
}

const bytesToCodes = (bytes: Tensor, sixteen: Tensor): Tensor => concat([bytes.div(sixteen), bytes.mod(sixteen)], -1);

/** Whether a layer's weight is one of 4 bits. */
export const is4Bit = (weight: Tensor | Weight4Bit): weight is Weight4Bit => !(weight instanceof Tensor);

/** The parameters with the weights of the linear layers named `targets` (their paths' last names) in 4 bits. */
export async function load4Bit<P>(params: P, options: Quantisation & { targets: readonly string[] }): Promise<P> {
  const { targets, ...quantisation } = options;
  const jobs = new Map<Tensor, Promise<Weight4Bit>>();
  for (const target of targets) {
    const found = tensorsOf(params).filter(
      ({ path, tensor: t }) => t.rank === 2 && path.split('.').slice(-2).join('.') === `${target}.weight`,
    );
    if (!found.length)
      throw new ArgumentError(
        'load4Bit',
        `expected names of linear layers, got "${target}"`,
        'name the layers as the model does',
      );
    for (const { tensor: t } of found) jobs.set(t, quantise4Bit(t, quantisation));
  }
  const done = new Map<Tensor, Weight4Bit>();
  for (const [t, job] of jobs) done.set(t, await job);
  const visit = (node: unknown): unknown => {
    if (node instanceof Tensor) return done.get(node) ?? node;
    if (Array.isArray(node)) return node.map(visit);
    if (typeof node !== 'object' || node === null) return node;
    return Object.fromEntries(Object.entries(node).map(([k, v]) => [k, visit(v)]));
  };
  return visit(params) as P;
}
