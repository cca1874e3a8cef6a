/** Pixels as files and screens have them (channels together, bytes), from and to pictures (planes of floats). */
import { ArgumentError } from '../errors';
import type { Clip, Picture } from './media';
import { frameOf } from './media';

/**
 * Pixels in rows from the top, each pixel's channels together (height x width x channels): bytes, or floats in [0, 1].
 */
export interface Pixels {
  data: Uint8Array | Uint8ClampedArray | Float32Array;
  width: number;
  height: number;
}

const where = 'image';

/** Channels of the picture: 3 (RGB) or 4 (RGBA). @throws ArgumentError when the sizes do not fit. */
export function channelsOf({ data, width, height }: Pixels): 3 | 4 {
  if (!(Number.isInteger(width) && width > 0 && Number.isInteger(height) && height > 0)) {
    throw new ArgumentError(where, `expected width and height above 0, got ${width} x ${height}`, 'give both');
  }
  const channels = data.length / (width * height);
  if (channels !== 3 && channels !== 4) {
    throw new ArgumentError(
      where,
      `expected ${width * height * 3} (RGB) or ${width * height * 4} (RGBA) values for ${width} x ${height} pixels, got ${data.length}`,
      'order the values height x width x channels; repeat a grey value three times',
    );
  }
  return channels;
}

/** The picture as RGBA bytes. Floats outside [0, 1] are an error, not clipped: they mean a wrong scale. */
export function toRgba(pixels: Pixels): Uint8ClampedArray {
  const { data, width, height } = pixels;
  const isFloat = data instanceof Float32Array;
  if (!isFloat && !(data instanceof Uint8Array) && !(data instanceof Uint8ClampedArray)) {
    throw new ArgumentError(where, `expected bytes or a Float32Array, got ${typeof data}`, 'convert the values first');
  }
  const channels = channelsOf(pixels);
  const rgba = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 4; c++) {
      const value = c < channels ? data[i * channels + c] : isFloat ? 1 : 255;
      // Half a grey level of rounding error is allowed.
      if (isFloat && !(value >= -0.002 && value <= 1.002)) {
        throw new ArgumentError(
          where,
          `expected floats in [0, 1], got ${value} at pixel (${i % width}, ${Math.floor(i / width)}), channel ${c}`,
          'map the values to [0, 1] first, for instance (x + 1) / 2 for [-1, 1], and clip',
        );
      }
      rgba[i * 4 + c] = isFloat ? Math.round(value * 255) : value;
    }
  }
  return rgba;
}

/** A picture's planes as pixels of three bytes. @throws ArgumentError for values outside [0, 1], as toRgba */
export function pixelsOf({ width, height, data }: Picture): Pixels {
  const size = width * height;
  if (data.length !== 3 * size)
    throw new ArgumentError(
      where,
      `expected ${3 * size} values for ${width} x ${height} pixels in three planes, got ${data.length}`,
      'a picture is [3, height, width]',
    );
  const floats = new Float32Array(3 * size);
  for (let i = 0; i < size; i++) for (let c = 0; c < 3; c++) floats[i * 3 + c] = data[c * size + i];
  const rgba = toRgba({ width, height, data: floats });
  const bytes = new Uint8Array(3 * size);
  for (let i = 0; i < size; i++) for (let c = 0; c < 3; c++) bytes[i * 3 + c] = rgba[i * 4 + c];
  return { width, height, data: bytes };
}

/** RGBA bytes as a picture's planes; what is transparent lies on white. */
export function pictureOf(rgba: ArrayLike<number>, width: number, height: number): Picture {
  const size = width * height;
  const data = new Float32Array(3 * size);
  for (let i = 0; i < size; i++) {
    const alpha = rgba[i * 4 + 3] / 255;
    for (let c = 0; c < 3; c++) data[c * size + i] = 1 - alpha + (alpha * rgba[i * 4 + c]) / 255;
  }
  return { width, height, data };
}

/** Pictures of one size as a clip. @throws ArgumentError */
export function clipOf(pictures: readonly Picture[], fps: number): Clip {
  if (!pictures.length) throw new ArgumentError('clipOf', 'expected at least one frame, got none', 'a clip has frames');
  const [{ width, height }] = pictures;
  const length = 3 * width * height;
  const data = new Float32Array(pictures.length * length);
  pictures.forEach((picture, f) => {
    if (picture.width !== width || picture.height !== height)
      throw new ArgumentError(
        'clipOf',
        `expected frames of ${width} x ${height}, got ${picture.width} x ${picture.height} for frame ${f}`,
        'all frames of a clip have one size',
      );
    data.set(picture.data, f * length);
  });
  return { width, height, frames: pictures.length, fps, data };
}

/** The frames of a clip as pictures; they share its memory. */
export const framesOf = (clip: Clip): Picture[] => Array.from({ length: clip.frames }, (_, f) => frameOf(clip, f));
