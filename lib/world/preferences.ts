/**
 * Preference pairs: a right response, the same request answered worse by a named corruption, and the checkers'
 * scores.
 */
import { Random } from '../nn/random';
import { composeAnswer } from './answers';
import { corrupt, drawCorruption } from './corruptions';
import type { Encyclopaedia } from './encyclopaedia';
import { makeInstruction } from './instructions';
import { CATEGORIES } from './records';
import type { Category, PreferenceRecord } from './records';
import { parseResponse, renderDraft } from './response';
import { scoreResponse } from './score';
import { MODALITIES, SEGMENTS } from './signals';
import type { Split } from './splits';
import { Wording } from './wording';

/** Pair `index` of a category and split: a pure function of the encyclopaedia's seed and these. */
export function makePreference(book: Encyclopaedia, category: Category, split: Split, index: number): PreferenceRecord {
  const { record, oracle, prompt, draft, response, asked } = makeInstruction(
    book,
    category,
    split,
    index,
    'preference',
  );
  const random = new Random(book.seed, `corruption/${split}/${category}/${index}`);
  const corruption = drawCorruption(oracle, random);
  // Half of the rejected responses differ in wording as well, so that the pair cannot be told by its words alone.
  const base = random.uniform() < 0.5 ? draft : composeAnswer(category, oracle, new Wording(random, asked));
  const rejected = renderDraft(corrupt(corruption, { book, category, oracle, draft: base, asked, random }));
  const [good, bad] = [scoreResponse(book, oracle, response), scoreResponse(book, oracle, rejected)];
  const blocks = [parseResponse(response).blocks, parseResponse(rejected).blocks];
  return {
    id: record.id,
    category,
    split,
    corruption,
    prompt,
    media: record.media,
    images: record.media.image?.role === 'input' ? [record.media.image] : [],
    chosen: response,
    rejected,
    modalities: MODALITIES.filter((m) => blocks.some((b) => b[m].complete + b[m].stray > 0)),
    rewards: Object.fromEntries(
      SEGMENTS.map((s) => [s, { chosen: good[s], rejected: bad[s] }]),
    ) as PreferenceRecord['rewards'],
    oracle,
  };
}

/** Pairs `start` to `start + count - 1` of a split, the six categories by turns. */
export function* preferences(book: Encyclopaedia, split: Split, count: number, start = 0): Generator<PreferenceRecord> {
  for (let i = start; i < start + count; i++)
    yield makePreference(book, CATEGORIES[i % CATEGORIES.length], split, Math.floor(i / CATEGORIES.length));
}
