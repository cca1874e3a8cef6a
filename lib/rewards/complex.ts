/** Complex numbers of 80 decimal digits, for the test of identities. Many-valued functions take the principal value. */
import { Decimal } from 'decimal.js';

/** Own settings, so that no other user of decimal.js changes them. */
export const Digits = Decimal.clone({ precision: 80 });
export type Digits = Decimal;

export interface Complex {
  re: Digits;
  im: Digits;
}

const ZERO = new Digits(0);
export const PI = Digits.acos(-1);
export const complex = (re: Decimal.Value, im: Decimal.Value = 0): Complex => ({
  re: new Digits(re),
  im: new Digits(im),
});

export const add = (a: Complex, b: Complex): Complex => ({ re: a.re.add(b.re), im: a.im.add(b.im) });
export const negate = (a: Complex): Complex => ({ re: a.re.neg(), im: a.im.neg() });
export const multiply = (a: Complex, b: Complex): Complex => ({
  re: a.re.mul(b.re).sub(a.im.mul(b.im)),
  im: a.re.mul(b.im).add(a.im.mul(b.re)),
});
export const size = (a: Complex): Digits => (a.im.isZero() ? a.re.abs() : Digits.hypot(a.re, a.im));
export const isFinite = (a: Complex): boolean => a.re.isFinite() && a.im.isFinite();
export const isNought = (a: Complex): boolean => a.re.isZero() && a.im.isZero();

/** 1 / a; NaN at zero, which stands for all that is not a number. */
export function inverse(a: Complex): Complex {
  if (isNought(a)) return complex(NaN, NaN);
  if (a.im.isZero()) return { re: new Digits(1).div(a.re), im: ZERO };
  const square = a.re.mul(a.re).add(a.im.mul(a.im));
  return { re: a.re.div(square), im: a.im.neg().div(square) };
}

export const logarithm = (a: Complex): Complex =>
  isNought(a) ? complex(NaN, NaN) : { re: size(a).ln(), im: Digits.atan2(a.im, a.re) };

export function exponential(a: Complex): Complex {
  const length = a.re.exp();
  return { re: length.mul(a.im.cos()), im: length.mul(a.im.sin()) };
}

export const sine = (a: Complex): Complex => ({ re: a.re.sin().mul(a.im.cosh()), im: a.re.cos().mul(a.im.sinh()) });

/** base ** exponent; by multiplications for a whole exponent. 0 ** 0 is 1. */
export function power(base: Complex, exponent: Complex): Complex {
  if (exponent.im.isZero() && exponent.re.isInteger() && exponent.re.abs().lte(4096)) {
    let result = complex(1);
    let square = exponent.re.isNeg() ? inverse(base) : base;
    for (let n = Math.abs(exponent.re.toNumber()); n; n = Math.floor(n / 2)) {
      if (n % 2) result = multiply(result, square);
      square = multiply(square, square);
    }
    return result;
  }
  if (isNought(base)) return exponent.re.gt(0) ? complex(0) : complex(NaN, NaN);
  // A positive root of a positive number is calculated without the detour, and comes out exact where it is rational.
  if (base.im.isZero() && base.re.gt(0) && exponent.im.isZero()) {
    if (exponent.re.eq(0.5)) return { re: base.re.sqrt(), im: ZERO };
    return { re: base.re.pow(exponent.re), im: ZERO };
  }
  return exponential(multiply(exponent, logarithm(base)));
}

/** Coefficients B(2k) / (2k (2k - 1)) of Stirling's series, for as many digits as there are at |z| >= 64. */
const stirling: Digits[] = [];
function stirlingSeries(): Digits[] {
  if (stirling.length) return stirling;
  // Bernoulli numbers by Akiyama and Tanigawa, with digits to spare.
  const Long = Decimal.clone({ precision: 200 });
  const row: Decimal[] = [];
  for (let m = 0; m <= 80; m++) {
    row[m] = new Long(1).div(m + 1);
    for (let j = m; j >= 1; j--) row[j - 1] = row[j - 1].sub(row[j]).mul(j);
    if (m >= 2 && m % 2 === 0) stirling.push(new Digits(row[0].div(m * (m - 1)).toString()));
  }
  return stirling;
}

/** The gamma function: Stirling's series far to the right, and steps back from there. NaN at its poles. */
export function gamma(z: Complex): Complex {
  if (!isFinite(z) || z.re.lt(-2000) || z.re.gt(5000)) return complex(NaN, NaN);
  let below = complex(1);
  let far = z;
  while (far.re.lt(64)) {
    below = multiply(below, far);
    far = add(far, complex(1));
  }
  const back = inverse(far);
  const step = multiply(back, back);
  let power = back;
  const half = add(far, complex(-0.5));
  let sum = add(multiply(half, logarithm(far)), negate(far));
  sum = add(sum, complex(PI.mul(2).ln().div(2)));
  for (const coefficient of stirlingSeries()) {
    sum = add(sum, multiply(power, complex(coefficient)));
    power = multiply(power, step);
  }
  return multiply(exponential(sum), inverse(below));
}
