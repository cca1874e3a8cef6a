/** Questions that a short program answers: wordings, programs in several styles, and explanations. */
import type { Random } from '../nn/random';
import type { Wording } from './wording';

/** Kinds of question and their numbers. */
export interface Sum {
  kind: keyof typeof SUMS;
  numbers: number[];
}

interface SumKind {
  draw: (random: Random) => number[];
  /** What is asked for, as a noun phrase: "the sum of ...". */
  names: (n: number[]) => string[];
  programs: (n: number[]) => string[];
  methods: string[];
}

const between = (low: number, high: number) => (random: Random) => low + random.int(high - low + 1);
const several = (random: Random) => Array.from({ length: 3 + random.int(3) }, () => 1 + random.int(60));
const listed = (n: number[]) => `${n.slice(0, -1).join(', ')} and ${n.at(-1)}`;
const inList = (n: number[]) => `const list = [${n.join(', ')}];`;

const SUMS = {
  sumTo: {
    draw: (r: Random) => [between(5, 400)(r)],
    names: ([n]: number[]) => [
      `the sum of the whole numbers from 1 to ${n}`,
      `the total of 1, 2, 3 and so on up to ${n}`,
    ],
    programs: ([n]: number[]) => [
      `let @s = 0; for (let @i = 1; @i <= ${n}; @i++) @s += @i; @s`,
      `let @s = 0, @i = ${n}; while (@i > 0) { @s += @i; @i--; } @s`,
      `${n} * (${n} + 1) / 2`,
    ],
    methods: [
      'I added the numbers one by one.',
      'Every number up to the last is counted in.',
      'The numbers pair up to equal sums.',
    ],
  },
  squares: {
    draw: (r: Random) => [between(3, 60)(r)],
    names: ([n]: number[]) => [`the sum of the squares from 1 to ${n}`, `the sum of the first ${n} squares`],
    programs: ([n]: number[]) => [
      `let @s = 0; for (let @i = 1; @i <= ${n}; @i++) @s += @i * @i; @s`,
      `let @s = 0; for (let @i = ${n}; @i; @i--) @s += Math.pow(@i, 2); @s`,
      `${n} * (${n} + 1) * (2 * ${n} + 1) / 6`,
    ],
    methods: [
      'Each number is squared before it is added.',
      'I squared the numbers and added them up.',
      'Each one times itself, and then the sum.',
    ],
  },
  primes: {
    draw: (r: Random) => [between(10, 300)(r)],
    names: ([n]: number[]) => [`the number of primes below ${n}`, `the count of prime numbers smaller than ${n}`],
    programs: ([n]: number[]) => [
      `let @s = 0; for (let @i = 2; @i < ${n}; @i++) { let p = 2; while (@i % p) p++; if (p === @i) @s++; } @s`,
      `let @s = 0; for (let @i = ${n} - 1; @i > 1; @i--) { let p = 2; while (@i % p > 0) p++; if (p === @i) @s += 1; } @s`,
    ],
    methods: [
      'I tried every possible divisor of each number.',
      'A number counts when nothing but 1 and itself divides it.',
      'The smallest divisor of a prime is the prime itself.',
    ],
  },
  mean: {
    draw: several,
    names: (n: number[]) => [`the mean of ${listed(n)}`, `the average of ${listed(n)}`],
    programs: (n: number[]) => [
      `${inList(n)} let @s = 0; for (const @i of list) @s += @i; Math.round(@s / list.length * 100) / 100`,
      `Math.round((${n.join(' + ')}) / ${n.length} * 100) / 100`,
    ],
    methods: ['I divided the sum by how many there are.', 'The sum is shared out evenly, and rounded to two decimals.'],
  },
  range: {
    draw: several,
    names: (n: number[]) => [
      `the difference between the largest and the smallest of ${listed(n)}`,
      `the range of ${listed(n)}`,
    ],
    programs: (n: number[]) => [
      `Math.max(${n.join(', ')}) - Math.min(${n.join(', ')})`,
      `${inList(n)} Math.max(...list) - Math.min(...list)`,
    ],
    methods: ['I took the smallest from the largest.', 'The two extremes were found first.'],
  },
  power: {
    draw: (r: Random) => [between(2, 19)(r), between(2, 6)(r)],
    names: ([a, b]: number[]) => [`${a} to the power of ${b}`, `the value of ${a} raised to ${b}`],
    programs: ([a, b]: number[]) => [
      `Math.pow(${a}, ${b})`,
      `let @s = 1; for (let @i = 0; @i < ${b}; @i++) @s *= ${a}; @s`,
      `let @s = ${a}, @i = 1; while (@i < ${b}) { @s *= ${a}; @i++; } @s`,
    ],
    methods: ['The base is multiplied by itself again and again.', 'That is repeated multiplication.'],
  },
  divisor: {
    draw: (r: Random) => [between(12, 400)(r), between(12, 400)(r)],
    names: ([a, b]: number[]) => [
      `the greatest common divisor of ${a} and ${b}`,
      `the largest number that divides both ${a} and ${b}`,
    ],
    programs: ([a, b]: number[]) => [
      `let @s = ${a}, @i = ${b}; while (@i) { const r = @s % @i; @s = @i; @i = r; } @s`,
      `let @s = ${Math.min(a, b)}; while (${a} % @s || ${b} % @s) @s--; @s`,
    ],
    methods: ['I replaced the larger by the remainder until none was left.', 'No larger number divides both.'],
  },
  digits: {
    draw: (r: Random) => [between(1000, 999999)(r)],
    names: ([n]: number[]) => [`the sum of the digits of ${n}`, `what the digits of ${n} add up to`],
    programs: ([n]: number[]) => [
      `let @i = ${n}, @s = 0; while (@i) { @s += @i % 10; @i = Math.floor(@i / 10); } @s`,
      `let @s = 0; for (let @i = ${n}; @i > 0; @i = Math.floor(@i / 10)) @s += @i % 10; @s`,
    ],
    methods: ['The last digit is split off until nothing is left.', 'I added the digits from the right.'],
  },
} satisfies Record<string, SumKind>;

