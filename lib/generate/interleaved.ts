/**
 * Generation modes of a unified model (Chameleon's in transformers): text-only (no image token, BOI or EOI), image-only, interleaved
 * (after BOI exactly an image's tokens, then EOI; image tokens nowhere else, no BOI where no image fits any more), and
 * unrestricted. They are constraints on the tokens that may follow, so sampling and the cache are those of `generate`.
 */
import { ArgumentError } from '../errors';
import { imageLength, isImageToken } from '../models/r1-layout';
import type { TokenLayout } from '../models/r1-layout';
import type { GenerateOptions } from './options';

export const GENERATION_MODES = ['text-only', 'image-only', 'interleaved-text-image', 'unrestricted'] as const;
export type GenerationMode = (typeof GENERATION_MODES)[number];

interface Place {
  /** Tokens looked at so far. */
  seen: number;
  /** Tokens since the last BOI, or -1 where no image is open. */
  inside: number;
  images: number;
}

function advance(layout: TokenLayout, place: Place, token: number): void {
  place.seen++;
  if (token === layout.boi) [place.inside, place.images] = [0, place.images + 1];
  else if (place.inside >= 0) {
    place.inside++;
    if (token === layout.eoi) place.inside = -1;
  }
}

export interface ModeOptions {
  /** Prompt and new tokens together, at most; a list: of each row. */
  maxLength: number | readonly number[];
  /** Images that a row may hold, the prompt's open one included; after them no further BOI. */
  maxImages?: number;
}

/** The constraint of a mode for `generate`, for prompts in its order. Null: any token may follow. */
export function modeConstraint(
  layout: TokenLayout,
  mode: GenerationMode,
  prompts: readonly (readonly number[])[],
  { maxLength, maxImages = Infinity }: ModeOptions,
): GenerateOptions['constraint'] {
  if (!GENERATION_MODES.includes(mode))
    throw new ArgumentError(
      'modeConstraint',
      `expected ${GENERATION_MODES.join(', ')}, got ${String(mode)}`,
      'choose a mode',
    );
  if (mode === 'unrestricted') return undefined;
  const length = imageLength(layout);
  const all = Array.from({ length: layout.vocabSize }, (_, i) => i);
  const images = all.filter((i) => isImageToken(layout, i));
  const words = all.filter((i) => !isImageToken(layout, i) && i !== layout.boi && i !== layout.eoi);
  const wordsOrImage = [...words, layout.boi];
  if (mode === 'text-only') return () => words;
  const start = prompts.map((prompt) => {
    const place: Place = { seen: 0, inside: -1, images: 0 };
    for (const token of prompt) advance(layout, place, token);
    // Images of the prompt do not count, but for one that is left open.
    place.images = place.inside >= 0 ? 1 : 0;
    return place;
  });
  const places = new Map<number, Place>();
  return (row, tokens) => {
    let place = places.get(row);
    if (!place || tokens.length < place.seen - start[row].seen) places.set(row, (place = { ...start[row] }));
    for (let i = place.seen - start[row].seen; i < tokens.length; i++) advance(layout, place, tokens[i]);
    if (place.inside >= 0) return place.inside < length ? images : [layout.eoi];
    if (mode === 'image-only') return place.images ? [layout.eos] : [layout.boi];
    // BOI at position p is followed by `length` image tokens and EOI.
    const most = typeof maxLength === 'number' ? maxLength : maxLength[row];
    const fits = place.seen + length + 1 < most && place.images < maxImages;
    return fits ? wordsOrImage : words;
  };
}
