/**
 * One batch of generation: the compiled programs, and the loop that draws a token for each row, steps, and lets rows go
 * that have ended.
 *
 * Programs are compiled for few sizes only: prompt and cache lengths are rounded up to 16, 24, 32, 48, 64, ..., rows
 * to a power of two; when half of a batch has ended, its rows leave the cache.
 */
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { tensorsOf } from '../graph/tree';
import type { LayerCache, LlamaConfig, LlamaParams } from '../models/llama';
import { jit } from '../runtime/jit';
import { decode, fold, prefill, takeRows, WINDOW } from './llama-cache';
import type { KvCache, MediaRows } from './llama-cache';
import type { GenerateOptions, LlamaModel } from './options';
import type { Row } from './rows';
import { draw, restrict, warp } from './sample';

/** The programs of one configuration and device; jit keeps one form of each for every combination of sizes. */
function compilePrograms(c: LlamaConfig, device?: string) {
  const prefillTo = new Map<number, ReturnType<typeof makePrefill>>();
  const makePrefill = (length: number) =>
    jit(
      (p: LlamaParams, ids: Tensor, lengths: Tensor, media: MediaRows | null) => {
        const { logProbs, cache } = prefill(p, c, ids, lengths, length, media);
        return { logProbs, cache };
      },
      { device, name: 'prefill' },
    );
  return {
    prefill(length: number) {
      if (!prefillTo.has(length)) prefillTo.set(length, makePrefill(length));
      return prefillTo.get(length)!;
    },
    decode: jit(
      (
        p: LlamaParams,
        ids: Tensor,
        base: Tensor,
        slot: Tensor,
        wanted: boolean,
        long: LayerCache[],
        old: LayerCache[],
      ) => {
        const { logProbs, hidden, window } = decode(p, c, ids, base, slot, { long, window: old });
        return { logProbs, hidden: wanted ? hidden : null, window };
      },
      { device, name: 'decode', donate: [6] },
    ),
    fold: jit((base: Tensor, long: LayerCache[], window: LayerCache[]) => fold(base, { long, window }), {
      device,
      name: 'fold',
      donate: [1],
    }),
    takeRows: jit((cache: KvCache, rows: Tensor) => takeRows(cache, rows), { device, name: 'takeRows', donate: [0] }),
  };
}
type Step = { logProbs: Tensor; hidden: Tensor | null; window: LayerCache[] };
export type Programs = ReturnType<typeof compilePrograms>;

const compiled = new Map<string, Programs>();
/** The programs of a configuration on a device, made once. */
export function programsFor(c: LlamaConfig, device?: string): Programs {
  const key = `${device ?? ''} ${JSON.stringify(c)}`;
  if (!compiled.has(key)) compiled.set(key, compilePrograms(c, device));
  return compiled.get(key)!;
}

/** The next of 16, 24, 32, 48, 64, 96, .... */
function roundUpLength(n: number): number {
  let size = 16;
  while (size < n) size = size % 3 ? (size * 3) / 2 : (size * 4) / 3;
  return size;
}
const roundUpRows = (n: number): number => 2 ** Math.ceil(Math.log2(n));

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
  let size = roundUpRows(batch.length);
  /** The row in each place of the batch; null: the place is free, and what is computed there is not looked at. */
  let places: (Row | null)[] = Array.from({ length: size }, (_, i) => batch[i] ?? null);
  let base = places.map((row) => row?.prompt.length ?? 0);
  const time = roundUpLength(Math.max(...base));
  const length = Math.max(time, roundUpLength(Math.max(...batch.map((row) => row.prompt.length + row.limit))));
  const ids = new Int32Array(size * time);
  batch.forEach((row, i) => ids.set(row.prompt, i * time));
  let slot = 0;
  let cache: KvCache | null = null;

  /** Draws the next token of a row. */
  const extend = (row: Row, logProbs: Float32Array): void => {
    const allowed = constraint?.(row.index, row.tokens) ?? null;
    const choice = allowed ? restrict(logProbs, allowed, options) : warp(logProbs, options);
    const token = draw(choice, row.random.uniform());
    row.tokens.push(token);
    row.logProbs.push(logProbs[token]);
    if (stop.has(token)) row.finish = 'stop';
    else if (row.tokens.length === maxNewTokens) row.finish = 'max-new-tokens';
    else if (row.tokens.length === row.limit) row.finish = 'max-length';
    onToken?.({ row: row.index, index: row.tokens.length - 1, token, logProb: logProbs[token] });
  };
  const free = (i: number): void => {
    places[i] = null;
    base[i] = 0;
  };

  try {
    const media = mediaRows(batch, size, time, config.width);
    const lengths = ints(base.map((n) => Math.max(n, 1)));
    const first = await programs.prefill(length)(params, ints(ids, [size, time]), lengths, media);
    cache = first.cache;
    let prediction = first.logProbs;
    for (;;) {
      const logProbs = (await prediction.data()) as Float32Array;
      prediction.dispose();
      for (const [i, row] of places.entries()) {
        if (!row) continue;
        extend(row, logProbs.subarray(i * config.vocabSize, (i + 1) * config.vocabSize));
        if (row.finish && !wantsState(row)) free(i);
      }
      const needed = places.flatMap((row, i) => (row ? [i] : []));
      if (!needed.length) return;
      if (roundUpRows(needed.length) < size) {
        size = roundUpRows(needed.length);
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
      const tokens = ints(places.map((row) => row?.tokens.at(-1) ?? 0));
      const step: Step = await programs.decode(
        params,
        tokens,
        ints(base),
        ints([slot], []),
        wantsHidden,
        cache.long,
        cache.window,
      );
      cache = { long: cache.long, window: step.window };
      slot++;
      prediction = step.logProbs;
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
      if (places.every((row) => !row)) return prediction.dispose();
    }
  } finally {
    for (const { tensor: t } of tensorsOf(cache ?? {})) t.dispose();
  }
}
