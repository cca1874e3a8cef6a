/**
 * Files of pictures, sounds and clips. What a file is, its first bytes say, not its name; anything else is an error that
 * says what was found and what to do.
 */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { FormatError } from '../errors';
import { writeFileAtomic } from './atomic';
import { encodeGif } from './gif-write';
import { decodeGif } from './gif-read';
import { decodeJpeg } from './jpeg';
import { MAX_PIXELS, checkPixels } from './limits';
import type { ReadLimits } from './limits';
import { frameOf } from './media';
import type { Clip, Picture, Sound } from './media';
import { clipOf, pixelsOf } from './pixels';
import { decodePng } from './png-read';
import { encodePng } from './png-write';
import { resample } from './resample';
import { decodeWav } from './wav-read';
import { encodeWav } from './wav-write';

/** Larger files are not read: no picture or sound within the other limits is as long. */
const MAX_BYTES = 2 ** 28;

/** First bytes of formats, those that are read and those that people try. */
const MAGIC: readonly (readonly [string, RegExp])[] = [
  ['PNG', /^\x89PNG\r\n/],
  ['JPEG', /^\xff\xd8\xff/],
  ['GIF', /^GIF8[79]a/],
  ['WAV', /^RIFF[^]{4}WAVE/],
  ['WebP', /^RIFF[^]{4}WEBP/],
  ['AVI', /^RIFF[^]{4}AVI /],
  ['MP3', /^(ID3|\xff[\xf2\xf3\xfb])/],
  ['Ogg', /^OggS/],
  ['FLAC', /^fLaC/],
  ['MP4', /^[^]{4}ftyp/],
  ['WebM', /^[^]E\xdf\xa3/],
  ['BMP', /^BM[^]{4}\0\0\0\0/],
  ['TIFF', /^(II\*\0|MM\0\*)/],
  ['SVG', /^\s*<(\?xml|svg)/],
  ['PDF', /^%PDF/],
];

const kindOf = (bytes: Uint8Array): string | undefined => {
  const head = Buffer.from(bytes.subarray(0, 64)).toString('latin1');
  return MAGIC.find(([, pattern]) => pattern.test(head))?.[0];
};

/** Where errors say it happened, and the bytes. */
async function load(source: string | Uint8Array, what: string): Promise<{ where: string; bytes: Uint8Array }> {
  if (typeof source !== 'string') return { where: what, bytes: source };
  const stat = await fs.stat(source).catch((error: unknown) => {
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : String((error as Error).message);
    throw new FormatError(source || what, `expected a file, got: ${why}`, 'check the path', { cause: error });
  });
  if (stat.isDirectory()) throw new FormatError(source, 'expected a file, got a folder', 'name the file in it');
  if (!stat.isFile()) throw new FormatError(source, 'expected a file, got something else', 'name an ordinary file');
  if (stat.size > MAX_BYTES)
    throw new FormatError(source, `expected at most ${MAX_BYTES} bytes, got ${stat.size}`, 'make it smaller first');
  return { where: source, bytes: await fs.readFile(source) };
}

const unknown = (where: string, bytes: Uint8Array, expected: string, help: string): FormatError =>
  new FormatError(
    where,
    `expected ${expected}, got ${bytes.length ? (kindOf(bytes) ?? 'a file of another kind') : 'an empty file'}`,
    help,
  );

/**
 * Reads a picture from a PNG, JPEG or GIF (its first frame): a file, or its bytes. What is transparent lies on white.
 * @throws FormatError for a file that is missing, damaged, cut off, too large or of another kind
 */
export async function readImage(source: string | Uint8Array, limits: ReadLimits = {}): Promise<Picture> {
  const { where, bytes } = await load(source, 'readImage');
  switch (kindOf(bytes)) {
    case 'PNG':
      return decodePng(bytes, where, limits);
    case 'JPEG':
      return decodeJpeg(bytes, where, limits);
    case 'GIF': {
      const first = frameOf(decodeGif(bytes, where, limits), 0);
      return { ...first, data: first.data.slice() };
    }
    default:
      throw unknown(where, bytes, 'a PNG, JPEG or GIF picture', 'save the picture as PNG or JPEG');
  }
}

