/**
 * What a model of interleaved text and images is to the commands that run it: token ids in, token ids out, and the ways
 * between ids, text and pictures. Ids of text, images and control tokens share one vocabulary.
 */
import type { Picture } from '../../io/media';
import { imageLength, isImageToken } from '../../models/r1-layout';
import type { TokenLayout } from '../../models/r1-layout';
import type { GenerationMode } from '../interleaved';

export interface InterleavedOptions {
  mode: GenerationMode;
  /** Most tokens, prompt included. */
  maxLength: number;
  /** Of each row, where it is less: no image begins that would not end before it. What is past it is the caller's to cut. */
  limits?: readonly number[];
  /** False: the likeliest token always. */
  sample: boolean;
  temperature: number;
  topP: number;
  seed: number;
  /** Names of the rows' random streams: the same name and seed, the same sample, whatever else is in the batch. */
  streams: readonly string[];
  signal?: AbortSignal;
}

export interface InterleavedModel {
  layout: TokenLayout;
  /** Longest sequence that the model takes. */
  maxLength: number;
  /** With BOS; "<image>" is the placeholder's id. */
  encodeText(text: string): number[];
  /** Special tokens are kept. */
  decodeText(ids: readonly number[]): string;
  /** An image's tokens, without BOI and EOI. */
  encodeImage(picture: Picture): Promise<number[]>;
  decodeImage(ids: readonly number[]): Promise<Picture>;
  /** Continues each prompt up to EOS (included) or `maxLength`; gives prompt and continuation. */
  generate(prompts: readonly (readonly number[])[], options: InterleavedOptions): Promise<number[][]>;
}

/** A run of text or the inside of an image, without BOI and EOI. */
export interface InterleavedSegment {
  kind: 'text' | 'image';
  ids: number[];
}

/**
 * Parts a sequence: BOI begins an image, EOI ends it; an image that is open at the end stays one; EOI outside an image is
 * text. An image may be empty, a text is not. A second BOI ends what was before it as text.
 */
export function splitInterleaved(
  ids: readonly number[],
  { boi, eoi }: Pick<TokenLayout, 'boi' | 'eoi'>,
): InterleavedSegment[] {
  const segments: InterleavedSegment[] = [];
  let current: number[] = [];
  let inImage = false;
  for (const id of ids) {
    if (id === boi) {
      if (current.length) segments.push({ kind: 'text', ids: current });
      [current, inImage] = [[], true];
    } else if (id === eoi && inImage) {
      segments.push({ kind: 'image', ids: current });
      [current, inImage] = [[], false];
    } else current.push(id);
  }
  if (current.length) segments.push({ kind: inImage ? 'image' : 'text', ids: current });
  return segments;
}

/** Cuts before the BOI of image `most` + 1 and puts EOS there; for no images at all only EOS is left. */
export function truncateImages(
  ids: readonly number[],
  most: number,
  { boi, eos }: Pick<TokenLayout, 'boi' | 'eos'>,
): number[] {
  if (most <= 0) return [eos];
  let seen = 0;
  const cut = ids.findIndex((id) => id === boi && ++seen > most);
  return cut < 0 ? [...ids] : [...ids.slice(0, cut), eos];
}

/** What became of an image in a sequence. */
export type DecodedImage =
  | { state: 'picture'; picture: Picture }
  /** With strict decoding: not an image's number of ids, or others than image tokens. */
  | { state: 'invalid'; ids: number[]; why: string; wrong: 'length' | 'tokens' }
  | { state: 'error'; ids: number[]; why: string };

export interface Trajectory {
  /** Image k stands as <image_k>, <invalid_image_k> or <error_image_k>. */
  text: string;
  images: DecodedImage[];
}

/** Text and pictures of a sequence, in order. */
export async function decodeInterleaved(
  model: Pick<InterleavedModel, 'layout' | 'decodeText' | 'decodeImage'>,
  ids: readonly number[],
  strict = true,
): Promise<Trajectory> {
  const length = imageLength(model.layout);
  const images: DecodedImage[] = [];
  let text = '';
  for (const segment of splitInterleaved(ids, model.layout)) {
    if (segment.kind === 'text') {
      text += model.decodeText(segment.ids);
      continue;
    }
    const k = images.length;
    const other = segment.ids.findIndex((id) => !isImageToken(model.layout, id));
    if (strict && (segment.ids.length !== length || other >= 0)) {
      const why =
        segment.ids.length !== length
          ? `expected ${length} tokens, got ${segment.ids.length}`
          : `expected image tokens, got ${segment.ids[other]} at ${other}`;
      images.push({
        state: 'invalid',
        ids: segment.ids,
        why,
        wrong: segment.ids.length !== length ? 'length' : 'tokens',
      });
      text += `<invalid_image_${k}>`;
      continue;
    }
    try {
      images.push({ state: 'picture', picture: await model.decodeImage(segment.ids) });
      text += `<image_${k}>`;
    } catch (error) {
      images.push({ state: 'error', ids: segment.ids, why: (error as Error).message });
      text += `<error_image_${k}>`;
    }
  }
  return { text, images };
}
