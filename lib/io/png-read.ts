/**
 * PNG, read: all colour types, bit depths and interlacing; every checksum is checked. Transparent pixels lie on white;
 * gamma and colour profiles are not applied.
 */
import { crc32, inflateSync } from 'node:zlib';
import { FormatError } from '../errors';
import { checkPixels, cutOff } from './limits';
import type { ReadLimits } from './limits';
import type { Picture } from './media';
import { PNG_SIGNATURE, paeth } from './png-write';

interface Header {
  width: number;
  height: number;
  depth: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA. */
  colour: number;
  interlaced: boolean;
}

const CHANNELS: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const DEPTHS: Record<number, readonly number[]> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

const damaged = (where: string, expected: string, got: string): FormatError =>
  new FormatError(where, `expected ${expected}, got ${got}`, 'the file is damaged; save or copy it again');

interface Chunk {
  name: string;
  body: Buffer;
}

function* chunksOf(where: string, file: Buffer): Generator<Chunk> {
  for (let at = PNG_SIGNATURE.length; ;) {
    if (at + 12 > file.length) throw cutOff(where, 'another chunk of the PNG');
    const length = file.readUInt32BE(at);
    const name = file.toString('latin1', at + 4, at + 8);
    if (at + 12 + length > file.length)
      throw cutOff(where, `${length} bytes of the PNG's chunk ${JSON.stringify(name)}`);
    const sum = file.readUInt32BE(at + 8 + length);
    if (crc32(file.subarray(at + 4, at + 8 + length)) !== sum)
      throw damaged(where, `a chunk ${JSON.stringify(name)} whose checksum is right`, 'another checksum');
    yield { name, body: file.subarray(at + 8, at + 8 + length) };
    if (name === 'IEND') return;
    at += 12 + length;
  }
}

function readHeader(where: string, { name, body }: Chunk, limits: ReadLimits): Header {
  if (name !== 'IHDR' || body.length !== 13) throw damaged(where, 'the header IHDR first', `a chunk ${name}`);
  const [width, height, depth, colour, interlace] = [
    body.readUInt32BE(0),
    body.readUInt32BE(4),
    body[8],
    body[9],
    body[12],
  ];
  if (!DEPTHS[colour]?.includes(depth) || body[10] || body[11] || interlace > 1)
    throw damaged(where, 'a colour type and depth of PNG', `type ${colour} of ${depth} bits, interlace ${interlace}`);
  checkPixels(where, width, height, 1, limits.maxPixels);
  return { width, height, depth, colour, interlaced: interlace === 1 };
}

/** The seven passes of Adam7: first column and row, and steps; a picture that is not interlaced has one pass. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

const passesOf = ({
  width,
  height,
  interlaced,
}: Header): { x: number; y: number; dx: number; dy: number; w: number; h: number }[] =>
  (interlaced ? ADAM7 : [[0, 0, 1, 1]])
    .map(([x, y, dx, dy]) => ({ x, y, dx, dy, w: Math.ceil((width - x) / dx), h: Math.ceil((height - y) / dy) }))
    .filter(({ w, h }) => w > 0 && h > 0);

/** Undoes a row's filter in place. */
function unfilter(where: string, kind: number, row: Uint8Array, above: Uint8Array | undefined, step: number): void {
  if (kind > 4) throw damaged(where, 'a row filter from 0 to 4', String(kind));
  for (let i = 0; i < row.length; i++) {
    const left = i < step ? 0 : row[i - step];
    const up = above ? above[i] : 0;
    const corner = above && i >= step ? above[i - step] : 0;
    row[i] +=
      kind === 0 ? 0 : kind === 1 ? left : kind === 2 ? up : kind === 3 ? (left + up) >> 1 : paeth(left, up, corner);
  }
}

/** Reads a PNG's bytes. @throws FormatError for what is damaged, cut off or too large */
export function decodePng(bytes: Uint8Array, where = 'PNG', limits: ReadLimits = {}): Picture {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (PNG_SIGNATURE.some((byte, i) => file[i] !== byte)) throw damaged(where, "PNG's first eight bytes", 'others');
  let header: Header | undefined;
  let palette: Buffer | undefined;
  let clear: Buffer | undefined;
  const parts: Buffer[] = [];
  for (const chunk of chunksOf(where, file)) {
    if (!header) header = readHeader(where, chunk, limits);
    else if (chunk.name === 'PLTE') palette = chunk.body;
    else if (chunk.name === 'tRNS') clear = chunk.body;
    else if (chunk.name === 'IDAT') parts.push(chunk.body);
  }
  if (!header) throw damaged(where, 'a header', 'none');
  if (header.colour === 3 && !palette) throw damaged(where, 'a palette', 'none');
  const { width, height, depth, colour } = header;
  const channels = CHANNELS[colour];
  const step = Math.max(1, (channels * depth) / 8);
  const passes = passesOf(header);
  const stride = (w: number): number => Math.ceil((w * channels * depth) / 8);
  const size = passes.reduce((sum, { w, h }) => sum + h * (1 + stride(w)), 0);
  let raw: Buffer;
  try {
    // A small file may claim to be of any size: nothing beyond what the header says is unpacked.
    raw = inflateSync(Buffer.concat(parts), { maxOutputLength: size });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new FormatError(where, `expected ${size} bytes of packed pixels, got: ${why}`, 'the file is damaged', {
      cause: error,
    });
  }
  if (raw.length !== size) throw damaged(where, `${size} bytes of pixels`, String(raw.length));

  const area = width * height;
  const data = new Float32Array(3 * area);
  const top = 2 ** depth - 1;
  // A sample of a row: whole bytes, or a few bits of one.
  const sample = (row: Uint8Array, i: number): number =>
    depth === 8
      ? row[i]
      : depth === 16
        ? row[2 * i] * 256 + row[2 * i + 1]
        : (row[(i * depth) >> 3] >> (8 - depth - ((i * depth) & 7))) & top;
  const grey = channels < 3;
  const hasAlpha = channels % 2 === 0;
  // The one colour that is clear, of pictures without alpha and palette.
  const key = clear && colour !== 3 && clear.length >= 2 * channels ? clear : undefined;
  const keyed = (row: Uint8Array, i: number): boolean => {
    for (let c = 0; c < channels; c++)
      if (!key || sample(row, i * channels + c) !== key.readUInt16BE(2 * c)) return false;
    return true;
  };
  let at = 0;
  for (const { x, y, dx, dy, w, h } of passes) {
    let above: Uint8Array | undefined;
    for (let j = 0; j < h; j++) {
      const row = raw.subarray(at + 1, at + 1 + stride(w));
      unfilter(where, raw[at], row, above, step);
      at += 1 + stride(w);
      above = row;
      for (let i = 0; i < w; i++) {
        const to = (y + j * dy) * width + x + i * dx;
        let alpha = 1;
        let index = 0;
        if (colour === 3) {
          index = sample(row, i);
          if (3 * index + 2 >= palette!.length) throw damaged(where, 'colours of the palette', `number ${index}`);
          if (clear && index < clear.length) alpha = clear[index] / 255;
        } else if (hasAlpha) alpha = sample(row, i * channels + channels - 1) / top;
        else if (key && keyed(row, i)) alpha = 0;
        for (let c = 0; c < 3; c++) {
          const value = colour === 3 ? palette![3 * index + c] / 255 : sample(row, i * channels + (grey ? 0 : c)) / top;
          data[c * area + to] = 1 - alpha + alpha * value;
        }
      }
    }
  }
  return { width, height, data };
}
