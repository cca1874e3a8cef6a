/**
 * How alike two texts are, from 0 to 1: SequenceMatcher(None, a, b).ratio() of Python's difflib, 2 M / (|a| + |b|) with M
 * the characters in matching blocks (Ratcliff and Obershelp: the longest common run, then the same left and right of it).
 *
 * difflib's rule of thumb is part of the value: in a second text of 200 characters or more, a character that makes up more
 * than 1 % of it (more than floor(n / 100) + 1 times) starts no match; it can only lengthen one.
 */

type Block = [aStart: number, aEnd: number, bStart: number, bEnd: number];

/** Places of each character in `b`, without those that are too frequent to start a match. */
function placesOf(b: readonly string[]): Map<string, number[]> {
  const places = new Map<string, number[]>();
  b.forEach((char, j) => {
    const list = places.get(char);
    if (list) list.push(j);
    else places.set(char, [j]);
  });
  if (b.length >= 200) {
    const most = Math.floor(b.length / 100) + 1;
    for (const [char, list] of places) if (list.length > most) places.delete(char);
  }
  return places;
}

/** Lengths of the runs that end at a place of b, for the last two characters of a; `step` tells old ones from these. */
interface Runs {
  step: number;
  length: [Int32Array, Int32Array];
  steps: [Int32Array, Int32Array];
}

/** The longest run that both have in the block; of several the one that starts first in a, then in b. */
function longestMatch(
  a: readonly string[],
  b: readonly string[],
  places: ReadonlyMap<string, readonly number[]>,
  runs: Runs,
  [aStart, aEnd, bStart, bEnd]: Block,
): [number, number, number] {
  let bestI = aStart;
  let bestJ = bStart;
  let size = 0;
  // Nothing of an earlier block is one step old.
  runs.step++;
  for (let i = aStart; i < aEnd; i++) {
    const now = ++runs.step % 2;
    for (const j of places.get(a[i]) ?? []) {
      if (j < bStart) continue;
      if (j >= bEnd) break;
      const before = j > bStart && runs.steps[1 - now][j - 1] === runs.step - 1 ? runs.length[1 - now][j - 1] : 0;
      runs.length[now][j] = before + 1;
      runs.steps[now][j] = runs.step;
      if (before >= size) [bestI, bestJ, size] = [i - before, j - before, before + 1];
    }
  }
  while (bestI > aStart && bestJ > bStart && a[bestI - 1] === b[bestJ - 1])
    [bestI, bestJ, size] = [bestI - 1, bestJ - 1, size + 1];
  while (bestI + size < aEnd && bestJ + size < bEnd && a[bestI + size] === b[bestJ + size]) size++;
  return [bestI, bestJ, size];
}

/** See above; lengths count Unicode characters. Two empty texts are equal: 1. */
export function sequenceRatio(first: string, second: string): number {
  const a = [...first];
  const b = [...second];
  if (a.length + b.length === 0) return 1;
  const places = placesOf(b);
  const array = (): Int32Array => new Int32Array(b.length);
  const runs: Runs = { step: 0, length: [array(), array()], steps: [array(), array()] };
  const blocks: Block[] = [[0, a.length, 0, b.length]];
  let matches = 0;
  for (let block = blocks.pop(); block; block = blocks.pop()) {
    const [i, j, size] = longestMatch(a, b, places, runs, block);
    if (!size) continue;
    matches += size;
    const [aStart, aEnd, bStart, bEnd] = block;
    if (aStart < i && bStart < j) blocks.push([aStart, i, bStart, j]);
    if (i + size < aEnd && j + size < bEnd) blocks.push([i + size, aEnd, j + size, bEnd]);
  }
  return (2 * matches) / (a.length + b.length);
}
