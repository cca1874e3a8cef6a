/** Rotary position embeddings (Su et al. 2021), in the half-split layout of LLaMA's published weights. */
import { ArgumentError } from '../errors';
import { apply, tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';

export interface RopeAngles {
  cos: Tensor;
  sin: Tensor;
}

/**
 * Cosines and sines of the angles position * base^(-2i / width): positions [...] int32 -> two tables [..., width /
 * 2].
 */
export function ropeAngles(positions: Tensor, width: number, base = 10000): RopeAngles {
  if (!Number.isInteger(width) || width < 2 || width % 2)
    throw new ArgumentError(
      'ropeAngles',
      `expected an even head width, got ${width}`,
      'choose a width that is an even multiple of the heads',
    );
  const frequencies = Float32Array.from({ length: width / 2 }, (_, i) => base ** ((-2 * i) / width));
  const angles = positions.cast('float32').unsqueeze(-1).mul(tensor(frequencies));
  return { cos: angles.cos(), sin: angles.sin() };
}

/** Rotates the pairs (i, i + D / 2) of x [B, H, T, D] by tables [T, D / 2] or [B, T, D / 2]. */
export const rotate = (x: Tensor, { cos, sin }: RopeAngles): Tensor => apply('rotaryEmbedding', {}, x, cos, sin);
