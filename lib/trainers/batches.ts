/**
 * Batches of token sequences. The order of an epoch is a permutation drawn from (seed, epoch) alone, and the batch of a step
 * is a function of its number, so nothing but the step has to be stored to resume inside an epoch.
 */
import { ArgumentError } from '../errors';
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import type { Random } from '../nn/random';

/** Tokens, and for each token whether the model is to learn it (1: part of a response). */
export interface TokenExample {
  ids: ArrayLike<number>;
  mask: ArrayLike<number>;
  /** Vectors of input media, [slots * width] each, and the position of the first slot. */
  vectors?: readonly { at: number; values: Float32Array }[];
}

/** How vectors of media are laid out in batches. Absent: the batch has none. */
export interface VectorShape {
  /** Vectors of a medium, and their width. */
  slots: number;
  width: number;
  /** Media of one sequence, at most. */
  perRow: number;
}

/** The shape for batches of these examples; undefined where none has media. */
export function vectorShape(examples: readonly TokenExample[], slots: number, width: number): VectorShape | undefined {
  const perRow = examples.reduce((n, e) => Math.max(n, e.vectors?.length ?? 0), 0);
  return perRow ? { slots, width, perRow } : undefined;
}

/** A padded batch for next-token prediction: position t of `labels` and `mask` is about token t + 1 of the sequence. */
export type TokenBatch = {
  /** int32 [B, T] */
  ids: Tensor;
  /** int32 [B, T] */
  labels: Tensor;
  /** float32 [B, T]: 1 where the label counts. */
  mask: Tensor;
  /** Input media: see `fillSlots` (models/omniagent.ts). */
  media?: { slots: Tensor; vectors: Tensor };
};

/** Lengths are rounded up to multiples of this, so that few shapes are compiled. */
const ROUND = 32;
/** Batches that are formed together, from examples sorted by length. */
const POOL = 16;

/** Predictions of a sequence of so many tokens, padded. */
const padded = (length: number): number => Math.ceil((length - 1) / ROUND) * ROUND;

/** Which examples step `i` takes, epoch after epoch; the last batch of an epoch is filled from the next one's start. */
export function batchIndices(rng: Random, count: number, batchSize: number, i: number): number[] {
  if (count < 1)
    throw new ArgumentError('batchIndices', 'expected at least one example, got none', 'check the data set');
  const orders = new Map<number, number[]>();
  return Array.from({ length: batchSize }, (_, k) => {
    const at = i * batchSize + k;
    const epoch = Math.floor(at / count);
    let order = orders.get(epoch);
    if (!order) {
      order = epochOrder(rng, count, epoch);
      orders.set(epoch, order);
    }
    return order[at % count];
  });
}

/**
 * As `batchIndices`, but with examples of like length together, so that little is padded: the epoch's order is cut into pools
 * of 16 batches, each sorted by length, and its batches are taken in random order. Kinds of examples have lengths of their own, so most
 * batches are of one kind; `mixed`: sorted by padded length, so that what is padded alike comes together as it happens.
 */
export function groupedIndices(
  rng: Random,
  lengths: readonly number[],
  batchSize: number,
  i: number,
  { mixed = false }: { mixed?: boolean } = {},
): number[] {
  const count = lengths.length;
  if (count < batchSize) return batchIndices(rng, count, batchSize, i);
  const batches = Math.floor(count / batchSize);
  const epoch = Math.floor(i / batches);
  const grouped = remember(`${rng.seed}|${rng.streamName}|${numberOf(lengths)}|${batchSize}|${epoch}|${mixed}`, () => {
    const order = epochOrder(rng, count, epoch).slice(0, batches * batchSize);
    const list: number[][] = [];
    for (let at = 0; at < order.length; at += POOL * batchSize) {
      const pool = order
        .slice(at, at + POOL * batchSize)
        .sort((a, b) => (mixed ? padded(lengths[a]) - padded(lengths[b]) : lengths[a] - lengths[b] || a - b));
      for (let k = 0; k < pool.length; k += batchSize) list.push(pool.slice(k, k + batchSize));
    }
    return rng
      .stream(`batches${epoch}`)
      .permutation(list.length)
      .map((k) => list[k]);
  });
  return grouped[i % batches];
}

