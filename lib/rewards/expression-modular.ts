/**
 * Whether a rational expression is zero identically, exactly, whatever the size of its numbers: 80 digits cannot tell
 * 10^99 x + 1 from 10^99 x + 2. Letters and pi (which solves no equation with whole numbers) get fixed values, and all is
 * calculated modulo a prime, where no number grows. Another expression than zero vanishes there with a chance of about its
 * degree in 10^60.
 */
import { exactValue } from './expression-exact';
import type { Expression } from './expression-parse';

/** A prime that no answer contains. */
const PRIME = 1_606_938_044_258_990_275_541_962_092_341_162_602_534_548_672_684_027_403_191_557n;

const reduced = (x: bigint): bigint => ((x % PRIME) + PRIME) % PRIME;

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let n = exponent; n; n >>= 1n, base = (base * base) % PRIME) if (n & 1n) result = (result * base) % PRIME;
  return result;
}

const inverse = (x: bigint): bigint | undefined => (x ? power(x, PRIME - 2n) : undefined);

const valueOf = (name: string): bigint =>
  [...name].reduce((value, char) => reduced(value * 1_000_003n + BigInt(char.codePointAt(0)!)), 7n) ** 9n % PRIME;

function value(e: Expression): bigint | undefined {
  if (e.kind === 'rational') {
    const below = inverse(reduced(e.bottom));
    return below && (reduced(e.top) * below) % PRIME;
  }
  if (e.kind === 'symbol') return valueOf(e.name);
  if (e.kind === 'pi') return valueOf('pi, which is no single letter');
  if (e.kind === 'negative') {
    const of = value(e.of);
    return of === undefined ? undefined : reduced(-of);
  }
  if (e.kind !== 'binary') return undefined;
  const left = value(e.left);
  if (left === undefined) return undefined;
  if (e.op === '**') {
    const exponent = exactValue(e.right);
    if (!exponent || 'float' in exponent || exponent.bottom !== 1n) return undefined;
    return exponent.top < 0n ? inverse(power(left, -exponent.top)) : power(left, exponent.top);
  }
  const right = value(e.right);
  if (right === undefined) return undefined;
  if (e.op === '+') return (left + right) % PRIME;
  if (e.op === '-') return reduced(left - right);
  const factor = e.op === '*' ? right : inverse(right);
  return factor === undefined ? undefined : (left * factor) % PRIME;
}

/** Undefined if the expression is not rational, has numbers with a point, or divides by zero. */
export function isRationalZero(e: Expression): boolean | undefined {
  const result = value(e);
  return result === undefined ? undefined : result === 0n;
}
