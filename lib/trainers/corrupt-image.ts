/**
 * mDPO's corruption of an image: a random piece of 1 to 20 % of its area, enlarged to the size of the whole (torchvision's
 * RandomResizedCrop with scale (0.01, 0.2), ratio (3/4, 4/3), bilinear).
 */
import { ArgumentError } from '../errors';
import type { Picture } from '../io/media';
import { resizePicture } from '../io/resize';
import type { Random } from '../nn/random';

export interface CropOptions {
  /** Least and largest share of the area that is kept. Default [0.01, 0.2]. */
  scale?: readonly [number, number];
  /** Least and largest ratio of width to height. Default [3/4, 4/3]. */
  ratio?: readonly [number, number];
}

/** Where a piece lies: whole pixels. */
export interface Crop {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Draws a piece: its area and the logarithm of its ratio are uniform; after ten misses the largest allowed piece in the middle. */
export function drawCrop(
  random: Random,
  { width, height }: { width: number; height: number },
  { scale = [0.01, 0.2], ratio = [3 / 4, 4 / 3] }: CropOptions = {},
): Crop {
  if (!(scale[0] > 0 && scale[0] <= scale[1] && scale[1] <= 1 && ratio[0] > 0 && ratio[0] <= ratio[1]))
    throw new ArgumentError(
      'drawCrop',
      `expected rising ranges of scale (within (0, 1]) and ratio (above 0), got [${scale.join(', ')}] and [${ratio.join(', ')}]`,
      'mDPO uses [0.01, 0.2] and [3/4, 4/3]',
    );
  const between = ([low, high]: readonly [number, number]): number => low + (high - low) * random.uniform();
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * between(scale);
    const shape = Math.exp(between([Math.log(ratio[0]), Math.log(ratio[1])]));
    const [w, h] = [Math.round(Math.sqrt(area * shape)), Math.round(Math.sqrt(area / shape))];
    if (w >= 1 && h >= 1 && w <= width && h <= height)
      return { left: random.int(width - w + 1), top: random.int(height - h + 1), width: w, height: h };
  }
  const shape = Math.min(ratio[1], Math.max(ratio[0], width / height));
  const w = Math.min(width, Math.max(1, Math.round(height * shape)));
  const h = Math.min(height, Math.max(1, Math.round(width / shape)));
  return { left: (width - w) >> 1, top: (height - h) >> 1, width: w, height: h };
}

/** The piece of a picture, enlarged to the picture's size. */
export function cropAndResize(picture: Picture, { left, top, width, height }: Crop): Picture {
  const data = new Float32Array(3 * width * height);
  for (let c = 0; c < 3; c++)
    for (let y = 0; y < height; y++) {
      const from = (c * picture.height + top + y) * picture.width + left;
      data.set(picture.data.subarray(from, from + width), (c * height + y) * width);
    }
  return resizePicture({ width, height, data }, picture.width, picture.height);
}

/** The picture as mDPO corrupts it. Same stream, same picture. */
export const corruptPicture = (random: Random, picture: Picture, options?: CropOptions): Picture =>
  cropAndResize(picture, drawCrop(random, picture, options));
