/** Pictures and clips in another size. */
import { ArgumentError } from '../errors';
import type { Clip, Picture } from './media';

/**
 * Weights of source pixels for each target pixel on one axis: a triangle (bilinear), as wide as a source pixel or, in a
 * smaller picture, as a target pixel, so that nothing is skipped (Pillow's BILINEAR).
 */
function weightsOf(from: number, to: number): { first: number; weights: number[] }[] {
  const scale = from / to;
  const support = Math.max(1, scale);
  return Array.from({ length: to }, (_, i) => {
    const middle = (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(middle - support + 0.5));
    const end = Math.min(from, Math.floor(middle + support + 0.5));
    const weights: number[] = [];
    for (let k = first; k < end; k++) weights.push(Math.max(0, 1 - Math.abs(k + 0.5 - middle) / support));
    const total = weights.reduce((a, b) => a + b, 0);
    return { first, weights: weights.map((w) => w / total) };
  });
}

/** Resizes planes [planes, height, width]. */
function resizePlanes(
  data: Float32Array,
  [planes, height, width]: readonly [number, number, number],
  [newHeight, newWidth]: readonly [number, number],
): Float32Array {
  const [columns, rows] = [weightsOf(width, newWidth), weightsOf(height, newHeight)];
  const narrow = new Float32Array(height * newWidth);
  const out = new Float32Array(planes * newHeight * newWidth);
  for (let p = 0; p < planes; p++) {
    for (let y = 0; y < height; y++)
      columns.forEach(({ first, weights }, x) => {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k] * data[(p * height + y) * width + first + k];
        narrow[y * newWidth + x] = sum;
      });
    rows.forEach(({ first, weights }, y) => {
      for (let x = 0; x < newWidth; x++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k] * narrow[(first + k) * newWidth + x];
        out[(p * newHeight + y) * newWidth + x] = sum;
      }
    });
  }
  return out;
}

function check(where: string, width: number, height: number): void {
  if (![width, height].every((side) => Number.isInteger(side) && side >= 1 && side <= 16384))
    throw new ArgumentError(where, `expected sides from 1 to 16384, got ${width} x ${height}`, 'give sides in pixels');
}

/**
 * The picture in another size, filtered so that no pixel is skipped. Proportions are not kept; crop first (`cropSquare`)
 * where they matter.
 */
export function resizePicture(picture: Picture, width: number, height: number): Picture {
  check('resizePicture', width, height);
  if (picture.width === width && picture.height === height) return picture;
  const data = resizePlanes(picture.data, [3, picture.height, picture.width], [height, width]);
  return { width, height, data };
}

/** The clip in another size; see resizePicture. The number of frames stays. */
export function resizeClip(clip: Clip, width: number, height: number): Clip {
  check('resizeClip', width, height);
  if (clip.width === width && clip.height === height) return clip;
  const data = resizePlanes(clip.data, [clip.frames * 3, clip.height, clip.width], [height, width]);
  return { ...clip, width, height, data };
}

/** The middle square of planes of pixels. */
function cropPlanes(data: Float32Array, planes: number, height: number, width: number): Float32Array {
  const side = Math.min(height, width);
  const [top, left] = [(height - side) >> 1, (width - side) >> 1];
  const out = new Float32Array(planes * side * side);
  for (let p = 0; p < planes; p++)
    for (let y = 0; y < side; y++) {
      const from = (p * height + top + y) * width + left;
      out.set(data.subarray(from, from + side), (p * side + y) * side);
    }
  return out;
}

/** The largest square in the middle of a picture. */
export function cropSquare(picture: Picture): Picture {
  const { width, height, data } = picture;
  if (width === height) return picture;
  const side = Math.min(width, height);
  return { width: side, height: side, data: cropPlanes(data, 3, height, width) };
}

/** The largest square in the middle of a clip. */
export function cropClip(clip: Clip): Clip {
  const { width, height, frames, data } = clip;
  if (width === height) return clip;
  const side = Math.min(width, height);
  return { ...clip, width: side, height: side, data: cropPlanes(data, 3 * frames, height, width) };
}

/** The clip with another number of frames over the same time: of the old ones, the nearest each. */
export function pickFrames(clip: Clip, frames: number): Clip {
  if (!(Number.isInteger(frames) && frames >= 1 && frames <= 10_000))
    throw new ArgumentError('pickFrames', `expected 1 to 10000 frames, got ${frames}`, 'give a number of frames');
  if (clip.frames === frames) return clip;
  const length = 3 * clip.height * clip.width;
  const data = new Float32Array(frames * length);
  for (let f = 0; f < frames; f++) {
    const from = Math.floor(((f + 0.5) * clip.frames) / frames);
    data.set(clip.data.subarray(from * length, (from + 1) * length), f * length);
  }
  return { ...clip, frames, fps: (clip.fps * frames) / clip.frames, data };
}
