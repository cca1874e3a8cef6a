/** Shows pictures and sounds: as themselves in a notebook, as a line that says what they are in a terminal. */
import { encodeGif } from '../../io/gif-write';
import type { Clip, Medium } from '../../io/media';
import { pixelsOf } from '../../io/pixels';
import type { Pixels } from '../../io/pixels';
import { encodePng, pngSize } from '../../io/png-write';
import { encodeWav } from '../../io/wav-write';
import { escapeHtml } from '../table-text';
import { show } from './hook';
import { gridPng, type GridOptions } from './image-grid';

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
 * @throws ArgumentError for sizes that do not fit
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

/** Shows several pictures as one grid. @throws ArgumentError; MissingPackageError without @napi-rs/canvas */
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

/** Shows a clip as an animation that begins again and again. @throws ArgumentError */
export function showClip(clip: Clip, options: ImageOptions = {}): void {
  const scale = options.scale ?? Math.max(1, Math.min(64, Math.round(128 / clip.width)));
  const gif = encodeGif(clip, scale);
  const text = `clip of ${clip.frames} frames, ${clip.width} x ${clip.height}`;
  const { caption = '' } = options;
  show({
    'text/html':
      `<figure style="margin:0"><img src="data:image/gif;base64,${base64(gif)}" alt="${escapeHtml(caption || text)}" ` +
      `style="image-rendering:pixelated"><figcaption>${escapeHtml(caption)}</figcaption></figure>`,
    'text/plain': caption ? `${text}: ${caption}` : text,
  });
}

/** Shows a picture, a sound or a clip. @throws ArgumentError */
export function showMedium(medium: Medium, caption?: string): void {
  if (medium.modality === 'image') showImage(pixelsOf(medium.picture), { caption });
  else if (medium.modality === 'audio') showAudio(medium.sound.samples, medium.sound.sampleRate, caption);
  else showClip(medium.clip, { caption });
}
