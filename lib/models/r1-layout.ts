/**
 * Where image tokens and control tokens stand in a unified vocabulary: Anole's (Chameleon's) as published, and small ones of the
 * same order. Image tokens are consecutive ids; which code of the codebook each stands for is told by its name ("IMGIMG", the
 * digits of the code as letters A to J, "Z"), so it may be any permutation.
 */
import { z } from 'zod';
import { ArgumentError } from '../errors';
import type { Tokenizer } from '../io/tokenizer';

const id = z.number().int().min(0);
export const tokenLayoutSchema = z.strictObject({
  vocabSize: id,
  bos: id,
  pad: id,
  eos: id,
  /** The first image token, and how many there are. */
  imageStart: id,
  imageCount: id,
  /** Ends and begins an image. */
  eoi: id,
  boi: id,
  /** What the processor puts after a prompt, and what stands for an image's tokens before they are known. */
  sep: id,
  placeholder: id,
  thoughtOpen: id,
  thoughtClose: id,
  answerOpen: id,
  answerClose: id,
  /** Tokens of an image: rows, then columns. */
  rows: id,
  columns: id,
  /** For each image token in the order of ids the index of its code; absent: the same order. */
  codes: z.array(id).optional(),
});
export type TokenLayout = z.infer<typeof tokenLayoutSchema>;

/** Anole-7b-v0.1's ids; `codes` is in its tokenizer: `layoutOf`. */
export const anoleLayout: TokenLayout = {
  vocabSize: 65536,
  bos: 0,
  pad: 1,
  eos: 2,
  imageStart: 4,
  imageCount: 8192,
  eoi: 8196,
  boi: 8197,
  sep: 8710,
  placeholder: 8711,
  thoughtOpen: 12860,
  thoughtClose: 12861,
  answerOpen: 12870,
  answerClose: 12871,
  rows: 32,
  columns: 32,
};

/** Names of the tokens that the layout looks for; <reservedNNNNN> has id NNNNN + 4 in Anole's vocabulary. */
export const LAYOUT_NAMES = {
  bos: '<s>',
  pad: '<pad>',
  eos: '</s>',
  eoi: '<eoss>',
  boi: '<racm3:break>',
  sep: '<reserved08706>',
  placeholder: '<image>',
  thoughtOpen: '<reserved12856>',
  thoughtClose: '<reserved12857>',
  answerOpen: '<reserved12866>',
  answerClose: '<reserved12867>',
} as const;

const PREFIX = 'IMGIMG';
const A = 'A'.charCodeAt(0);

/** "IMGIMGBACZ" for code 102. */
export const imageTokenName = (code: number): string =>
  `${PREFIX}${[...String(code)].map((d) => String.fromCharCode(A + Number(d))).join('')}Z`;

/** The code of an image token's name, or null for another token. */
export function imageTokenCode(name: string): number | null {
  const match = /^IMGIMG([A-J]+)Z$/.exec(name);
  return match ? Number([...match[1]].map((c) => c.charCodeAt(0) - A).join('')) : null;
}

/** The tokens that a small vocabulary begins with, in the order of Anole's ids. */
export const layoutTokens = (codes: number): string[] => [
  LAYOUT_NAMES.bos,
  LAYOUT_NAMES.pad,
  LAYOUT_NAMES.eos,
  '<unk>',
  ...Array.from({ length: codes }, (_, i) => imageTokenName(i)),
  LAYOUT_NAMES.eoi,
  LAYOUT_NAMES.boi,
  LAYOUT_NAMES.sep,
  LAYOUT_NAMES.placeholder,
  LAYOUT_NAMES.thoughtOpen,
  LAYOUT_NAMES.thoughtClose,
  LAYOUT_NAMES.answerOpen,
  LAYOUT_NAMES.answerClose,
];

