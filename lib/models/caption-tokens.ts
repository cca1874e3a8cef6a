/** Captions as token ids for a decoder's text encoder, and tokenizers trained for them. */
import { ArgumentError } from '../errors';
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { Tokenizer } from '../io/tokenizer';
import { trainTokenizer } from '../io/tokenizer-train';

/** Tokens that begin, end and fill captions, of tokenizers trained here; the padding's id is 0. */
export const CAPTION_TOKENS = { pad: '<|pad|>', begin: '<|begin|>', end: '<|end|>' } as const;

/**
 * Ids of captions, padded to `length`: begin, words, end, padding. The special tokens are those that the tokenizer's
 * configuration names (`bos_token`, `eos_token`, `pad_token`), as CLIP's has them; longer captions are cut before the end.
 */
export function captionIds(tokenizer: Tokenizer, captions: readonly string[], length: number): Int32Array {
  const config = tokenizer.config as Record<string, string | { content: string } | undefined>;
  const id = (key: string): number | undefined => {
    const token = config[key];
    return token ? tokenizer.id(typeof token === 'string' ? token : token.content) : undefined;
  };
  const [begin, end] = [id('bos_token'), id('eos_token')];
  const pad = id('pad_token') ?? end ?? 0;
  const room = length - (begin === undefined ? 0 : 1) - (end === undefined ? 0 : 1);
  if (room < 1)
    throw new ArgumentError('captionIds', `expected a length of at least 3, got ${length}`, 'captions need room');
  const out = new Int32Array(captions.length * length).fill(pad);
  captions.forEach((caption, row) => {
    const words = tokenizer.encodePlain(caption).slice(0, room);
    const ids = [...(begin === undefined ? [] : [begin]), ...words, ...(end === undefined ? [] : [end])];
    out.set(ids, row * length);
  });
  return out;
}

/** `captionIds` as a tensor [B, L]. */
export const captionTensor = (tokenizer: Tokenizer, captions: readonly string[], length: number): Tensor =>
  tensor(captionIds(tokenizer, captions, length), { shape: [captions.length, length] });

/** A byte-pair tokenizer for captions: frequent words become one token each, and any other text can be spelled. */
export function trainCaptionTokenizer(captions: Iterable<string>, vocabSize: number): Tokenizer {
  const { pad, begin, end } = CAPTION_TOKENS;
  const { definition, config } = trainTokenizer(captions, { vocabSize, addedTokens: [pad, begin, end] });
  return new Tokenizer(definition, { ...config, bos_token: begin, eos_token: end, pad_token: pad });
}
