/** What every reader of media refuses: sizes that no picture of use has, before memory is spent on them. */
import { FormatError } from '../errors';

export interface ReadLimits {
  /** Most pixels of a picture, or of all frames of a clip. Default 33,554,432 (2^25), which a camera's photos fit. */
  maxPixels?: number;
}

export const MAX_PIXELS = 2 ** 25;

/** @throws FormatError for a picture without pixels or with too many */
export function checkPixels(
  where: string,
  width: number,
  height: number,
  frames: number,
  maxPixels = MAX_PIXELS,
): void {
  if (!width || !height || !frames)
    throw new FormatError(where, `expected a picture, got one of ${width} x ${height} pixels`, 'the file is damaged');
  if (width * height * frames > maxPixels)
    throw new FormatError(
      where,
      `expected at most ${maxPixels} pixels, got ${frames > 1 ? `${frames} frames of ` : ''}${width} x ${height}`,
      'make it smaller first, or raise maxPixels',
    );
}

/** What is said of a file that ends too early. */
export const cutOff = (where: string, what: string): FormatError =>
  new FormatError(where, `expected ${what}, got the end of the file`, 'the file is cut off; copy or save it again');