/** Reads the layout off a vocabulary by its tokens' names. Throws ArgumentError where image tokens are not consecutive. */
export function layoutOf(tokenizer: Tokenizer, grid: { rows: number; columns: number }): TokenLayout {
  const codes = new Map<number, number>();
  for (let token = 0; token < tokenizer.vocabSize; token++) {
    const code = imageTokenCode(tokenizer.token(token) ?? '');
    if (code !== null) codes.set(token, code);
  }
  const ids = [...codes.keys()].sort((a, b) => a - b);
  if (!ids.length || ids.some((v, i) => v !== ids[0] + i) || new Set(codes.values()).size !== ids.length)
    throw new ArgumentError(
      'layoutOf',
      `expected consecutive image tokens of different codes, got ${ids.length} from id ${ids[0] ?? 'none'}`,
      'image tokens are named IMGIMG...Z',
    );
  const order = ids.map((v) => codes.get(v)!);
  const named = Object.fromEntries(
    Object.entries(LAYOUT_NAMES).map(([key, name]) => [key, tokenizer.id(name)]),
  ) as Record<keyof typeof LAYOUT_NAMES, number>;
  return {
    vocabSize: tokenizer.vocabSize,
    ...named,
    imageStart: ids[0],
    imageCount: ids.length,
    ...grid,
    ...(order.every((code, i) => code === i) ? {} : { codes: order }),
  };
}

export const isImageToken = (layout: TokenLayout, token: number): boolean =>
  token >= layout.imageStart && token < layout.imageStart + layout.imageCount;
/** Tokens of an image, without those that begin and end it. */
export const imageLength = (layout: TokenLayout): number => layout.rows * layout.columns;

/** Codes of an image to token ids, with BOI and EOI about them. */
export function imageTokens(layout: TokenLayout, codes: ArrayLike<number>): number[] {
  const tokenOf = tokenOfCode(layout);
  return [layout.boi, ...Array.from(codes, (c) => tokenOf[c]), layout.eoi];
}

/** Token ids of an image (without BOI and EOI) to codes. Throws ArgumentError for tokens that are none. */
export function imageCodes(layout: TokenLayout, tokens: readonly number[]): number[] {
  return tokens.map((token) => {
    if (!isImageToken(layout, token))
      throw new ArgumentError(
        'imageCodes',
        `expected image tokens, got ${token}`,
        'cut the image out of the text first',
      );
    const at = token - layout.imageStart;
    return layout.codes ? layout.codes[at] : at;
  });
}

const inverses = new WeakMap<TokenLayout, Int32Array>();
function tokenOfCode(layout: TokenLayout): Int32Array {
  let inverse = inverses.get(layout);
  if (!inverse) {
    inverse = new Int32Array(layout.imageCount);
    for (let i = 0; i < layout.imageCount; i++) inverse[layout.codes ? layout.codes[i] : i] = layout.imageStart + i;
    inverses.set(layout, inverse);
  }
  return inverse;
}

/**
 * The codebook's rows in the order of image tokens (row i belongs to token imageStart + i): what losses and rewards look up by
 * token id. `weight` is [codes * dim], flat.
 */
export function perceptionTable(layout: TokenLayout, weight: Float32Array): Float32Array {
  if (!layout.codes) return weight.slice();
  const dim = weight.length / layout.imageCount;
  const out = new Float32Array(weight.length);
  layout.codes.forEach((code, i) => out.set(weight.subarray(code * dim, (code + 1) * dim), i * dim));
  return out;
}

/** A sequence cut at its images, in order: text tokens, or an image's tokens; `closed` is false for one that the end cut off. */
export type Segment = { kind: 'text'; tokens: number[] } | { kind: 'image'; tokens: number[]; closed: boolean };

/** BOI begins an image, EOI ends it; a second BOI ends the one before. */
export function splitSegments(layout: TokenLayout, tokens: readonly number[]): Segment[] {
  const segments: Segment[] = [];
  let open: (Segment & { kind: 'image' }) | null = null;
  for (const token of tokens) {
    if (token === layout.boi) segments.push((open = { kind: 'image', tokens: [], closed: false }));
    else if (token === layout.eoi && open) [open.closed, open] = [true, null];
    else if (open) open.tokens.push(token);
    else {
      const last = segments.at(-1);
      if (last?.kind === 'text') last.tokens.push(token);
      else segments.push({ kind: 'text', tokens: [token] });
    }
  }
  return segments;
}
