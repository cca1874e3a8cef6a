/**
 * Media side by side with their captions: pictures enlarged with hard pixels, sounds as players, clips as animations. One
 * output of a notebook, whose size is bounded; a terminal prints what there is.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ArgumentError, FormatError } from '../../errors';
import { encodeGif } from '../../io/gif-write';
import type { Medium } from '../../io/media';
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
  /** Bytes of all media together that are put into the page, at most; default 600,000. Captions are always there. */
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
    return { kind: found.name, mime: found.mime, bytes: await readFile(item.file) };
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
  const { title, width = 128, maxBytes = 600_000 } = options;
  const text: string[] = title ? [title] : [];
  let html = title ? `<div style="font:bold 13px sans-serif;margin-bottom:4px">${escapeHtml(title)}</div>` : '';
  let bytes = 0;
  for (const { label, items } of rows) {
    let figures = '';
    for (const item of items) {
      const content = await contentOf(item);
      const caption = item.caption ?? '';
      const fits = bytes + content.bytes.length <= maxBytes;
      if (fits) bytes += content.bytes.length;
      figures += fits ? figure(content, caption, width) : frame(leftOut(content.kind), caption, width);
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
