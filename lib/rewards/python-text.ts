/**
 * What Python's `str`, `re` and `float` take for space, letters, digits and numbers. The released reward is Python, and
 * JavaScript differs in details: in `\s`, in what `.` matches, in digits of other scripts.
 */

/** `\s` and str.isspace(): a character class without its brackets. */
export const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

const SPACES = new RegExp(`[${SPACE}]+`, 'gu');
const IS_SPACE = new RegExp(`^[${SPACE}]$`, 'u');

/** The text without what `goes` at its end. An expression would try each run of such characters in the text anew. */
export function withoutEnd(text: string, goes: (char: string) => boolean): string {
  let end = text.length;
  while (end > 0 && goes(text[end - 1])) end--;
  return text.slice(0, end);
}

/** str.strip() */
export function strip(text: string): string {
  let start = 0;
  while (start < text.length && isSpace(text[start])) start++;
  return withoutEnd(text.slice(start), isSpace);
}

/** Every run of space as one blank, none at the ends. */
export const oneLine = (text: string): string => strip(text.replace(SPACES, ' '));

export const isSpace = (char: string): boolean => IS_SPACE.test(char);

/** str.isalpha() of one character. */
export const isAlpha = (char: string): boolean => /^\p{L}$/u.test(char);

/** str.islower() of one character. */
export const isLower = (char: string): boolean => /^\p{Lowercase}$/u.test(char);

/** Digits of any script as 0 to 9. Decimal digits come in runs of ten, zero first. */
export function asciiDigits(text: string): string {
  return text.replace(/\p{Nd}/gu, (digit) => {
    const code = digit.codePointAt(0)!;
    if (code < 0x80) return digit;
    let zero = code;
    while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero--;
    return String((code - zero) % 10);
  });
}

/** float(text); undefined where Python raises ValueError. */
export function pythonFloat(text: string): number | undefined {
  const t = asciiDigits(strip(text));
  if (/^[+-]?(inf|infinity)$/i.test(t)) return t.startsWith('-') ? -Infinity : Infinity;
  if (/^[+-]?nan$/i.test(t)) return NaN;
  const digits = '\\d+(?:_\\d+)*';
  const number = new RegExp(`^[+-]?(?:${digits}(?:\\.(?:${digits})?)?|\\.${digits})(?:[eE][+-]?${digits})?$`);
  return number.test(t) ? Number(t.replace(/_/g, '')) : undefined;
}
