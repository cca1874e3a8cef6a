/**
 * One batch of generation: the loop that draws a token for each row, steps, and lets rows go that have ended.
 *
 * Programs are compiled for few sizes only: lengths of prompts and caches are rounded up to 16, 24, 32, 48, 64, ..., rows
 * to a power of two; when three quarters of a batch have ended, its rows leave the cache.
 */
import { NonFiniteError } from '../errors';
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { tensorsOf } from '../graph/tree';
import { WINDOW } from './llama-cache';
import type { KvCache, MediaRows } from './llama-cache';
import type { GenerateOptions, LlamaModel } from './options';
import type { Outlook, Programs } from './programs';
import type { Row } from './rows';
import { draw, restrict, warp } from './sample';

/** The next of 16, 24, 32, 48, 64, 96, .... */
function roundUpLength(n: number): number {
  let size = 16;
  while (size < n) size = size % 3 ? (size * 3) / 2 : (size * 4) / 3;
  return size;
}
const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(n));

const ints = (values: ArrayLike<number>, shape: number[] = [values.length]): Tensor =>
  tensor(Int32Array.from(values), { shape });

/** The vectors of the rows' media, for prompts padded to `time`; null if there are none. */
function mediaRows(batch: readonly Row[], places: number, time: number, width: number): MediaRows | null {
  const count = batch.reduce((n, row) => n + row.media.reduce((m, { values }) => m + values.length / width, 0), 0);
  if (!count) return null;
  const rows = new Float32Array(roundUpLength(count) * width);
  const at = new Int32Array(places * time).fill(-1);
  let next = 0;
  batch.forEach((row, i) => {
    for (const { at: first, values } of row.media) {
      rows.set(values, next * width);
      for (let j = 0; j < values.length / width; j++) at[i * time + first + j] = next++;
    }
  });
  return { rows: tensor(rows, { shape: [rows.length / width, width] }), places: ints(at) };
}

const dispose = ({ tokens, logProbs }: Outlook): void => [tokens, logProbs].forEach((t) => t?.dispose());

/** The values of an outlook, which is given up. */
async function readOutlook(next: Outlook): Promise<[Int32Array | null, Float32Array]> {
  const tokens = next.tokens && ((await next.tokens.data()) as Int32Array);
  const logProbs = (await next.logProbs.data()) as Float32Array;
  dispose(next);
  return [tokens, logProbs];
}

