/**
 * Media side by side with their captions: pictures enlarged with hard pixels, sounds as players, clips as animations. One
 * output of a notebook, whose size is bounded; a terminal prints what there is.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ArgumentError, FormatError } from '../../errors';
import { decodeGif } from '../../io/gif-read';
import { encodeGif } from '../../io/gif-write';
import type { Clip, Medium } from '../../io/media';
import { pixelsOf } from '../../io/pixels';
import { encodePng } from '../../io/png-write';
import { encodeWav } from '../../io/wav-write';
import { escapeHtml } from '../table-text';
import { show, type Bundle } from './hook';

/** A medium, or the path of its file (PNG, JPEG, GIF, WAV), with what is to be said of it. */
export type GalleryItem = ({ medium: Medium } | { file: string }) & { caption?: string };

/** Media that belong together, for instance those of one moment of the training. */
export interface GalleryRow {
  label?: string;
  items: readonly GalleryItem[];
}

export interface GalleryOptions {
  title?: string;
  /** Width of a picture in the page's pixels; default 128. */
  width?: number;
  /**
   * Bytes of all media together that are put into the page, at most; default 300,000. What is too much is left out from the first
   * row on, since the last is what matters most; captions are always there.
   */
  maxBytes?: number;
}

const KINDS: Record<string, { mime: string; name: string }> = {
  '.png': { mime: 'image/png', name: 'picture' },
  '.jpg': { mime: 'image/jpeg', name: 'picture' },
  '.jpeg': { mime: 'image/jpeg', name: 'picture' },
  '.gif': { mime: 'image/gif', name: 'clip' },
  '.wav': { mime: 'audio/wav', name: 'sound' },
};

/** A player narrower than this shows no time line. */
const PLAYER_WIDTH = 200;

interface Content {
  kind: string;
  mime: string;
  bytes: Uint8Array;
}

function encode(medium: Medium): Content {
  const of = (ending: string, bytes: Uint8Array): Content => ({
    bytes,
    mime: KINDS[ending].mime,
    kind: KINDS[ending].name,
  });
  if (medium.modality === 'image') return of('.png', encodePng(pixelsOf(medium.picture)));
  if (medium.modality === 'audio') return of('.wav', encodeWav(medium.sound.samples, medium.sound.sampleRate));
  return of('.gif', encodeGif(medium.clip));
}

/** A clip without what it was enlarged by: a page enlarges by itself, and the file is then a fraction of the size. */
function shrunk(clip: Clip): Clip {
  const { width, height, frames, data } = clip;
  const plain = (k: number): boolean => {
    if (width % k || height % k) return false;
    for (let i = 0; i < data.length; i++) {
      const [x, y] = [i % width, Math.floor(i / width) % height];
      if (data[i] !== data[i - (x % k) - (y % k) * width]) return false;
    }
    return true;
  };
  const k = [8, 4, 2].find(plain);
  if (!k) return clip;
  const [w, h] = [width / k, height / k];
  const small = new Float32Array(frames * 3 * w * h);
  for (let p = 0; p < frames * 3; p++)
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++) small[(p * h + y) * w + x] = data[(p * height + y * k) * width + x * k];
  return { ...clip, width: w, height: h, data: small };
}

async function contentOf(item: GalleryItem): Promise<Content> {
  if ('medium' in item) return encode(item.medium);
  const found = KINDS[path.extname(item.file).toLowerCase()];
  if (!found)
    throw new ArgumentError(
      'gallery',
      `expected a file that ends with ${Object.keys(KINDS).join(', ')}, got "${path.basename(item.file)}"`,
      'name a picture, a sound or a clip',
    );
  try {
    const bytes = await readFile(item.file);
    const gif = found.mime === 'image/gif';
    return { kind: found.name, mime: found.mime, bytes: gif ? encodeGif(shrunk(decodeGif(bytes, item.file))) : bytes };
  } catch (error) {
    throw new FormatError(
      item.file,
      'expected a file that can be read, found none',
      'name a file that is there',
      { cause: error }, // prettier-ignore
    );
  }
}

function figure({ mime, bytes }: Content, caption: string, width: number): string {
  const source = `data:${mime};base64,${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')}`;
  const sound = mime.startsWith('audio/');
  const wide = sound ? Math.max(PLAYER_WIDTH, width) : width;
  const body = sound
    ? `<audio controls preload="metadata" src="${source}" style="width:${wide}px;height:36px"></audio>`
    : `<img src="${source}" alt="${escapeHtml(caption)}" style="width:${wide}px;image-rendering:pixelated;display:block">`;
  return frame(body, caption, wide);
}

const frame = (body: string, caption: string, width: number): string =>
  `<figure style="margin:0;width:${width}px">${body}` +
  `<figcaption style="font:11px sans-serif;overflow-wrap:break-word">${escapeHtml(caption)}</figcaption></figure>`;

const leftOut = (kind: string): string =>
  `<div style="font:11px sans-serif;color:#666;border:1px dashed #999;padding:8px">${kind} left out: too much to show</div>`;

/**
 * The output for rows of media.
 * @throws ArgumentError for a file of another kind; FormatError for one that cannot be read
 */
export async function galleryBundle(rows: readonly GalleryRow[], options: GalleryOptions = {}): Promise<Bundle> {
  const { title, width = 128, maxBytes = 300_000 } = options;
  const text: string[] = title ? [title] : [];
  let html = title ? `<div style="font:bold 13px sans-serif;margin-bottom:4px">${escapeHtml(title)}</div>` : '';
  const contents: Content[][] = [];
  for (const { items } of rows) contents.push(await Promise.all(items.map(contentOf)));
  let left = maxBytes;
  const fitting = new Set<Content>();
  for (const content of contents.toReversed().flat())
    if (content.bytes.length <= left) {
      left -= content.bytes.length;
      fitting.add(content);
    }
  for (const [r, { label, items }] of rows.entries()) {
    let figures = '';
    for (const [i, item] of items.entries()) {
      const content = contents[r][i];
      const caption = item.caption ?? '';
      figures += fitting.has(content) ? figure(content, caption, width) : frame(leftOut(content.kind), caption, width);
      const parts = [label, content.kind, caption].filter(Boolean);
      text.push(parts.join(': ') + ('file' in item ? ` (${path.basename(item.file)})` : ''));
    }
    if (label) html += `<div style="font:12px sans-serif;margin:6px 0 2px">${escapeHtml(label)}</div>`;
    html += `<div style="display:flex;flex-wrap:wrap;gap:10px;align-items:flex-start">${figures}</div>`;
  }
  return { 'text/html': html, 'text/plain': text.join('\n') };
}

/** Shows media, in rows or as one row. Throws what `galleryBundle` throws. */
export async function showGallery(
  media: readonly GalleryItem[] | readonly GalleryRow[],
  options: GalleryOptions = {},
): Promise<void> {
  const rows = media.every((m): m is GalleryRow => 'items' in m) ? media : [{ items: media }];
  show(await galleryBundle(rows, options));
}
