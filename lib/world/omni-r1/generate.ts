/** Samples by task and number: which questions there are, how often each is asked, and the benchmark's 800. */
import { ArgumentError } from '../../errors';
import { Random } from '../../nn/random';
import { splitOf } from '../splits';
import type { Split } from '../splits';
import { barHighest, barSum, barValue, linePeak, lineValue, pieLargest } from './charts';
import { angleSize, cutLength, dotCount } from './figures';
import { findColour } from './natural';
import { moveBlock, runMaze, slideTile } from './puzzles';
import { BENCH_COUNTS, UNI_TASKS } from './sample';
import type { Generator, R1Sample, UniTask } from './sample';

/** The questions of each task; samples take them in turn. */
export const KINDS: Record<UniTask, Record<string, Generator>> = {
  natural: { 'find-colour': findColour },
  structured: {
    'bar-value': barValue,
    'bar-highest': barHighest,
    'line-value': lineValue,
    'pie-largest': pieLargest,
    'bar-sum': barSum,
    'line-peak': linePeak,
  },
  diagrammatic: { 'cut-length': cutLength, 'angle-size': angleSize, 'dot-count': dotCount },
  'vision-op': { 'slide-tile': slideTile, 'move-block': moveBlock, 'run-maze': runMaze },
};

const TRIES = 1000;

/** Sample `index` of a task: a function of (seed, split, task, index) alone. Splits share no figure, whatever the seed. */
export function makeR1Sample(seed: number, split: Split, task: UniTask, index: number): R1Sample {
  const kinds = Object.keys(KINDS[task]);
  const kind = kinds[index % kinds.length];
  const root = new Random(seed, `omni-r1/${task}/${split}/${index}`);
  for (let i = 0; i < TRIES; i++) {
    const stream = root.stream(i);
    const { key, ...draft } = KINDS[task][kind](stream, stream.stream('ground'));
    if (splitOf(key) === split) return { ...draft, id: `${split}-${task}-${index}`, task, kind, split };
  }
  throw new ArgumentError('makeR1Sample', `expected a sample of ${kind} in ${split}, found none`, 'report this');
}

/** Training samples in the benchmark's proportions (1 : 2 : 2 : 3), tasks interleaved: sample `i` of the whole. */
export function r1Sample(seed: number, split: Split, i: number): R1Sample {
  const order: UniTask[] = [
    'vision-op',
    'structured',
    'diagrammatic',
    'vision-op',
    'natural',
    'structured',
    'diagrammatic',
    'vision-op',
  ];
  const [round, place] = [Math.floor(i / order.length), i % order.length];
  const task = order[place];
  const before = order.slice(0, place).filter((t) => t === task).length;
  return makeR1Sample(seed, split, task, round * order.filter((t) => t === task).length + before);
}

/** The benchmark at laptop size: 800 test samples, 100 natural, 200 structured, 200 diagrammatic, 300 vision-operational; or a share. */
export function omniBenchSamples(seed: number, share = 1): R1Sample[] {
  if (!(share > 0 && share <= 1))
    throw new ArgumentError('omniBenchSamples', `expected a share in (0, 1], got ${share}`, '1 is all 800');
  return UNI_TASKS.flatMap((task) =>
    Array.from({ length: Math.round(BENCH_COUNTS[task] * share) }, (_, i) => makeR1Sample(seed, 'test', task, i)),
  );
}
