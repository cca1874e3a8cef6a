/** Raw pictures: checked, turned into bytes, written as PNG, set in a grid. */
import { ArgumentError } from '../../errors';
import { canvasFont, loadCanvas, type CanvasLike } from '../fonts';

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
function channelsOf({ data, width, height }: Pixels): 3 | 4 {
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

function canvasOf(pixels: Pixels): CanvasLike {
  const rgba = toRgba(pixels);
  const canvas = loadCanvas(where).createCanvas(pixels.width, pixels.height);
  const context = canvas.getContext('2d');
  const image = context.createImageData(pixels.width, pixels.height);
  image.data.set(rgba);
  context.putImageData(image, 0, 0);
  return canvas;
}

function checkScale(scale: number): void {
  if (!(Number.isInteger(scale) && scale >= 1 && scale <= 64)) {
    throw new ArgumentError(
      where,
      `expected scale as a whole number from 1 to 64, got ${scale}`,
      'each pixel becomes a square',
    );
  }
}

/** The picture as PNG, each pixel a square of `scale` pixels. @throws ArgumentError, MissingPackageError */
export function encodePng(pixels: Pixels, scale = 1): Uint8Array {
  checkScale(scale);
  const source = canvasOf(pixels);
  if (scale === 1) return new Uint8Array(source.toBuffer('image/png'));
  const canvas = loadCanvas(where).createCanvas(pixels.width * scale, pixels.height * scale);
  const context = canvas.getContext('2d');
  context.imageSmoothingEnabled = false;
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return new Uint8Array(canvas.toBuffer('image/png'));
}

/** Width and height of a PNG, read from its first chunk. @throws ArgumentError when the bytes are not a PNG. */
export function pngSize(png: Uint8Array): { width: number; height: number } {
  const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  if (png.length < 24 || signature.some((byte, i) => png[i] !== byte)) {
    throw new ArgumentError(
      where,
      'expected the bytes of a PNG file, got something else',
      'for raw pixels give {data, width, height}',
    );
  }
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

export interface GridOptions {
  /** Pictures in a row; default at most 8. */
  columns?: number;
  /** Side of the square that each pixel becomes; default so that a picture is about 128 wide. */
  scale?: number;
  /** A line under each picture; one that is too long is shortened. */
  captions?: string[];
}

/** Sets pictures of any sizes in a grid on white, as one PNG. @throws ArgumentError, MissingPackageError */
export function gridPng(images: Pixels[], options: GridOptions = {}): Uint8Array {
  if (images.length === 0) throw new ArgumentError('imageGrid', 'expected at least one image, got none', 'give images');
  const { captions } = options;
  if (captions && captions.length !== images.length) {
    throw new ArgumentError(
      'imageGrid',
      `expected ${images.length} captions, got ${captions.length}`,
      'give one for each image, an empty one where there is nothing to say',
    );
  }
  images.forEach(channelsOf);
  const columns = Math.min(images.length, options.columns ?? 8);
  const widest = Math.max(...images.map((image) => image.width));
  const scale = options.scale ?? Math.max(1, Math.round(128 / widest));
  checkScale(scale);
  if (!(Number.isInteger(columns) && columns > 0)) {
    throw new ArgumentError('imageGrid', `expected columns above 0, got ${columns}`, 'give a whole number');
  }
  const gap = 8;
  const line = captions ? 18 : 0;
  const cell = { width: widest * scale, height: Math.max(...images.map((image) => image.height)) * scale + line };
  const rows = Math.ceil(images.length / columns);
  const canvas = loadCanvas('imageGrid').createCanvas(
    columns * (cell.width + gap) + gap,
    rows * (cell.height + gap) + gap,
  );
  const context = canvas.getContext('2d');
  context.fillStyle = 'white';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = false;
  context.font = canvasFont(12);
  context.textAlign = 'center';
  images.forEach((image, i) => {
    const x = gap + (i % columns) * (cell.width + gap);
    const y = gap + Math.floor(i / columns) * (cell.height + gap);
    const left = x + Math.floor((cell.width - image.width * scale) / 2);
    context.drawImage(canvasOf(image), left, y, image.width * scale, image.height * scale);
    if (!captions) return;
    context.fillStyle = '#222222';
    let text = captions[i];
    while (text.length > 1 && context.measureText(text).width > cell.width)
      text = `${text.replace(/…$/, '').slice(0, -1)}…`;
    context.fillText(text, x + cell.width / 2, y + cell.height - 4);
  });
  return new Uint8Array(canvas.toBuffer('image/png'));
}
