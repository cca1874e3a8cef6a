/** Pictures set in a grid. */
import { ArgumentError } from '../../errors';
import { channelsOf, toRgba } from '../../io/pixels';
import type { Pixels } from '../../io/pixels';
import { canvasFont, loadCanvas, type CanvasLike } from '../fonts';

const where = 'image';

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
