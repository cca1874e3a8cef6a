/** JPEG, read, by the package jpeg-js; sizes are checked before anything is unpacked, and photos are turned upright. */
import { decode } from 'jpeg-js';
import { FormatError } from '../errors';
import { MAX_PIXELS, checkPixels, cutOff } from './limits';
import type { ReadLimits } from './limits';
import type { Picture } from './media';
import { pictureOf } from './pixels';

/** Orientation (1 to 8) of an Exif block: the tag 0x0112 of its first directory. 1 where there is none. */
function orientationOf(exif: Buffer): number {
  if (exif.length < 14 || exif.toString('latin1', 0, 6) !== 'Exif\0\0') return 1;
  const tiff = exif.subarray(6);
  const little = tiff.toString('latin1', 0, 2) === 'II';
  const u16 = (at: number): number =>
    at + 2 > tiff.length ? 0 : little ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at);
  const start = little ? tiff.readUInt32LE(4) : tiff.readUInt32BE(4);
  for (let i = 0; i < u16(start); i++) {
    const at = start + 2 + 12 * i;
    if (u16(at) !== 0x0112) continue;
    const value = u16(at + 8);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

/** Reads the markers before the pixels: size, and orientation. */
function readMarkers(where: string, file: Buffer): { width: number; height: number; orientation: number } {
  let orientation = 1;
  for (let at = 2; ;) {
    while (file[at] === 0xff && file[at + 1] === 0xff) at++;
    if (at + 4 > file.length) throw cutOff(where, 'the size of the JPEG');
    if (file[at] !== 0xff)
      throw new FormatError(where, `expected a marker of JPEG at byte ${at}, got ${file[at]}`, 'the file is damaged');
    const marker = file[at + 1];
    const length = file.readUInt16BE(at + 2);
    if (at + 2 + length > file.length) throw cutOff(where, 'the size of the JPEG');
    // SOF0 to SOF15, but for DHT, JPG and DAC, which lie between them.
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      if (marker > 0xc2)
        throw new FormatError(
          where,
          `expected a baseline or progressive JPEG, got coding ${marker - 0xc0}`,
          'save it as an ordinary JPEG or as PNG',
        );
      return { height: file.readUInt16BE(at + 5), width: file.readUInt16BE(at + 7), orientation };
    }
    if (marker === 0xe1) orientation = orientationOf(file.subarray(at + 4, at + 2 + length));
    at += 2 + length;
  }
}

/** For each orientation, whether axes are swapped, and which are mirrored after that: [swap, mirror x, mirror y]. */
const TURNS: readonly (readonly [boolean, boolean, boolean])[] = [
  [false, false, false],
  [false, true, false],
  [false, true, true],
  [false, false, true],
  [true, false, false],
  [true, true, false],
  [true, true, true],
  [true, false, true],
];

function upright(picture: Picture, orientation: number): Picture {
  const [swap, mirrorX, mirrorY] = TURNS[orientation - 1];
  if (orientation === 1) return picture;
  const { width: w, height: h } = picture;
  const [width, height] = swap ? [h, w] : [w, h];
  const data = new Float32Array(picture.data.length);
  for (let c = 0; c < 3; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const [i, j] = [mirrorX ? width - 1 - x : x, mirrorY ? height - 1 - y : y];
        data[(c * height + y) * width + x] = picture.data[(c * h + (swap ? i : j)) * w + (swap ? j : i)];
      }
  return { width, height, data };
}

/** Reads a JPEG's bytes. @throws FormatError for what is damaged, cut off or too large */
export function decodeJpeg(bytes: Uint8Array, where = 'JPEG', limits: ReadLimits = {}): Picture {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { width, height, orientation } = readMarkers(where, file);
  const maxPixels = limits.maxPixels ?? MAX_PIXELS;
  checkPixels(where, width, height, 1, maxPixels);
  // The decoder fills what is missing with grey; a whole file has the end marker.
  if (file.lastIndexOf(Buffer.from([0xff, 0xd9])) < 0) throw cutOff(where, 'the end marker of the JPEG');
  try {
    const image = decode(file, {
      useTArray: true,
      tolerantDecoding: false,
      maxResolutionInMP: maxPixels / 1e6,
      maxMemoryUsageInMB: Math.max(64, (maxPixels / 2 ** 20) * 32),
    });
    return upright(pictureOf(image.data, image.width, image.height), orientation);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new FormatError(
      where,
      `expected a whole JPEG, got: ${why}`,
      'the file is damaged; save it again, or as PNG',
      {
        cause: error,
      },
    );
  }
}