/**
 * Reads a sound from a WAV (a file, or its bytes) as mono, resampled to `sampleRate` if that is given.
 * @throws FormatError for a file that is missing, damaged, cut off, too long or of another kind
 */
export async function readAudio(
  source: string | Uint8Array,
  { sampleRate }: { sampleRate?: number } = {},
): Promise<Sound> {
  const { where, bytes } = await load(source, 'readAudio');
  if (kindOf(bytes) !== 'WAV')
    throw unknown(where, bytes, 'a WAV sound', 'convert it first, for instance: ffmpeg -i in out.wav');
  const sound = decodeWav(bytes, where);
  return sampleRate === undefined ? sound : resample(sound, sampleRate);
}

/** Names in the order in which people count: frame2 before frame10. */
const byNumber = new Intl.Collator('en', { numeric: true });

/** Frames of a folder whose files do not say how fast they follow one another. */
const FOLDER_FPS = 8;

/**
 * Reads a clip from an animated GIF (a file, or its bytes), or from a folder of pictures of one size, in the order of
 * their names (`fps` frames a second, by default 8).
 * @throws FormatError as readImage
 */
export async function readClip(
  source: string | Uint8Array,
  { fps = FOLDER_FPS, ...limits }: ReadLimits & { fps?: number } = {},
): Promise<Clip> {
  if (typeof source === 'string') {
    const stat = await fs.stat(source).catch(() => undefined);
    if (stat?.isDirectory()) return readFrames(source, fps, limits);
  }
  const { where, bytes } = await load(source, 'readClip');
  if (kindOf(bytes) !== 'GIF')
    throw unknown(
      where,
      bytes,
      'an animated GIF, or a folder of pictures',
      'convert it first, for instance: ffmpeg -i in.mp4 -vf fps=8,scale=64:-1 out.gif',
    );
  return decodeGif(bytes, where, limits);
}

async function readFrames(folder: string, fps: number, limits: ReadLimits): Promise<Clip> {
  const names = (await fs.readdir(folder)).filter((name) => /\.(png|jpe?g)$/i.test(name)).sort(byNumber.compare);
  if (!names.length)
    throw new FormatError(
      folder,
      'expected a folder of PNG or JPEG pictures, got none in it',
      'name a GIF, or another folder',
    );
  const pictures: Picture[] = [];
  for (const name of names) {
    const file = path.join(folder, name);
    const picture = await readImage(file, limits);
    const [{ width, height }] = [pictures[0] ?? picture];
    if (picture.width !== width || picture.height !== height)
      throw new FormatError(
        file,
        `expected a frame of ${width} x ${height}, got ${picture.width} x ${picture.height}`,
        'all frames of a clip have one size',
      );
    checkPixels(folder, width, height, names.length, limits.maxPixels ?? MAX_PIXELS);
    pictures.push(picture);
  }
  return clipOf(pictures, fps);
}

/** Writes a picture as PNG, each pixel a square of `scale` pixels; whole or not at all. @throws ArgumentError */
export const writePng = async (file: string, picture: Picture, { scale = 1 } = {}): Promise<void> =>
  writeFileAtomic(file, encodePng(pixelsOf(picture), scale));

/** Writes a sound as 16-bit WAV; whole or not at all. @throws ArgumentError */
export const writeWav = async (file: string, sound: Sound): Promise<void> =>
  writeFileAtomic(file, encodeWav(sound.samples, sound.sampleRate));

/** Writes a clip as animated GIF, each pixel a square of `scale` pixels; whole or not at all. @throws ArgumentError */
export const writeGif = async (file: string, clip: Clip, { scale = 1 } = {}): Promise<void> =>
  writeFileAtomic(file, encodeGif(clip, scale));
