/** Numbers in answers: a whole answer that is one, and numbers inside text. */
import { pythonFloat, SPACE, strip } from './python-text';

const CURRENCY = '$€£¥₹₩₽₫₴₪₦₱฿₭₮₸₺₼₿';
const NOT_COUNTED = new RegExp(`[${CURRENCY},${SPACE}]`, 'gu');
const NUMBER = /^[+-]?\p{Nd}+(?:\.\p{Nd}+)?$/u;
const INSIDE = /(?<![A-Za-z])[-+]?\p{Nd}+(?:\.\p{Nd}+)?(?![A-Za-z])/gu;

/** Numbers closer than this are equal. */
export const NUMBER_TOLERANCE = 1e-9;

export interface AnswerNumber {
  value: number;
  percent: boolean;
}

/**
 * The number that the whole text is: currency signs, commas and blanks anywhere do not count, "(5)" is -5, one "%" may
 * end it (inside the parentheses). Undefined if the text is anything else.
 */
export function answerNumber(text: string): AnswerNumber | undefined {
  let t = strip(text);
  const inside = strip(t.slice(1, -1));
  const negative = t.length > 1 && t.startsWith('(') && t.endsWith(')') && !inside.includes('\n');
  if (negative) t = inside;
  const percent = t.endsWith('%');
  if (percent) t = strip(t.slice(0, -1));
  t = t.replace(NOT_COUNTED, '');
  if (!NUMBER.test(t)) return undefined;
  const value = pythonFloat(t)!;
  return { value: negative ? -value : value, percent };
}

/**
 * Whether the numbers are equal. If just one has a "%", it may mean what it says (50 % = 50) or a share (50 % = 0.5).
 */
export function sameNumber(a: AnswerNumber, b: AnswerNumber): boolean {
  const near = (x: number, y: number): boolean => Math.abs(x - y) < NUMBER_TOLERANCE;
  if (near(a.value, b.value)) return true;
  if (a.percent === b.percent) return false;
  return a.percent ? near(a.value, 100 * b.value) : near(b.value, 100 * a.value);
}

/** All numbers in a text that no Latin letter touches, in order. */
export const numbersIn = (text: string): number[] => [...text.matchAll(INSIDE)].map(([n]) => pythonFloat(n)!);

/** The text with a blank in the place of each such number. */
export const withoutNumbers = (text: string): string => text.replace(INSIDE, ' ');
