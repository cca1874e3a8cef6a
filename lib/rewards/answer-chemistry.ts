/** Chemistry in answers: formulae by their atoms, systematic names by their parts. */
import { sequenceRatio } from './sequence-ratio';
import { asciiDigits } from './python-text';

const FORMULA = /^(?:[A-Z][a-z]?\p{Nd}*)+$/u;
const PARTS =
  'benz phen naphth piperazin pyrid imidazol thiazol quinazolin methyl ethyl propyl butyl benzyl hydroxy amino oxo ' +
  'carbox acetyl methoxy chloro fluoro bromo iodo sulfon sulfone yl ylidene';

/** How many atoms of each element "C6H12O6" has; undefined if the text is no formula. */
function atoms(text: string): Map<string, bigint> | undefined {
  const formula = text.replace(/ /g, '');
  if (!FORMULA.test(formula)) return undefined;
  const counts = new Map<string, bigint>();
  for (const [, element, n] of formula.matchAll(/([A-Z][a-z]?)(\p{Nd}*)/gu))
    counts.set(element, (counts.get(element) ?? 0n) + (n ? BigInt(asciiDigits(n)) : 1n));
  return counts;
}

/** Whether two formulae have the same atoms; undefined if one of the texts is no formula. Words like "No" are formulae. */
export function sameFormula(a: string, b: string): boolean | undefined {
  const [first, second] = [atoms(a), atoms(b)];
  if (!first || !second) return undefined;
  return first.size === second.size && [...first].every(([element, n]) => second.get(element) === n);
}

/** A systematic name has a known part, and brackets or a dash (released: or locants, which end with one of these). */
export const looksLikeChemicalName = (text: string): boolean =>
  PARTS.split(' ').some((part) => text.toLowerCase().includes(part)) && /[-()[\]]/.test(text);

/** The letters of a name, in words: numbers, brackets and dashes only part them. */
const words = (name: string): string[] =>
  name
    .replace(/[\p{Nd},]+/gu, ' ')
    .toLowerCase()
    .match(/[a-z]+/g) ?? [];

/** Shared words by all words (Jaccard), and the ratio of the two sequences of words. */
export function nameSimilarity(a: string, b: string): { jaccard: number; ratio: number } {
  const [first, second] = [words(a), words(b)];
  const [all, left, right] = [new Set([...first, ...second]), new Set(first), new Set(second)];
  const shared = [...left].filter((word) => right.has(word)).length;
  return {
    jaccard: left.size && right.size ? shared / all.size : 0,
    ratio: sequenceRatio(first.join(' '), second.join(' ')),
  };
}