/** The last orders that were asked for: drawing one takes longer than a step's other host work. */
const cache = new Map<string, unknown>();

/** Tells lists of lengths apart: two data sets of one size have groups of their own. */
const numbers = new WeakMap<readonly number[], number>();
let lists = 0;
function numberOf(lengths: readonly number[]): string {
  if (!numbers.has(lengths)) numbers.set(lengths, ++lists);
  return `lengths ${numbers.get(lengths)}`;
}

function remember<T>(key: string, make: () => T): T {
  let value = cache.get(key) as T | undefined;
  if (!value) {
    value = make();
    cache.set(key, value);
    if (cache.size > 8) cache.delete(cache.keys().next().value!);
  }
  return value;
}

const epochOrder = (rng: Random, count: number, epoch: number): number[] =>
  remember(`${rng.seed}|${rng.streamName}|${count}|${epoch}`, () => rng.stream(`epoch${epoch}`).permutation(count));

/** Pads examples to one length, a multiple of 32, at most `maxLength` predictions; longer ones are cut at the end. */
export function padBatch(examples: readonly TokenExample[], maxLength: number, shape?: VectorShape): TokenBatch {
  for (const { ids, mask } of examples)
    if (ids.length !== mask.length || ids.length < 2)
      throw new ArgumentError(
        'padBatch',
        `expected at least two tokens and one mask entry a token, got ${ids.length} and ${mask.length}`,
        'check the tokenizer',
      );
  const time = Math.min(maxLength, padded(Math.max(...examples.map((e) => e.ids.length))));
  const [b, n] = [examples.length, examples.length * time];
  const ids = new Int32Array(n);
  const labels = new Int32Array(n);
  const mask = new Float32Array(n);
  examples.forEach((e, row) => {
    const length = Math.min(e.ids.length - 1, time);
    for (let t = 0; t < length; t++) {
      ids[row * time + t] = e.ids[t];
      labels[row * time + t] = e.ids[t + 1];
      mask[row * time + t] = e.mask[t + 1] ? 1 : 0;
    }
  });
  const batch: TokenBatch = {
    ids: tensor(ids, { shape: [b, time] }),
    labels: tensor(labels, { shape: [b, time] }),
    mask: tensor(mask, { shape: [b, time] }),
  };
  if (shape) batch.media = packVectors(examples, time, shape);
  return batch;
}

function packVectors(
  examples: readonly TokenExample[],
  time: number,
  { slots, width, perRow }: VectorShape,
): NonNullable<TokenBatch['media']> {
  const vectors = new Float32Array(examples.length * perRow * slots * width);
  examples.forEach((e, row) =>
    e.vectors?.slice(0, perRow).forEach(({ values }, j) => vectors.set(values, (row * perRow + j) * slots * width)),
  );
  return {
    slots: slotIndices(
      examples.map((e) => e.vectors ?? []),
      time,
      slots,
      perRow,
    ),
    vectors: tensor(vectors, { shape: [examples.length * perRow, slots, width] }),
  };
}

/**
 * For each place of a batch the index of its vector, or -1: int32 [B, time]. Media are numbered row by row, `perRow` to a
 * row, or those that are there one after another (`packed`), the `slots` vectors of each in turn. Throws ArgumentError.
 */
export function slotIndices(
  rows: readonly (readonly { at: number }[])[],
  time: number,
  slots: number,
  perRow: number,
  packed = false,
): Tensor {
  const out = new Int32Array(rows.length * time).fill(-1);
  let before = 0;
  rows.forEach((media, row) => {
    if (media.length > perRow)
      throw new ArgumentError(
        'slotIndices',
        `expected at most ${perRow} media in a sequence, got ${media.length}`,
        'raise mediaPerRow',
      );
    const first = packed ? before : row * perRow;
    media.forEach(({ at }, j) => {
      for (let k = 0; k < slots && at + k < time; k++) out[row * time + at + k] = (first + j) * slots + k;
    });
    before += media.length;
  });
  return tensor(out, { shape: [rows.length, time] });
}
