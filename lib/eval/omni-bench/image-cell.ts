/**
 * Pictures in a cell of a table, in every form that benchmarks have them: base64, data URL, path, the file's bytes,
 * {bytes, path} (Hugging Face's datasets), arrays of pixels (height x width, or with 1, 3 or 4 channels), lists of these,
 * and a token that says that there is none.
 *
 * The released reader takes whatever it cannot read for a missing picture; here it is an error, which the row then gets.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { FormatError } from '../../errors';
import { pictureOf, readImage } from '../../io';
import type { Picture } from '../../io';

export interface CellOptions {
  /** Stands for a picture that was taken out. Released: "<TLTS>". */
  absent?: string;
  /** Relative paths are looked for from the working directory, then from here. */
  folder?: string;
}

/** Shorter texts are taken for paths first: pictures in base64 are longer. */
const SHORTEST_BASE64 = 256;
const BASE64 = /^[A-Za-z0-9+/=\s]+$/;
const HELP = 'give base64, a data URL, a path, bytes, {bytes, path} or pixels';

const bad = (what: string): FormatError => new FormatError('picture', `expected a picture, got ${what}`, HELP);
const isBytes = (value: unknown): value is Uint8Array => value instanceof Uint8Array;
const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
const isNumeric = (value: unknown): boolean => typeof value === 'number' || typeof value === 'bigint';

/** The items of a cell, without empty ones. An array of pixels or of bytes is one item. */
function items(value: unknown, absent: string): unknown[] {
  if (value === null || value === undefined || value === absent || value === '') return [];
  if (!Array.isArray(value)) return [value];
  const first = value.find((item) => item !== null && item !== undefined) as unknown;
  if (isNumeric(first) || (isList(first) && !isBytes(first) && isNumericDeep(first))) {
    // [height][width] and deeper are pixels, a list of pictures has one more level.
    return depth(value) > 3 ? value.filter((v) => v !== null) : [value];
  }
  return value.flatMap((item) => items(item, absent));
}

const isNumericDeep = (value: unknown): boolean => (isList(value) ? isNumericDeep(value[0]) : isNumeric(value));
const depth = (value: unknown): number => (isList(value) && value.length ? 1 + depth(value[0]) : 0);

/** Rows of pixels as a picture; other numbers than 0 to 255 are cut off there. */
function pixels(rows: ArrayLike<unknown>): Picture {
  const height = rows.length;
  const width = (rows[0] as ArrayLike<unknown>).length;
  const rgba = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    const row = rows[y] as ArrayLike<unknown>;
    if (!isList(row) || row.length !== width) throw bad(`rows of different lengths (row ${y})`);
    for (let x = 0; x < width; x++) {
      const pixel = isList(row[x]) ? Array.from(row[x] as ArrayLike<unknown>, Number) : [Number(row[x])];
      if (![1, 3, 4].includes(pixel.length) || pixel.some(Number.isNaN)) throw bad(`a pixel of ${pixel.length} values`);
      // As the released reader, a fourth channel is left out, not laid on white.
      const [red, green, blue] = pixel.length === 1 ? [pixel[0], pixel[0], pixel[0]] : pixel;
      rgba.set([red, green, blue, 255].map(Math.trunc), (y * width + x) * 4);
    }
  }
  return pictureOf(rgba, width, height);
}

function fromBase64(text: string): Promise<Picture> {
  return readImage(Buffer.from(text, 'base64'));
}

async function fromText(text: string, folder?: string): Promise<Picture> {
  if (text.startsWith('data:image/')) {
    const comma = text.indexOf(',');
    if (comma < 0) throw bad('a data URL without data');
    return fromBase64(text.slice(comma + 1));
  }
  const looksCoded = BASE64.test(text.slice(0, 4096));
  if (looksCoded && text.length >= SHORTEST_BASE64) return fromBase64(text);
  const places = [text, ...(folder ? [path.join(folder, text)] : [])];
  const found = places.find((place) => !place.includes('\0') && fs.existsSync(place));
  if (found) return readImage(found);
  const isCoded = looksCoded && /^(iVBOR|\/9j\/|R0lGOD)/.test(text);
  if (isCoded) return fromBase64(text);
  throw bad(`${JSON.stringify(text.slice(0, 80))}, which is neither a file nor base64`);
}

async function read(item: unknown, options: CellOptions): Promise<Picture> {
  if (typeof item === 'string') return fromText(item, options.folder);
  if (isBytes(item)) return readImage(item);
  if (isList(item)) {
    const levels = depth(item);
    if (levels === 1) return readImage(Uint8Array.from(item as ArrayLike<number>, Number));
    if (levels === 2 || levels === 3) return pixels(item);
    throw bad(`an array of ${levels} dimensions`);
  }
  if (typeof item === 'object' && item !== null) {
    const { bytes, path: file } = item as { bytes?: unknown; path?: unknown };
    if (bytes !== null && bytes !== undefined)
      try {
        return await read(bytes, options);
      } catch (error) {
        // The file may still be there.
        if (typeof file !== 'string' || !file) throw error;
      }
    if (typeof file === 'string' && file) return fromText(file, options.folder);
    throw bad('an object without bytes and path');
  }
  throw bad(`a ${typeof item}`);
}

/** The pictures of a cell, and why others of it could not be read. */
export async function readPictures(
  value: unknown,
  options: CellOptions = {},
): Promise<{ pictures: Picture[]; errors: Error[] }> {
  const pictures: Picture[] = [];
  const errors: Error[] = [];
  for (const item of items(value, options.absent ?? '<TLTS>'))
    try {
      pictures.push(await read(item, options));
    } catch (error) {
      errors.push(error as Error);
    }
  return { pictures, errors };
}
