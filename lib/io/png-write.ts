/**
 * PNG, written (W3C, "Portable Network Graphics", 3rd edition). Only runs are compressed (zlib's run-length strategy): its
 * search for longer matches differs between processors, and one picture must give one file everywhere.
 */
import { constants, crc32, deflateSync } from 'node:zlib';
import { ArgumentError } from '../errors';
import { toRgba } from './pixels';
import type { Pixels } from './pixels';

export const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

function chunk(name: string, body: Uint8Array): Buffer {
  const out = Buffer.alloc(12 + body.length);
  out.writeUInt32BE(body.length, 0);
  out.write(name, 4, 'latin1');
  out.set(body, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + body.length)), 8 + body.length);
  return out;
}

/** The predictor of PNG's filter 4: of left, above and above left, the one nearest to their plane. */
export function paeth(left: number, above: number, corner: number): number {
  const p = left + above - corner;
  const [a, b, c] = [Math.abs(p - left), Math.abs(p - above), Math.abs(p - corner)];
  return a <= b && a <= c ? left : b <= c ? above : corner;
}

/** One row by each of the five filters; the one with the smallest differences is put out. */
function filterRow(row: Uint8Array, above: Uint8Array, channels: number, out: Uint8Array): void {
  let least = Infinity;
  const trial = new Uint8Array(row.length);
  for (let kind = 0; kind < 5; kind++) {
    let sum = 0;
    for (let i = 0; i < row.length; i++) {
      const left = i < channels ? 0 : row[i - channels];
      const corner = i < channels ? 0 : above[i - channels];
      const guess =
        kind === 0
          ? 0
          : kind === 1
            ? left
            : kind === 2
              ? above[i]
              : kind === 3
                ? (left + above[i]) >> 1
                : paeth(left, above[i], corner);
      const rest = (row[i] - guess) & 255;
      trial[i] = rest;
      sum += rest < 128 ? rest : 256 - rest;
    }
    if (sum >= least) continue;
    least = sum;
    out[0] = kind;
    out.set(trial, 1);
  }
}

/**
 * The picture as PNG, 8 bits a channel, each pixel a square of `scale` pixels; without an alpha channel where all is
 * opaque. Same pixels, same bytes. @throws ArgumentError
 */
export function encodePng(pixels: Pixels, scale = 1): Uint8Array {
  if (!(Number.isInteger(scale) && scale >= 1 && scale <= 64))
    throw new ArgumentError(
      'image',
      `expected scale as a whole number from 1 to 64, got ${scale}`,
      'each pixel becomes a square',
    );
  const rgba = toRgba(pixels);
  let opaque = true;
  for (let i = 3; i < rgba.length; i += 4) opaque &&= rgba[i] === 255;
  const channels = opaque ? 3 : 4;
  const [width, height] = [pixels.width * scale, pixels.height * scale];
  const stride = width * channels;
  const raw = new Uint8Array(height * (stride + 1));
  let above = new Uint8Array(stride);
  for (let y = 0; y < height; y++) {
    const row = new Uint8Array(stride);
    for (let x = 0; x < width; x++) {
      const from = (Math.floor(y / scale) * pixels.width + Math.floor(x / scale)) * 4;
      for (let c = 0; c < channels; c++) row[x * channels + c] = rgba[from + c];
    }
    filterRow(row, above, channels, raw.subarray(y * (stride + 1), (y + 1) * (stride + 1)));
    above = row;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  header[9] = opaque ? 2 : 6;
  const body = deflateSync(raw, { level: 9, strategy: constants.Z_RLE });
  return new Uint8Array(
    Buffer.concat([
      Buffer.from(PNG_SIGNATURE),
      chunk('IHDR', header),
      chunk('IDAT', body),
      chunk('IEND', new Uint8Array(0)),
    ]),
  );
}

/** Width and height of a PNG, read from its first chunk. @throws ArgumentError when the bytes are not a PNG. */
export function pngSize(png: Uint8Array): { width: number; height: number } {
  if (png.length < 24 || PNG_SIGNATURE.some((byte, i) => png[i] !== byte)) {
    throw new ArgumentError(
      'image',
      'expected the bytes of a PNG file, got something else',
      'for raw pixels give {data, width, height}',
    );
  }
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}
