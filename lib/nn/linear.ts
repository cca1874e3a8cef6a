/** Linear layers and embeddings. */
import { ArgumentError } from '../errors';
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
  let y = is4Bit(p.weight) ? product4Bit(p.weight, x) : x.matMul(p.weight, { transB: true });
  if (p.lora) y = y.add(x.matMul(p.lora.A, { transB: true }).matMul(p.lora.B, { transB: true }).mul(p.lora.scale));
  return p.bias ? y.add(p.bias) : y;
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
