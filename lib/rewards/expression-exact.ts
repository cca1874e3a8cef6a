/**
 * Expressions of numbers only, calculated as sympy does when it builds them: rational numbers exactly; as soon as a number
 * with a point takes part, in double precision.
 */
import { Digits } from './complex';
import type { BinaryOperator, Expression } from './expression-parse';

export type Exact = { top: bigint; bottom: bigint } | { float: number };

/** Larger results than this many bits are not worked out. */
const MOST_BITS = 200_000;

function fraction(top: bigint, bottom: bigint): Exact | undefined {
  if (bottom === 0n) return undefined;
  if (bottom < 0n) [top, bottom] = [-top, -bottom];
  let [a, b] = [top < 0n ? -top : top, bottom];
  while (b) [a, b] = [b, a % b];
  return { top: top / a, bottom: bottom / a };
}

const toFloat = (x: Exact): number =>
  'float' in x ? x.float : new Digits(x.top.toString()).div(x.bottom.toString()).toNumber();

function integerPower(x: Exact, n: bigint): Exact | undefined {
  if ('float' in x) return { float: new Digits(x.float).pow(n.toString()).toNumber() };
  const size = n < 0n ? -n : n;
  const bits = BigInt(Math.max(x.top.toString(2).length, x.bottom.toString(2).length));
  if (bits > 1n && bits * size > MOST_BITS) return undefined;
  const [top, bottom] = [x.top ** size, x.bottom ** size];
  return n < 0n ? fraction(bottom, top) : fraction(top, bottom);
}

function combine(op: BinaryOperator, a: Exact, b: Exact): Exact | undefined {
  if (op === '**') {
    if (!('float' in b) && b.bottom === 1n) return integerPower(a, b.top);
    if (!('float' in a || 'float' in b)) return undefined;
    const base = toFloat(a);
    return base > 0 ? { float: new Digits(base).pow(toFloat(b)).toNumber() } : undefined;
  }
  if ('float' in a || 'float' in b) {
    const [x, y] = [toFloat(a), toFloat(b)];
    // An exact number by one with a point is, in sympy, the exact number times the other's inverse.
    const quotient = 'float' in a ? x / y : x * (1 / y);
    const value = op === '+' ? x + y : op === '-' ? x - y : op === '*' ? x * y : quotient;
    return Number.isFinite(value) ? { float: value } : undefined;
  }
  if (op === '*') return fraction(a.top * b.top, a.bottom * b.bottom);
  if (op === '/') return fraction(a.top * b.bottom, a.bottom * b.top);
  const right = op === '+' ? b.top : -b.top;
  return fraction(a.top * b.bottom + right * a.bottom, a.bottom * b.bottom);
}

/** n! or n!! of a whole number; undefined for others and where it would be endless. */
function factorial(n: bigint, step: 1n | 2n): bigint | undefined {
  if (n < 0n || n > 5000n) return undefined;
  let product = 1n;
  for (let k = n; k > 1n; k -= step) product *= k;
  return product;
}

/** A number as written: with more than 15 digits sympy keeps them all, and so they count exactly. */
function written(text: string): Exact | undefined {
  const [, whole, point = '', exponent = '0'] = /^(\d*)\.?(\d*)(?:[eE]([-+]?\d+))?$/.exec(text)!;
  const digits = `${whole}${point}`.replace(/^0+/, '');
  if (digits.length <= 15) return { float: Number(text) };
  const shift = BigInt(exponent) - BigInt(point.length);
  if (shift > 5000n || shift < -5000n) return undefined;
  return shift < 0n ? fraction(BigInt(digits), 10n ** -shift) : { top: BigInt(digits) * 10n ** shift, bottom: 1n };
}

/** The value; undefined if the expression has symbols or irrational parts, divides by zero or is too large. */
export function exactValue(e: Expression): Exact | undefined {
  if (e.kind === 'rational') return fraction(e.top, e.bottom);
  if (e.kind === 'float') return written(e.text);
  if (e.kind === 'negative') {
    const of = exactValue(e.of);
    return of && ('float' in of ? { float: -of.float } : { top: -of.top, bottom: of.bottom });
  }
  if (e.kind === 'binary') {
    const left = exactValue(e.left);
    const right = left && exactValue(e.right);
    return left && right && combine(e.op, left, right);
  }
  if (e.kind === 'call' && e.of.length === 1) {
    const of = exactValue(e.of[0]);
    if (of && 'float' in of && of.float > 0 && (e.name === 'sqrt' || e.name === 'ln'))
      return { float: (e.name === 'sqrt' ? new Digits(of.float).sqrt() : new Digits(of.float).ln()).toNumber() };
    if (!of || 'float' in of || of.bottom !== 1n || !e.name.startsWith('factorial')) return undefined;
    const value = factorial(of.top, e.name === 'factorial' ? 1n : 2n);
    return value === undefined ? undefined : { top: value, bottom: 1n };
  }
  return undefined;
}
