/**
 * Answers in words, in this order: options, chemical formulae, chemical names, texts with numbers, and last how alike the
 * texts are, which is the only step that gives part of a point.
 */
import { looksLikeChemicalName, nameSimilarity, sameFormula } from './answer-chemistry';
import { bareAnswer, choiceOf } from './answer-choice';
import { NUMBER_TOLERANCE, numbersIn, withoutNumbers } from './answer-number';
import { SPACE } from './python-text';
import { sequenceRatio } from './sequence-ratio';

export interface TextThresholds {
  /** Texts must be more alike than this. Default 0.77. */
  text?: number;
  /** Names of chemistry: the least ratio of their words. Default 0.90. */
  chemicalName?: number;
  /** ... and the least share of common words. Default 0.85. */
  chemicalWords?: number;
}

const ARTICLE = new RegExp(`^[${SPACE}]*(?:the|a|an)[${SPACE}]+`, 'iu');
const ratio = (a: string, b: string): number => sequenceRatio(a.toLowerCase(), b.toLowerCase());

/** Both texts bare; their leading articles go if both have one. */
function comparable(answer: string, truth: string): [string, string] {
  const [a, b] = [bareAnswer(answer), bareAnswer(truth)];
  return ARTICLE.test(a) && ARTICLE.test(b) ? [a.replace(ARTICLE, ''), b.replace(ARTICLE, '')] : [a, b];
}

/** 0 to 1; strictly between only from the last step. */
export function gradeText(answer: string, truth: string, thresholds: TextThresholds = {}): number {
  const { text: least = 0.77, chemicalName = 0.9, chemicalWords = 0.85 } = thresholds;
  const given = choiceOf(answer);
  const right = choiceOf(truth);
  if (right.label && !right.text) return Number(given.label === right.label);
  if (right.label && given.label === right.label) return 1;
  const [a, b] = comparable(given.text || answer, right.text || truth);

  const formulae = sameFormula(a, b);
  if (formulae !== undefined) return Number(formulae);

  const names = [looksLikeChemicalName(a), looksLikeChemicalName(b)];
  if (names[0] && names[1]) {
    const alike = nameSimilarity(a, b);
    return Number(alike.jaccard >= chemicalWords && alike.ratio >= chemicalName);
  }
  const [first, second] = [numbersIn(a), numbersIn(b)];
  if (first.length && second.length && !names[0] && !names[1]) {
    const equal = first.length === second.length && first.every((x, i) => Math.abs(x - second[i]) < NUMBER_TOLERANCE);
    if (equal) return 1;
    // The same words around other numbers: wrong, however alike.
    if (ratio(withoutNumbers(a), withoutNumbers(b)) >= Math.max(least, 0.9)) return 0;
  }
  const alike = ratio(a, b);
  return alike > least ? alike : 0;
}
