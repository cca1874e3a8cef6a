/**
 * Trains byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019): words are split into bytes, and
 * the most frequent pair of neighbours is merged until the vocabulary is full. Digits stay single. The result is a
 * standard tokenizer.json; ids and merges equal those of Hugging Face's trainer on the same words.
 */
import { LibraryTokenizer } from './tokenizer-library';
import { ArgumentError } from '../errors';
import { Tokenizer } from './tokenizer';

export interface TokenizerTraining {
  vocabSize: number;
  /** Tokens that are never split, in the order of their ids, from 0. */
  addedTokens: readonly string[];
  /** A pair must occur at least this often to be merged. */
  minFrequency?: number;
}

const PRE_TOKENIZER = {
  type: 'Sequence',
  pretokenizers: [
    { type: 'Digits', individual_digits: true },
    { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  ],
};

/** The 256 characters that stand for bytes: printable ones for themselves, the others from U+0100 on. */
export function byteAlphabet(): string[] {
  const printable = (b: number): boolean => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  let next = 256;
  const characters = Array.from({ length: 256 }, (_, b) => String.fromCharCode(printable(b) ? b : next++));
  return characters.sort();
}

function definition(addedTokens: readonly string[], vocab: Record<string, number>, merges: [string, string][]): object {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: PRE_TOKENIZER,
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      merges,
    },
  };
}

interface Word {
  ids: number[];
  count: number;
}

/**
 * Trains on texts (added tokens in them are cut out). Throws ArgumentError for a vocabulary too small for the bytes.
 */
export function trainTokenizer(texts: Iterable<string>, options: TokenizerTraining): Tokenizer {
  const { vocabSize, addedTokens, minFrequency = 2 } = options;
  const alphabet = byteAlphabet();
  const base = addedTokens.length + alphabet.length;
  if (vocabSize < base)
    throw new ArgumentError(
      'trainTokenizer',
      `expected a vocabulary of at least ${base} (${addedTokens.length} added tokens and 256 bytes), got ${vocabSize}`,
      'raise vocabSize',
    );
  if (new Set(addedTokens).size !== addedTokens.length)
    throw new ArgumentError('trainTokenizer', 'expected distinct added tokens, got one twice', 'remove the double');

  const names = [...addedTokens, ...alphabet];
  const vocab: Record<string, number> = Object.fromEntries(names.map((name, id) => [name, id]));
  const splitter = new LibraryTokenizer(definition(addedTokens, vocab, []), {}).pre_tokenizer!;
  const words = countWords(texts, addedTokens, (text) => splitter.pre_tokenize(text), vocab);

  // Counts of neighbouring pairs, and the words that may hold them.
  const counts = new Map<number, number>();
  const places = new Map<number, Set<Word>>();
  const key = (a: number, b: number): number => a * 2 ** 24 + b;
  const add = (a: number, b: number, word: Word, sign: 1 | -1): void => {
    const k = key(a, b);
    counts.set(k, (counts.get(k) ?? 0) + sign * word.count);
    if (sign > 0) {
      let set = places.get(k);
      if (!set) places.set(k, (set = new Set()));
      set.add(word);
    }
  };
  for (const word of words) for (let i = 0; i + 1 < word.ids.length; i++) add(word.ids[i], word.ids[i + 1], word, 1);

  const merges: [string, string][] = [];
  while (names.length < vocabSize) {
    let best = -1;
    let bestCount = 0;
    // The most frequent pair; among equals the one with the smaller ids.
    for (const [k, n] of counts) if (n > bestCount || (n === bestCount && k < best)) [best, bestCount] = [k, n];
    if (bestCount < Math.max(1, minFrequency)) break;
    const [a, b] = [Math.floor(best / 2 ** 24), best % 2 ** 24];
    const joined = names[a] + names[b];
    merges.push([names[a], names[b]]);
    let id = vocab[joined];
    if (id === undefined) {
      id = names.push(joined) - 1;
      vocab[joined] = id;
    }
    const affected = [...(places.get(best) ?? [])];
    for (const word of affected) {
      const { ids } = word;
      for (let i = 0; i + 1 < ids.length; i++) add(ids[i], ids[i + 1], word, -1);
      for (let i = 0; i + 1 < ids.length; i++) if (ids[i] === a && ids[i + 1] === b) ids.splice(i, 2, id);
      for (let i = 0; i + 1 < ids.length; i++) add(ids[i], ids[i + 1], word, 1);
    }
    counts.delete(best);
    places.delete(best);
  }
  return new Tokenizer(definition(addedTokens, vocab, merges), {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: 1e9,
    clean_up_tokenization_spaces: false,
  });
}

function countWords(
  texts: Iterable<string>,
  addedTokens: readonly string[],
  split: (text: string) => string[],
  vocab: Record<string, number>,
): Word[] {
  const escaped = [...addedTokens]
    .sort((a, b) => b.length - a.length)
    .map((t) => t.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const cut = escaped.length ? new RegExp(escaped.join('|')) : null;
  const counts = new Map<string, number>();
  for (const text of texts)
    for (const piece of cut ? text.split(cut) : [text])
      if (piece) for (const word of split(piece)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, count]) => ({ ids: [...word].map((c) => vocab[c]), count }));
}
