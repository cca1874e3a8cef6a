/** JSON of which equal values have equal texts, so that a hash can stand for a value. */
import { createHash } from 'node:crypto';
import { ArgumentError } from '../errors';

/** JSON with sorted keys. Refuses what JSON would change silently: NaN, infinities, functions, class instances. */
export function canonicalJson(value: unknown, where = 'value'): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' && Number.isFinite(value)) return Object.is(value, -0) ? '-0.0' : String(value);
  if (Array.isArray(value)) return `[${value.map((v, i) => canonicalJson(v, `${where}[${i}]`)).join(',')}]`;
  if (typeof value === 'object' && [Object.prototype, null].includes(Object.getPrototypeOf(value) as null)) {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined);
    return `{${entries
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v, `${where}.${k}`)}`)
      .join(',')}}`;
  }
  throw new ArgumentError(
    where,
    `expected JSON (finite numbers, texts, booleans, null, lists, plain objects), got ${typeof value === 'number' ? value : Object.prototype.toString.call(value)}`,
    'store tensors as tensors, and other values as texts',
  );
}

/** SHA-256 of a text, in hexadecimal digits. */
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
