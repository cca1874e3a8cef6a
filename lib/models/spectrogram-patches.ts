/**
 * Spectrograms as an autoencoder's pictures. AudioLDM 2's autoencoder takes them as they are, [B, 1, frames, mels]; on a small
 * profile squares of `patch` x `patch` values become channels first (as in patched image models, Hoogeboom et al. 2023,
 * "Simple diffusion", section 3.2), so that no convolution works at full resolution.
 */
import { ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import type { Tensor } from '../graph/tensor';

/** [B, frames, mels] -> [B, patch², frames / patch, mels / patch]. Throws ShapeError. */
export function toPatches(mel: Tensor, patch: number): Tensor {
  const [batch, frames, mels] = mel.shape;
  if (mel.rank !== 3 || frames % patch || mels % patch)
    throw new ShapeError(
      'toPatches',
      `expected [B, frames, mels] divisible by ${patch}, got ${showShape(mel.shape)}`,
      'choose another patch, or other spectrograms',
    );
  return mel
    .reshape([batch, frames / patch, patch, mels / patch, patch])
    .transpose([0, 2, 4, 1, 3])
    .reshape([batch, patch * patch, frames / patch, mels / patch]);
}

/** The other way. Throws ShapeError. */
export function fromPatches(x: Tensor, patch: number): Tensor {
  const [batch, channels, rows, columns] = x.shape;
  if (x.rank !== 4 || channels !== patch * patch)
    throw new ShapeError(
      'fromPatches',
      `expected [B, ${patch * patch}, rows, columns], got ${showShape(x.shape)}`,
      'use the patch of the configuration',
    );
  return x
    .reshape([batch, patch, patch, rows, columns])
    .transpose([0, 3, 1, 4, 2])
    .reshape([batch, rows * patch, columns * patch]);
}
