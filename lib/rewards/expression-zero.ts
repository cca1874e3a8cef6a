/**
 * Whether an expression is zero identically. Numbers and rational expressions are calculated exactly; anything else is
 * evaluated with 80 digits at six points of the complex plane, spread so that sqrt(x^2) and x differ at some.
 *
 * mathruler asks sympy to simplify the expression to 0. Where the two differ:
 * 1. sympy misses zeros that its rules do not find, such as some nested roots; here they count as zero.
 * 2. Numbers with a point: sympy adds those of equal terms in double precision, so 0.1x + 0.2x - 0.3x is not zero for it,
 *    and does not always see that ln(0.5) or a factorial of 1.25 is the same as itself; here they count as written.
 * 3. Values at infinity (1/oo), unknown functions and bit operations are not equal to anything here.
 * Of 18,000 random answers (tests/goldens/rewards.py, seeds 1 to 5) three are judged otherwise, all by the second.
 */
import * as C from './complex';
import type { Complex } from './complex';
import { exactValue } from './expression-exact';
import { isRationalZero } from './expression-modular';
import { parseExpression } from './expression-parse';
import type { Expression } from './expression-parse';

/** What the grader does not let through: exponents of two digits, towers of powers, powers of parentheses. */
const HARD = /\^[{(]|\^[0-9]+\^|\^[0-9][0-9]+/;
const MOST_LETTERS = 2;
const POINTS = 6;
/** Factorials and logarithms take time; sympy comes to no end with as many. */
const MOST_CALLS = 100;
/**
 * For sympy x^0.5 is not sqrt(x), nor sqrt(x + 0.5) the same as sqrt(x + 1/2): in powers (but for the base of a whole one)
 * and in arguments, numbers with a point are moved by so much.
 */
const MOVED = new C.Digits(1).add('1e-12');
const TOLERANCE = new C.Digits('1e-45');

interface Run {
  symbols: ReadonlyMap<string, Complex>;
  /** The largest size of a term so far: what rounding errors are measured by. */
  scale: C.Digits;
}

function term(value: Complex, run: Run): Complex {
  const size = C.size(value);
  if (size.gt(run.scale)) run.scale = size;
  return value;
}

function binary(e: Extract<Expression, { kind: 'binary' }>, run: Run, moved: boolean): Complex {
  const isPower = e.op === '**';
  const exponent = isPower ? exactValue(e.right) : undefined;
  const whole = exponent && 'bottom' in exponent && exponent.bottom === 1n;
  const left = evaluate(e.left, run, moved || (isPower && !whole));
  const right = evaluate(e.right, run, moved || isPower);
  if (e.op === '*') return C.multiply(left, right);
  if (e.op === '/') return C.multiply(left, C.inverse(right));
  if (e.op === '**') return C.power(left, right);
  return C.add(term(left, run), e.op === '+' ? term(right, run) : C.negate(term(right, run)));
}

function call(e: Extract<Expression, { kind: 'call' }>, run: Run): Complex {
  const [x, base] = e.of.map((argument) => evaluate(argument, run, true));
  if (e.name === 'sqrt') return C.power(x, C.complex(0.5));
  if (e.name === 're') return C.complex(x.re);
  if (e.name === 'im') return C.complex(x.im);
  if (e.name === 'csc') return C.inverse(C.sine(x));
  if (e.name === 'ln') return base ? C.multiply(C.logarithm(x), C.inverse(C.logarithm(base))) : C.logarithm(x);
  // n!! of what is no whole number is no more than itself: only its argument counts.
  if (e.name === 'factorial2') return C.multiply(C.gamma(C.add(x, C.complex(1.5))), C.complex(C.PI));
  return C.gamma(C.add(x, C.complex(1)));
}

/** `moved`: numbers with a point stand where sympy tells them from exact ones, see MOVED. */
function evaluate(e: Expression, run: Run, moved = false): Complex {
  const exact = exactValue(e);
  if (exact && 'float' in exact) return C.complex(moved ? MOVED.mul(exact.float) : exact.float);
  if (exact) return C.complex(new C.Digits(exact.top.toString()).div(exact.bottom.toString()));
  if (e.kind === 'symbol') return run.symbols.get(e.name)!;
  if (e.kind === 'pi') return C.complex(C.PI);
  if (e.kind === 'i') return C.complex(0, 1);
  if (e.kind === 'negative') return C.negate(evaluate(e.of, run, moved));
  if (e.kind === 'binary') return binary(e, run, moved);
  if (e.kind === 'call') return call(e, run);
  // A number that is too large to be worked out.
  return C.complex(NaN);
}

const children = (e: Expression): Expression[] =>
  e.kind === 'binary' ? [e.left, e.right] : e.kind === 'call' ? e.of : e.kind === 'negative' ? [e.of] : [];

function symbolsOf(e: Expression): string[] {
  const own = e.kind === 'symbol' ? [e.name] : [];
  return [...new Set([...own, ...children(e).flatMap(symbolsOf)])].sort();
}

const calls = (e: Expression): number =>
  children(e).reduce((sum, child) => sum + calls(child), Number(e.kind === 'call'));

/** The k-th symbol at the i-th point: turned by irrational steps, so that all quadrants come up in all pairings. */
function point(i: number, k: number): Complex {
  const turn = C.Digits.sqrt(2 + 5 * k).mul(i + 1).add(C.Digits.sqrt(3 + k).div(7)).mod(1).mul(2).sub(1).mul(C.PI); // prettier-ignore
  const length = C.Digits.sqrt(7 + 4 * k).div(3).add(C.Digits.sqrt(11 + 6 * i).div(5)).mod(1).add(0.4); // prettier-ignore
  return { re: length.mul(turn.cos()), im: length.mul(turn.sin()) };
}

/** Letters of an expression, each once, without those of "sqrt" and "frac". */
const letters = (text: string): number =>
  new Set(text.replaceAll('sqrt', '').replaceAll('frac', '').match(/\p{L}/gu) ?? []).size;

/** See above. What cannot be read is not zero; no input throws. */
export function isZero(text: string): boolean {
  if (letters(text) > MOST_LETTERS || HARD.test(text)) return false;
  try {
    const expression = parseExpression(text);
    const exact = exactValue(expression);
    if (exact) return 'float' in exact ? exact.float === 0 : exact.top === 0n;
    const rational = isRationalZero(expression);
    if (rational !== undefined) return rational;
    if (calls(expression) > MOST_CALLS) return false;
    const symbols = symbolsOf(expression);
    for (let i = 0; i < (symbols.length ? POINTS : 1); i++) {
      const run: Run = {
        symbols: new Map(symbols.map((name, k) => [name, point(i, k)])),
        scale: new C.Digits(0),
      };
      const value = evaluate(expression, run);
      if (!C.isFinite(value) || C.size(value).gt(TOLERANCE.mul(run.scale))) return false;
    }
    return true;
  } catch {
    // No expression, or one that is nested or grows beyond all measure: not equal, as where sympy raises.
    return false;
  }
}
