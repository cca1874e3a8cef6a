/**
 * The accuracy and format rewards of Omni-R1 (Cheng et al. 2026), as its released rewards.py decides them.
 *
 * Accuracy: the answer is what follows the first "Final Answer:". The first of these that fits decides:
 *   1. both are digits only: equal as text,
 *   2. both are numbers (signs of currency, commas, "(5)", "%"): equal values,
 *   3. neither has a mathematical sign (= + * / ^ or a LaTeX command): compared as text (gradeText), the only step with
 *      values between 0 and 1,
 *   4. otherwise as mathematics (gradeMath).
 */
import { answerNumber, sameNumber } from './answer-number';
import { gradeText } from './answer-text';
import type { TextThresholds } from './answer-text';
import { gradeMath } from './math-answer';
import { strip } from './python-text';

const KEY = 'Final Answer:';
const DIGITS = /^\p{Nd}+$/u;
const MATHEMATICAL = /[=+*/^]|\\[a-zA-Z]+/;

/** What follows the first "Final Answer:"; undefined if there is none. */
export function finalAnswer(solution: string): string | undefined {
  const at = solution.indexOf(KEY);
  return at < 0 ? undefined : strip(solution.slice(at + KEY.length));
}

/** How well an answer alone agrees with the right one, 0 to 1. */
export function gradeAnswer(answer: string, truth: string, thresholds: TextThresholds = {}): number {
  const [given, right] = [strip(answer), strip(truth)];
  if (DIGITS.test(given) && DIGITS.test(right)) return Number(given === right);
  const [a, b] = [answerNumber(given), answerNumber(right)];
  if (a && b) return Number(sameNumber(a, b));
  if (!MATHEMATICAL.test(given) && !MATHEMATICAL.test(right)) return gradeText(given, right, thresholds);
  return Number(gradeMath(given, right));
}

/** The accuracy reward of a solution: its final answer's grade; an absent answer is an empty one. */
export const accuracyReward = (solution: string, truth: string, thresholds: TextThresholds = {}): number =>
  gradeAnswer(finalAnswer(solution) ?? '', truth, thresholds);

/** 1 if the solution has both "THOUGHT" and "Final Answer:", else 0. */
export const formatReward = (solution: string): number =>
  Number(solution.includes('THOUGHT') && solution.includes(KEY));
