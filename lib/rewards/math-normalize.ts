/**
 * The normalisation of answers of the MATH data set (Hendrycks et al. 2021), as mathruler 0.1.0 has it. What it cannot
 * read stays as it was.
 */
import { strip } from './python-text';

/** Ends the normalisation: the answer stays as given. */
class Unreadable extends Error {}

function charAt(text: string, i: number): string {
  if (i >= text.length) throw new Unreadable();
  return text[i];
}

/** \frac12, \frac1{2} and \frac{1}2 with braces. A \frac with one character after it leaves the whole text alone. */
function bracedFractions(text: string): string {
  const [head, ...parts] = text.split('\\frac');
  let out = head;
  for (const part of parts) {
    if (charAt(part, 0) === '{') out += `\\frac${part}`;
    else if (part.length < 2) return text;
    else out += `\\frac{${part[0]}}${part[1] === '{' ? part[1] : `{${part[1]}}`}${part.slice(2)}`;
  }
  return out;
}

/** "3/4" as \frac{3}{4}, for plain integers. */
function slashFraction(text: string): string {
  const integer = '(-?[1-9]\\d*|0)';
  const parts = new RegExp(`^${integer}/${integer}$`).exec(text);
  // Python refuses to read integers of more digits.
  if (!parts || parts[1].length > 4300 || parts[2].length > 4300) return text;
  return `\\frac{${parts[1]}}{${parts[2]}}`;
}

function withoutRightUnits(text: string): string {
  const parts = text.split('\\text{ ');
  if (parts.length > 2) throw new Unreadable();
  return parts[0];
}

function bracedRoots(text: string): string {
  const [head, ...parts] = text.split('\\sqrt');
  return head + parts.map((p) => (charAt(p, 0) === '{' ? `\\sqrt${p}` : `\\sqrt{${p[0]}}${p.slice(1)}`)).join('');
}

function normalized(answer: string): string {
  let text = answer;
  for (const [from, to] of [
    ['\n', ''],
    ['\\!', ''],
    ['\\\\', '\\'],
    ['tfrac', 'frac'],
    ['dfrac', 'frac'],
    ['\\left', ''],
    ['\\right', ''],
    ['^{\\circ}', ''],
    ['^\\circ', ''],
    ['\\$', ''],
  ])
    text = text.replaceAll(from, to);
  text = withoutRightUnits(text);
  text = text.replaceAll('\\%', '').replaceAll('%', '').replaceAll(' .', ' 0.').replaceAll('{.', '{0.');
  if (!text) return text;
  if (text.startsWith('.')) text = `0${text}`;
  const sides = text.split('=');
  // "x = 5" and "k=5" are 5.
  if (sides.length === 2 && [...sides[0]].length <= 2) text = sides[1];
  text = bracedFractions(bracedRoots(text).replaceAll(' ', ''));
  if (text === '0.5') text = '\\frac{1}{2}';
  return slashFraction(text);
}

/** See above. */
export function mathNormalize(answer: string): string {
  let text = strip(answer);
  text = strip(/^\\text\{([^\n]+?)\}$/u.exec(text)?.[1] ?? text);
  try {
    return normalized(text);
  } catch (error) {
    if (error instanceof Unreadable) return text;
    throw error;
  }
}
