/** Cells of a table as JSON, as the released script writes them: what JSON has stays, all else becomes Python's str(). */

/** repr() of Python's bytes. */
function bytesText(bytes: Uint8Array): string {
  const quote = bytes.includes(0x27) && !bytes.includes(0x22) ? '"' : "'";
  const named: Record<number, string> = { 9: '\\t', 10: '\\n', 13: '\\r', 0x5c: '\\\\' };
  const text = Array.from(bytes, (byte) => {
    const char = String.fromCharCode(byte);
    if (char === quote) return `\\${char}`;
    return named[byte] ?? (byte >= 32 && byte < 127 ? char : `\\x${byte.toString(16).padStart(2, '0')}`);
  });
  return `b${quote}${text.join('')}${quote}`;
}

/** str() of a pandas timestamp without a zone. */
const timeText = (date: Date): string => date.toISOString().replace('T', ' ').replace('Z', '').replace('.000', '').replace(/(\.\d{3})$/, '$1000'); // prettier-ignore

/** A value that JSON.stringify takes. Not a number and infinity become null, which JSON has no words for. */
export function jsonCell(value: unknown): unknown {
  if (value === undefined || value === null) return null;
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (value instanceof Date) return timeText(value);
  if (value instanceof Uint8Array) return bytesText(value);
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return Array.from(value as ArrayLike<unknown>, jsonCell);
  if (typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, jsonCell(inner)]));
  return null;
}