/** All kinds of sums. */
export const SUM_KINDS = Object.keys(SUMS) as Sum['kind'][];

/** A text that is the same for equal sums only. */
export const sumKey = ({ kind, numbers }: Sum): string => `sum ${kind} ${numbers.join(' ')}`;

/** A sum of a random kind with random numbers. */
export function drawSum(random: Random): Sum {
  const kind = random.choice(SUM_KINDS);
  return { kind, numbers: SUMS[kind].draw(random) };
}

/** Words for the sum, to ask for it with. */
export const nameSum = ({ kind, numbers }: Sum, wording: Wording): string => wording.pick(SUMS[kind].names(numbers));

/** Names for the result and the counter of a program (@s and @i in the table). */
const RESULT_NAMES = ['s', 't', 'sum', 'total', 'result', 'x'] as const;
const COUNTER_NAMES = ['i', 'j', 'k', 'n'] as const;

/** A JavaScript program that computes the sum. */
export function programFor({ kind, numbers }: Sum, wording: Wording): string {
  const program = wording.pick(SUMS[kind].programs(numbers));
  if (!program.includes('@')) return program;
  return program.replaceAll('@s', wording.pick(RESULT_NAMES)).replaceAll('@i', wording.pick(COUNTER_NAMES));
}

const HOW = ['', '', 'Here is how: ', 'In short: ', 'How it works: '] as const;
const CLOSINGS = [
  'You can check it by hand.',
  'The program does this in no time.',
  'It works for any other number too.',
  'That is all there is to it.',
  'By hand it would take longer.',
  'There are other ways as well.',
] as const;

/** One or two sentences on how the value was found. */
export function explainSum({ kind }: Sum, wording: Wording): string[] {
  const method = wording.pick(HOW) + wording.pick(SUMS[kind].methods);
  return wording.chance(0.5) ? [method, wording.pick(CLOSINGS)] : [method];
}
