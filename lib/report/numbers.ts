/** Numbers as a reader wants them: 8048, 0.931, 1.92, 3.0e-5; and means with a spread that decides their digits. */
import { ArgumentError } from '../errors';

/**
 * A number with `digits` significant digits (default 3): whole numbers and numbers of 1,000 and more in full, very
 * small and very large ones with an exponent.
 */
export function formatNumber(value: number, digits = 3): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '-∞';
  const size = Math.abs(value);
  if (value === 0) return '0';
  if (size >= 1e9 || size < 1e-3) return value.toExponential(Math.max(0, digits - 1)).replace('e+', 'e');
  if (Number.isInteger(value)) return String(value);
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  // 9.999 with two decimals becomes 10.00; one digit less is meant then.
  const text = value.toFixed(decimals);
  return decimals > 0 && Math.abs(Number(text)) >= 10 ** (digits - decimals) ? value.toFixed(decimals - 1) : text;
}

/**
 * A number that somebody else published: all of its digits, and at least three significant ones, of at most three decimals
 * (130.5, 18.89, 2.30, 0.900, 0.093).
 */
export function formatPublished(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value) || size >= 100 || size < 1e-3)
    return size > 1e-3 && size < 1e9 ? String(value) : formatNumber(value);
  const own = (String(value).split('.')[1] ?? '').length;
  return value.toFixed(Math.max(own, Math.min(3, 2 - Math.floor(Math.log10(size)))));
}

/** A mean over `n` measurements; `spread` is their sample standard deviation, null when there is only one. */
export interface MeanSpread {
  mean: number;
  spread: number | null;
  n: number;
}

/** True of values made by `meanSpread`. */
export function isMeanSpread(value: unknown): value is MeanSpread {
  return typeof value === 'object' && value !== null && 'mean' in value && 'spread' in value && 'n' in value;
}

/** Mean and sample standard deviation. @throws ArgumentError when empty or when a value is not finite. */
export function meanSpread(values: ArrayLike<number>, where = 'meanSpread'): MeanSpread {
  const list = Array.from(values);
  const bad = list.find((value) => !Number.isFinite(value));
  if (list.length === 0 || bad !== undefined) {
    throw new ArgumentError(
      where,
      `expected at least one finite number, got ${list.length === 0 ? 'none' : String(bad)}`,
      'leave a run out that did not finish, and say so; use null where nothing was measured',
    );
  }
  const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
  const squares = list.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const spread = list.length > 1 ? Math.sqrt(squares / (list.length - 1)) : null;
  // Of equal values the mean may be rounded: that is no spread.
  return { mean, spread: spread !== null && spread <= 1e-12 * Math.abs(mean) ? 0 : spread, n: list.length };
}

/** "0.931 ± 0.004": the spread with one digit (two if it starts with 1), the mean to the same place. */
export function formatMeanSpread({ mean, spread }: MeanSpread, digits = 3): string {
  if (spread === null) return formatNumber(mean, digits);
  if (spread === 0) return `${formatNumber(mean, digits)} ± 0`;
  const exponent = Math.floor(Math.log10(spread));
  const decimals = -exponent + (spread / 10 ** exponent < 2 ? 1 : 0);
  if (decimals > 6 || Math.abs(mean) >= 1e9) return `${formatNumber(mean, digits)} ± ${formatNumber(spread, 2)}`;
  const places = Math.max(0, decimals);
  return `${mean.toFixed(places)} ± ${spread.toFixed(places)}`;
}
