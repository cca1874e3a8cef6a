/** Shows pictures and sounds: as themselves in a notebook, as a line that says what they are in a terminal. */
import { escapeHtml } from '../table-text';
import { show } from './hook';
import { encodePng, gridPng, pngSize, type GridOptions, type Pixels } from './pixels';
import { encodeWav } from './wav';

const base64 = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

function showPng(png: Uint8Array, text: string, caption?: string): void {
  const source = `data:image/png;base64,${base64(png)}`;
  const figure =
    `<figure style="margin:0"><img src="${source}" alt="${escapeHtml(caption ?? text)}" style="image-rendering:pixelated">` +
    `<figcaption>${escapeHtml(caption ?? '')}</figcaption></figure>`;
  const plain = caption ? `${text}: ${caption}` : text;
  // A notebook shows the richest form; HTML only where there is a caption to carry.
  show({ 'image/png': base64(png), ...(caption ? { 'text/html': figure } : {}), 'text/plain': plain });
}

export interface ImageOptions {
  /** Side of the square that each raw pixel becomes; default so that the picture is about 256 wide. */
  scale?: number;
  caption?: string;
}

/**
 * Shows one picture: raw pixels, or the bytes of a PNG as they are.
 * @throws ArgumentError for sizes that do not fit; MissingPackageError without @napi-rs/canvas (raw pixels only)
 */
export function showImage(image: Pixels | Uint8Array, options: ImageOptions = {}): void {
  if (image instanceof Uint8Array) {
    const { width, height } = pngSize(image);
    showPng(image, `image ${width} x ${height}`, options.caption);
    return;
  }
  const scale = options.scale ?? Math.max(1, Math.min(64, Math.round(256 / image.width)));
  showPng(encodePng(image, scale), `image ${image.width} x ${image.height}`, options.caption);
}

/** Shows several pictures as one grid. @throws as showImage */
export function showImageGrid(images: Pixels[], options: GridOptions & { caption?: string } = {}): void {
  const texts = options.captions?.length ? ` (${options.captions.join('; ')})` : '';
  showPng(gridPng(images, options), `${images.length} images${texts}`, options.caption);
}

/** Shows a player for mono sound in [-1, 1] at `sampleRate` Hz. @throws ArgumentError */
export function showAudio(samples: Float32Array, sampleRate: number, caption = ''): void {
  const wav = encodeWav(samples, sampleRate);
  const seconds = (samples.length / sampleRate).toFixed(2);
  const text = `sound of ${seconds} s at ${sampleRate} Hz`;
  show({
    'text/html':
      `<figure style="margin:0"><audio controls src="data:audio/wav;base64,${base64(wav)}"></audio>` +
      `<figcaption>${escapeHtml(caption)}</figcaption></figure>`,
    'text/plain': caption ? `${text}: ${caption}` : text,
  });
}
