/**
 * Splits that never overlap. What a sample is about (a scene (its motion aside), a question on the encyclopaedia, a
 * sum) has a key, and the key alone says which split it belongs to: a tenth of all keys are for testing, a tenth for
 * validation. So no scene or question of one split occurs in another, whatever the seed.
 */
export const SPLITS = ['train', 'validation', 'test'] as const;
export type Split = (typeof SPLITS)[number];

/** FNV-1a of the UTF-16 units, 32 bits, with a finishing mix (its low digits alone are not even enough). */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The split that a key belongs to. */
export function splitOf(key: string): Split {
  const tenth = hash(key) % 10;
  return tenth === 0 ? 'test' : tenth === 1 ? 'validation' : 'train';
}
