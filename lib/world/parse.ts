/**
 * The parser of the grammar, and of canonical captions: what a text says about a scene. It is the oracle of every description, so it never
 * guesses: what it did not understand, or found twice, it reports.
 */
import {
  CAPTION_MOTIONS,
  CAPTION_PLACES,
  COLOURS,
  COLOUR_WORDS,
  COUNT_WORDS,
  MOTIONS,
  MOTION_WORDS,
  PLACE_WORDS,
  RELATIONS,
  SHAPES,
  SHAPE_WORDS,
  SIZES,
  SIZE_WORDS,
} from './lexicon';
import type { Cell } from './lexicon';
import { OPENINGS, POSITIONS } from './describe';
import { inReadingOrder } from './scene';
import type { SceneObject } from './scene';

/** What was understood of a text. */
export interface ParsedScene {
  /** The objects, in reading order, if the text describes one to three of them wholly and without contradiction. */
  scene: SceneObject[] | undefined;
  /** What was understood of each object, in the order of the text; attributes not told are absent. */
  objects: Partial<SceneObject>[];
  /** Words that the grammar does not know. */
  unknown: string[];
  /** What is missing or contradictory, in plain words. */
  problems: string[];
}

type Meaning =
  | { kind: 'shape' | 'colour' | 'size' | 'motion'; value: string }
  | { kind: 'cell' | 'relation'; value: Cell }
  | { kind: 'count'; value: number }
  | { kind: 'filler' };

interface Phrase {
  words: string[];
  meaning: Meaning;
}

const PHRASES = new Map<string, Phrase[]>();

function add(text: string, meaning: Meaning): void {
  const words = text.toLowerCase().split(' ');
  PHRASES.set(words[0], [...(PHRASES.get(words[0]) ?? []), { words, meaning }]);
}

for (const value of SHAPES) for (const w of SHAPE_WORDS[value]) add(w, { kind: 'shape', value });
for (const value of COLOURS) for (const w of COLOUR_WORDS[value]) add(w, { kind: 'colour', value });
for (const value of SIZES) for (const w of SIZE_WORDS[value]) add(w, { kind: 'size', value });
for (const value of MOTIONS) for (const w of MOTION_WORDS[value]) add(w, { kind: 'motion', value });
PLACE_WORDS.forEach((row, r) => row.forEach((cell, c) => cell.forEach((w) => add(w, { kind: 'cell', value: [r, c] }))));
CAPTION_PLACES.forEach((row, r) => row.forEach((w, c) => add(w, { kind: 'cell', value: [r, c] })));
for (const value of MOTIONS) add(CAPTION_MOTIONS[value], { kind: 'motion', value });
for (const { words, step } of RELATIONS) add(words, { kind: 'relation', value: step });
COUNT_WORDS.forEach((forms, i) => forms.forEach((w) => add(w, { kind: 'count', value: i + 1 })));
for (const frame of [...OPENINGS, ...POSITIONS]) for (const w of frame.split(' ')) add(w, { kind: 'filler' });
for (const w of ['a', 'an', 'that', 'are', 'count', 'also', 'it']) add(w, { kind: 'filler' });
// At each place the longest phrase is read: "in the middle of the left edge" before "in the middle".
for (const list of PHRASES.values()) list.sort((a, b) => b.words.length - a.words.length);

function phraseAt(words: readonly string[], at: number): Phrase | undefined {
  return PHRASES.get(words[at])?.find((p) => p.words.every((w, i) => words[at + i] === w));
}

/** One clause's object (absent if it speaks of none) and counts; what is wrong goes into `result`. */
function readClause(
  clause: string,
  last: Partial<SceneObject> | undefined,
  result: ParsedScene,
  counts: number[],
): void {
  const words = clause.match(/[\p{L}\p{N}'-]+/gu) ?? [];
  const object: Partial<SceneObject> = {};
  const set = <K extends keyof SceneObject>(key: K, value: SceneObject[K]) => {
    if (object[key] !== undefined && String(object[key]) !== String(value))
      result.problems.push(`an object has two values of ${key}: ${String(object[key])} and ${String(value)}`);
    object[key] = value;
  };
  for (let at = 0; at < words.length;) {
    const phrase = phraseAt(words, at);
    if (!phrase) {
      result.unknown.push(words[at++]);
      continue;
    }
    at += phrase.words.length;
    const { meaning } = phrase;
    if (meaning.kind === 'count') counts.push(meaning.value);
    else if (meaning.kind === 'cell') set('cell', [meaning.value[0], meaning.value[1]]);
    else if (meaning.kind === 'relation') {
      const cell =
        last?.cell && ([last.cell[0] + meaning.value[0], last.cell[1] + meaning.value[1]] as [number, number]);
      if (!cell) result.problems.push(`"${phrase.words.join(' ')}" has no placed object before it`);
      else if (cell.some((x) => x < 0 || x > 2)) result.problems.push(`"${phrase.words.join(' ')}" leads off the grid`);
      else set('cell', cell);
    } else if (meaning.kind !== 'filler') set(meaning.kind, meaning.value as never);
  }
  if (Object.keys(object).length) result.objects.push(object);
}

const NEEDED = ['shape', 'colour', 'size', 'cell'] as const;

/** Reads a description. Never throws; see ParsedScene for what it reports. */
export function parseScene(text: string): ParsedScene {
  const result: ParsedScene = { scene: undefined, objects: [], unknown: [], problems: [] };
  const counts: number[] = [];
  for (const clause of text.toLowerCase().split(/[.:;!?\n]|\band\b|\bwhile\b/))
    readClause(clause, result.objects.at(-1), result, counts);
  result.objects.forEach((object, i) => {
    const missing = NEEDED.filter((key) => object[key] === undefined);
    if (missing.length) result.problems.push(`object ${i + 1} lacks ${missing.join(', ')}`);
  });
  const n = result.objects.length;
  if (n < 1 || n > 3) result.problems.push(`expected one to three objects, got ${n}`);
  for (const count of counts) if (count !== n) result.problems.push(`the text says ${count} and tells of ${n}`);
  const cells = result.objects.map((o) => String(o.cell));
  if (new Set(cells).size < n) result.problems.push('two objects are in one cell');
  if (!result.problems.length)
    result.scene = inReadingOrder(result.objects.map((o) => ({ motion: 'still', ...o }) as SceneObject));
  return result;
}
