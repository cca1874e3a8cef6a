/** Linear layers and embeddings. */
import { ArgumentError } from '../errors';
import { sizeOf } from '../graph/shape';
import type { Tensor } from '../graph/tensor';
import { filled, normal } from './init';
import type { Noise } from './init';
import { is4Bit, product4Bit } from './linear-4bit';
import type { Weight4Bit } from './linear-4bit';

/** A low-rank update of a linear layer: scale * B A, A [rank, in], B [out, rank] (Hu et al. 2021, section 4.1). */
export interface LoraParams {
  A: Tensor;
  B: Tensor;
  scale: number;
}
/** weight [out, in] and bias [out], as PyTorch stores them. */
export type LinearParams = { weight: Tensor; bias?: Tensor; lora?: LoraParams };
/** A layer whose weight has 4 bits (linear-4bit.ts). */
export type Linear4BitParams = Omit<LinearParams, 'weight'> & { weight: Weight4Bit };

/** Weights normal with standard deviation `std` (1 / sqrt(inputs)), biases zero. */
export function linearInit(
  rng: Noise,
  inputs: number,
  outputs: number,
  options: { bias?: boolean; std?: number } = {},
): LinearParams {
  const { bias = true, std = 1 / Math.sqrt(inputs) } = options;
  const weight = normal(rng, [outputs, inputs], std);
  return bias ? { weight, bias: filled([outputs], 0) } : { weight };
}

/** x [..., in] -> x W^T + b [..., out], plus the low-rank update where the layer carries one. */
export function linear(p: LinearParams | Linear4BitParams, x: Tensor): Tensor {
  // One product of the flattened batch.
  const { rank, shape } = x;
  const rows = rank > 2 ? x.reshape([sizeOf(shape.slice(0, -1)), shape[rank - 1]]) : x;
  const y = product(p, rows);
  const z = p.bias ? y.add(p.bias) : y;
  return rank > 2 ? z.reshape([...shape.slice(0, -1), z.shape[1]]) : z;
}

function product({ weight, lora }: LinearParams | Linear4BitParams, x: Tensor): Tensor {
  if (is4Bit(weight)) {
    const y = product4Bit(weight, x);
    return lora ? y.add(update(lora, x)) : y;
  }
  if (lora && addsFirst(weight, lora, x))
    return x.matMul(weight.add(lora.B.matMul(lora.A.mul(lora.scale))), { transB: true });
  const y = x.matMul(weight, { transB: true });
  return lora ? y.add(update(lora, x)) : y;
}

/** The scale goes to the smallest factor. */
const update = ({ A, B, scale }: LoraParams, x: Tensor): Tensor =>
  x.matMul(A.mul(scale), { transB: true }).matMul(B, { transB: true });

/**
 * Whether it takes fewer operations to add B A to the weight before the product with x. For n rows of x, a training step then
 * also takes the gradient of the whole weight, n in out, and three products of B's and A's size; apart, the update takes
 * three passes of n rank (in + out).
 */
function addsFirst({ shape: [outputs, inputs] }: Tensor, { A }: LoraParams, x: Tensor): boolean {
  const rank = A.shape[0];
  const rows = x.size / inputs;
  return inputs * outputs * (rows + 3 * rank) < 3 * rows * rank * (inputs + outputs);
}

export type EmbeddingParams = { weight: Tensor };

/** A table of `count` rows, normal with standard deviation `std`. */
export function embeddingInit(rng: Noise, count: number, width: number, std = 0.02): EmbeddingParams {
  return { weight: normal(rng, [count, width], std) };
}

/** Rows of the table: ids [...] int32 -> [..., width]. */
export function embedding(p: EmbeddingParams, ids: Tensor): Tensor {
  if ('lora' in p)
    throw new ArgumentError(
      'embedding',
      'expected a table without a low-rank update, got one with',
      'LoRA adapts linear layers: leave the embedding out of its targets',
    );
  return p.weight.gather(ids, 0);
}
