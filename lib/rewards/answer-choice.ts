/** Options in answers: "B", "(b) the cat", "Option 3", "iv." */
import { isAlpha, isLower, isSpace, oneLine, SPACE, strip, withoutEnd } from './python-text';

// Python's case-insensitive "i" also matches the dotless i and the capital I with a dot; JavaScript's does not.
const I = '[i\\u0130\\u0131]';
const TOKEN = `[A-Ja-j\\u0130\\u0131]|10|[1-9]|${I}{1,3}|${I}v|v|v${I}{1,3}|${I}x|x|Ⅰ|Ⅱ|Ⅲ|Ⅳ|Ⅴ|Ⅵ|Ⅶ|Ⅷ|Ⅸ|Ⅹ`;
const S = `[${SPACE}]`;
const LABEL = new RegExp(
  `^${S}*(?:opt${I}on|answer)?${S}*[:\\-)]?${S}*[([]?${S}*(${TOKEN})(?=$|${S}|[)\\].:])${S}*[)\\].:]?${S}*([^\\n]*)$`,
  'diu',
);
const PREFIX = new RegExp(`^${S}*(?:the${S}+answer${S}+${I}s|answer${S}+${I}s)${S}*[:\\-]?${S}*`, 'iu');
const BEFORE_TEXT = new RegExp(`^[\\-.:)\\]${SPACE}]+`, 'u');
const FULL_WIDTH = 'ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ';
const ROMAN = ['I', 'II', 'III', 'IV', 'V', 'VI', 'VII', 'VIII', 'IX', 'X'];
const LETTERS = 'ABCDEFGHIJ';

/** One line without "the answer is" before and without punctuation after it. */
export const bareAnswer = (text: string): string =>
  strip(withoutEnd(oneLine(text).replace(PREFIX, ''), (char) => isSpace(char) || '.?!;:'.includes(char)));

/** "b", "2", "ii" and "Ⅱ" are all B. Undefined: no label. Letters go before Roman numerals: "i" is I, the ninth. */
function letterOf(token: string): string | undefined {
  if (/^[A-Ja-j]$/.test(token)) return token.toUpperCase();
  if (/^\d+$/.test(token)) return LETTERS[Number(token) - 1];
  const ascii = [...token].map((char) => ROMAN[FULL_WIDTH.indexOf(char)] ?? char).join('');
  return LETTERS[ROMAN.indexOf(ascii.toUpperCase())];
}

/**
 * The option that an answer starts with, as a letter A to J, and the text after it. No option: a label that "-" or "("
 * follows (as in the names of chemistry), and one lower-case letter before a word ("a dog").
 */
export function choiceOf(answer: string): { label?: string; text: string } {
  const text = bareAnswer(answer);
  const match = LABEL.exec(text);
  if (!match) return { text };
  const [, token, tail] = match;
  const after = [...text.slice(match.indices![1][1])];
  const next = after.find((char) => !isSpace(char));
  if (next === '-' || next === '(') return { text: bareAnswer(text) };
  if ([...token].length === 1 && isLower(token) && next !== undefined && isAlpha(next))
    return { text: bareAnswer(text) };
  const label = letterOf(token);
  if (!label) return { text };
  return { label, text: bareAnswer(strip(tail).replace(BEFORE_TEXT, '')) };
}
