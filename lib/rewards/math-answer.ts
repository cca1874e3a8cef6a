/**
 * Whether two mathematical answers say the same, as mathruler's grade_answer (0.1.0) decides it; it goes back to the grader
 * of PRM800K (Lightman et al. 2023) and of MATH (Hendrycks et al. 2021). Three tests, the first that says yes counts:
 *
 *   1. equal after MATH's normalisation (mathNormalize),
 *   2. equal after a looser one: units, "million", percent and currency signs, LaTeX, case,
 *   3. tuples and intervals element by element: two fractions must be written alike, an integer wants an integer, and
 *      otherwise the difference must be zero identically (isZero).
 *
 * Difference from it: where mathruler asks sympy to simplify the difference to 0, `isZero` evaluates it; see there.
 */
import { isZero } from './expression-zero';
import { latexToText } from './latex-text';
import { mathNormalize } from './math-normalize';
import { pythonFloat, strip } from './python-text';

const UNITS = 'degree cm centimeter meter mile second minute hour day week month year foot feet inch yard'.split(' ');
const BRACKETS = '()[]';

/** A number that Python rounds to an integer within 1e-7; not infinite, not NaN. */
const nearInteger = (x: number): boolean => Number.isFinite(x) && Math.abs(x - Math.round(x)) <= 1e-7;
const integerText = (x: number): string => BigInt(x).toString();

/** Commas between groups of three digits go. */
function withoutGroupCommas(text: string): string {
  for (;;) {
    const next = text.replace(/(\p{Nd}),(\p{Nd}{3})($|\P{Nd})/gu, '$1$2$3');
    if (next === text) return text;
    text = next;
  }
}

function isIntegerText(text: string): boolean {
  const value = pythonFloat(withoutGroupCommas(text));
  return value !== undefined && nearInteger(value);
}

function plainLatex(text: string): string {
  const fractions = text.replaceAll('\\tfrac', '\\frac').replaceAll('\\dfrac', '\\frac');
  // A blank before each: "7\frac{3}{4}" is the mixed number 7 3/4.
  const plain = latexToText(fractions.replaceAll('\\frac', ' \\frac'));
  const signs: [string, string][] = [['√', 'sqrt'], ['π', 'pi'], ['∞', 'inf'], ['∪', 'U'], ['·', '*'], ['×', '*']]; // prettier-ignore
  return strip(signs.reduce((t, [sign, name]) => t.replaceAll(sign, name), plain));
}

/** The second, looser normalisation. */
export function looseNormalize(answer: string): string {
  let text = /^\\text\{([^\n]+?)\}\n?$/u.exec(answer)?.[1] ?? answer;
  text = text.replaceAll('\\%', '%').replaceAll('\\$', '$').replace(/[$%]/g, '');
  text = text.replaceAll(' or ', ' , ').replaceAll(' and ', ' , ');
  text = text.replaceAll('million', '*10^6').replaceAll('billion', '*10^9').replaceAll('trillion', '*10^12');
  for (const unit of UNITS) text = text.replace(new RegExp(`${unit}(es)?(s)? *(\\^[0-9]+)?`, 'g'), '');
  text = text.replace(/\^ *\\circ/g, '');
  if (text.startsWith('{') && text.endsWith('}')) text = text.slice(1, -1);
  text = text.replace(/,\\! */g, '');
  const value = pythonFloat(text);
  if (value !== undefined && nearInteger(value)) text = integerText(Math.round(value));
  if (text.includes('\\'))
    try {
      text = plainLatex(text);
    } catch {
      // LaTeX that cannot be read stays as it is.
    }
  text = text
    .replace(/- */g, '-')
    .replace(/([0-9]) +([0-9])/g, '$1+$2')
    .replace(/[ {}]/g, '')
    .toLowerCase();
  return isIntegerText(text) ? integerText(Math.trunc(pythonFloat(text.replaceAll(',', '')) ?? NaN)) : text;
}

/** The elements of "(a, b)" or "[a, b)", or the text itself. */
function elements(text: string): string[] {
  const bare = withoutGroupCommas(text);
  if (!bare) return [];
  const inside = bare.slice(1, -1);
  const tuple =
    bare.length > 2 && BRACKETS.includes(bare[0]) && BRACKETS.includes(bare.at(-1)!) && !/[()[\]]/.test(inside);
  return tuple ? inside.split(',').map(strip) : [bare];
}

const isFraction = (text: string): boolean => /^-?[0-9]+[^\n]?\/0*[1-9][0-9]*[^\n]?\n?$/u.test(text);

function sameElement(given: string, truth: string): boolean {
  if (isFraction(truth) && isFraction(given)) return truth === given;
  if (isIntegerText(truth) !== isIntegerText(given)) return false;
  return isZero(`(${truth})-(${given})`);
}

/** True if the given answer says what the right one says. */
export function gradeMath(given: string, truth: string): boolean {
  if (mathNormalize(truth) === mathNormalize(given)) return true;
  const [right, answer] = [looseNormalize(truth), looseNormalize(given)];
  if (right === answer) return true;
  if (!answer) return false;
  const [a, b] = [elements(right), elements(answer)];
  if (a.length > 1 && (right[0] !== answer[0] || right.at(-1) !== answer.at(-1))) return false;
  return a.length > 0 && a.length === b.length && a.every((element, i) => sameElement(b[i], element));
}
