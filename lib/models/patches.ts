/** Squares of pixels as channels, and back: how an autoencoder with patches enters and leaves. */
import type { Tensor } from '../graph/tensor';

/** [B, C, H, W] -> [B, C p², H / p, W / p]: the values of each square of pixels as channels (C, row, column). */
export function foldPatches(x: Tensor, p: number): Tensor {
  if (p === 1) return x;
  const [batch, channels, height, width] = x.shape;
  return x
    .reshape([batch, channels, height / p, p, width / p, p])
    .transpose([0, 1, 3, 5, 2, 4])
    .reshape([batch, channels * p * p, height / p, width / p]);
}

/** The inverse. */
export function unfoldPatches(x: Tensor, p: number): Tensor {
  if (p === 1) return x;
  const [batch, channels, rows, columns] = x.shape;
  return x
    .reshape([batch, channels / (p * p), p, p, rows, columns])
    .transpose([0, 1, 4, 2, 5, 3])
    .reshape([batch, channels / (p * p), rows * p, columns * p]);
}
