/** GIF, written: an endless animation. It has 256 colours in all (palette.ts), so it is a little coarser than the clip. */
import { ArgumentError } from '../errors';
import type { Clip } from './media';
import { quantize } from './palette';
import { framesOf, pixelsOf } from './pixels';

/** Packs colour numbers (Welch's variant of Lempel & Ziv) into sub-blocks. */
function pack(least: number, indices: Uint8Array): Buffer {
  const [clear, end] = [1 << least, (1 << least) + 1];
  const bytes: number[] = [];
  let [held, bits, size, next] = [0, 0, least + 1, end + 1];
  const put = (code: number): void => {
    held |= code << bits;
    bits += size;
    for (; bits >= 8; bits -= 8, held >>>= 8) bytes.push(held & 255);
  };
  let known = new Map<number, number>();
  put(clear);
  let prefix = indices[0];
  for (let i = 1; i < indices.length; i++) {
    const key = prefix * 256 + indices[i];
    const code = known.get(key);
    if (code !== undefined) {
      prefix = code;
      continue;
    }
    put(prefix);
    if (next < 4096) {
      known.set(key, next);
      if (next++ === 1 << size) size++;
    } else {
      put(clear);
      [size, next, known] = [least + 1, end + 1, new Map<number, number>()];
    }
    prefix = indices[i];
  }
  put(prefix);
  put(end);
  if (bits) bytes.push(held & 255);
  const blocks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 255) {
    const part = bytes.slice(at, at + 255);
    blocks.push(Buffer.from([part.length, ...part]));
  }
  return Buffer.concat([Buffer.from([least]), ...blocks, Buffer.from([0])]);
}

const words = (...values: number[]): number[] => values.flatMap((v) => [v & 255, v >> 8]);

/** The clip as an animated GIF, each pixel a square of `scale` pixels. Same clip, same bytes. @throws ArgumentError */
export function encodeGif(clip: Clip, scale = 1): Uint8Array {
  const [width, height] = [clip.width * scale, clip.height * scale];
  if (!(Number.isInteger(scale) && scale >= 1 && scale <= 64 && width < 65536 && height < 65536))
    throw new ArgumentError(
      'GIF',
      `expected sides below 65536, got ${width} x ${height}`,
      'scale is a whole number, 1 to 64',
    );
  if (!(clip.fps > 0 && clip.fps <= 50))
    throw new ArgumentError(
      'GIF',
      `expected at most 50 frames a second, got ${clip.fps}`,
      'take fewer frames (pickFrames)',
    );
  const size = clip.width * clip.height;
  const rgb = new Uint8Array(clip.frames * size * 3);
  framesOf(clip).forEach((frame, f) => rgb.set(pixelsOf(frame).data, f * size * 3));
  const { palette, indices } = quantize(rgb);
  // Colour tables have a power of two of entries; least = bits of a colour number, 2 at the least.
  const least = Math.max(2, Math.ceil(Math.log2(palette.length / 3)));
  const table = Buffer.alloc(3 << least);
  table.set(palette);
  const parts: Buffer[] = [
    Buffer.from('GIF89a', 'latin1'),
    Buffer.from([...words(width, height), 0xf0 | (least - 1), 0, 0]),
    table,
    Buffer.from([0x21, 0xff, 11, ...Buffer.from('NETSCAPE2.0', 'latin1'), 3, 1, 0, 0, 0]),
  ];
  for (let f = 0; f < clip.frames; f++) {
    // Delays are whole hundredths of a second; rounding the times instead keeps the clip's length.
    const delay = Math.round((100 * (f + 1)) / clip.fps) - Math.round((100 * f) / clip.fps);
    const frame = new Uint8Array(width * height);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        frame[y * width + x] = indices[f * size + Math.floor(y / scale) * clip.width + Math.floor(x / scale)];
    parts.push(
      Buffer.from([0x21, 0xf9, 4, 4, ...words(delay), 0, 0]),
      Buffer.from([0x2c, ...words(0, 0, width, height), 0]),
      pack(least, frame),
    );
  }
  return new Uint8Array(Buffer.concat([...parts, Buffer.from([0x3b])]));
}