/** Continues the rows, at most `maxBatch` of them, until each has a reason to end. */
export async function generateBatch(
  programs: Programs,
  { params, config }: LlamaModel,
  batch: readonly Row[],
  options: GenerateOptions,
): Promise<void> {
  const { maxNewTokens = Infinity, onToken, constraint } = options;
  const stop = new Set(options.stop);
  const wantsHidden = options.hidden === true || !!(options.hidden && options.hidden.length);
  const signals = options.hidden === true ? null : new Set(options.hidden || []);
  /** Whether the hidden state at a row's last token is asked for: it takes one more step. */
  const wantsState = (row: Row): boolean => wantsHidden && (!signals || signals.has(row.tokens.at(-1)!));
  let size = powerOfTwo(batch.length);
  /** The row in each place of the batch; null: the place is free, and what is computed there is not looked at. */
  let places: (Row | null)[] = Array.from({ length: size }, (_, i) => batch[i] ?? null);
  let base = places.map((row) => row?.prompt.length ?? 0);
  const time = roundUpLength(Math.max(...base));
  const length = roundUpLength(Math.max(32, time, ...batch.map((row) => row.prompt.length + row.limit)));
  const ids = new Int32Array(size * time);
  batch.forEach((row, i) => ids.set(row.prompt, i * time));
  /** The most probable token needs no log-probabilities of the others. */
  const greedy = options.temperature === 0 && !constraint;
  const steps = greedy && !wantsHidden ? programs.stepsFor(size) : 1;
  let slot = 0;
  let cache: KvCache | null = null;

  const pick = (row: Row, logProbs: Float32Array): { token: number; logProb: number } => {
    const allowed = constraint?.(row.index, row.tokens) ?? null;
    const choice = allowed ? restrict(logProbs, allowed, options) : warp(logProbs, options);
    const token = draw(choice, row.random.uniform());
    return { token, logProb: logProbs[token] };
  };
  const extend = (row: Row, token: number, logProb: number): void => {
    if (!(logProb > -Infinity))
      throw new NonFiniteError(
        'generate',
        `expected a log-probability, got ${logProb} for token ${token}`,
        'the weights are damaged or the training diverged: check them',
      );
    row.tokens.push(token);
    row.logProbs.push(logProb);
    if (stop.has(token)) row.finish = 'stop';
    else if (row.tokens.length === maxNewTokens) row.finish = 'max-new-tokens';
    else if (row.tokens.length === row.limit) row.finish = 'max-length';
    onToken?.({ row: row.index, index: row.tokens.length - 1, token, logProb });
  };
  const free = (i: number): void => {
    places[i] = null;
    base[i] = 0;
  };

  try {
    const media = mediaRows(batch, size, time, config.width);
    const lengths = ints(base.map((n) => Math.max(n, 1)));
    const first = await programs.prefill(length)(params, ints(ids, [size, time]), lengths, media, greedy);
    cache = first.cache;
    let next: Outlook = first;
    for (;;) {
      const [tokens, logProbs] = await readOutlook(next);
      // Greedy: as many tokens for each row as there were steps. What comes after a row's end is not looked at.
      for (let k = 0; k < (tokens ? tokens.length / size : 1); k++)
        for (const [i, row] of places.entries()) {
          if (!row) continue;
          const { token, logProb } = tokens
            ? { token: tokens[k * size + i], logProb: logProbs[k * size + i] }
            : pick(row, logProbs.subarray(i * config.vocabSize, (i + 1) * config.vocabSize));
          extend(row, token, logProb);
          if (row.finish && !wantsState(row)) free(i);
        }
      const needed = places.flatMap((row, i) => (row ? [i] : []));
      if (!needed.length) return;
      if (needed.length <= size / 4) {
        size = powerOfTwo(needed.length);
        const kept = Array.from({ length: size }, (_, i) => needed[i] ?? needed[0]);
        cache = await programs.takeRows(cache, ints(kept));
        places = kept.map((from, i) => (i < needed.length ? places[from] : null));
        base = kept.map((from, i) => (i < needed.length ? base[from] : 0));
      }
      if (slot === WINDOW) {
        cache = { long: await programs.fold(ints(base), cache.long, cache.window), window: cache.window };
        base = base.map((n, i) => (places[i] ? n + WINDOW : 0));
        slot = 0;
      }
      const step: Outlook & { hidden: Tensor | null; window: KvCache['window'] } = await programs.decode(
        programs.frozen ? null : params,
        ints(places.map((row) => row?.tokens.at(-1) ?? 0)),
        ints(base),
        ints([slot], []),
        { greedy, hidden: wantsHidden, steps: String(steps) },
        cache.long,
        cache.window,
      );
      cache = { long: cache.long, window: step.window };
      slot += steps;
      next = step;
      if (!step.hidden) continue;
      const hidden = places.some((row) => row && wantsState(row)) ? ((await step.hidden.data()) as Float32Array) : null;
      step.hidden.dispose();
      if (!hidden) continue;
      for (const [i, row] of places.entries()) {
        if (!row || !wantsState(row)) continue;
        row.hidden.push(hidden.slice(i * config.width, (i + 1) * config.width));
        row.hiddenAt.push(row.tokens.length - 1);
        if (row.finish) free(i);
      }
      if (places.every((row) => !row)) return dispose(next);
    }
  } finally {
    for (const { tensor: t } of tensorsOf(cache ?? {})) t.dispose();
  }
}
