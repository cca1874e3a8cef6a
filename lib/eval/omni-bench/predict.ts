/** Predictions for a shard of the benchmark's rows: batches through a model here, or requests to a server. */
import { ArgumentError, CancelledError } from '../../errors';
import { decodeInterleaved } from '../../generate/omni-r1/interleaved-model';
import type { InterleavedModel, InterleavedOptions } from '../../generate/omni-r1/interleaved-model';
import { encodePrompt, IMAGE_PLACEHOLDER } from '../../generate/omni-r1/prompt';
import { chatCompletion } from '../../generate/openai';
import type { ChatContent, ServerOptions } from '../../generate/openai';
import { encodePng } from '../../io/png-write';
import { pixelsOf } from '../../io/pixels';
import type { Picture } from '../../io/media';
import { Random } from '../../nn/random';
import { errorPrediction, rowKey } from './results';
import type { Prediction } from './results';
import { benchRows } from './rows';
import type { BenchRow, LostFile, RowOptions } from './rows';

export type ReadyRow = Extract<BenchRow, { prompt: string }>;

/** Answers rows; a row that fails throws or is an Error in its place. */
export interface Backend {
  /** Rows that it takes at once. */
  batch: number;
  /** Batches that may be under way together. Default 1. */
  concurrent?: number;
  answer(rows: readonly ReadyRow[], signal?: AbortSignal): Promise<(string | Error)[]>;
}

export interface SamplingOptions {
  maxNewTokens: number;
  temperature: number;
  topP: number;
  seed: number;
  /** Most pictures of a prompt; rows with more are errors. */
  imagesPerPrompt: number;
}

function checkPictures({ pictures }: ReadyRow, most: number): void {
  if (pictures.length > most)
    throw new ArgumentError('pictures', `expected at most ${most} a prompt, got ${pictures.length}`, 'raise --mm_images_per_prompt'); // prettier-ignore
}

const stopped = (cause?: Error): CancelledError =>
  new CancelledError('omni-bench', 'the run was cancelled', 'start it again to go on', { cause });

/** A model in this process. Text that it makes is the prediction, with <image_k> in the place of its pictures. */
export function modelBackend(
  model: InterleavedModel,
  batch: number,
  sampling: SamplingOptions,
  mode: InterleavedOptions['mode'] = 'unrestricted',
): Backend {
  const one = async (row: ReadyRow): Promise<number[]> => {
    checkPictures(row, sampling.imagesPerPrompt);
    const ids = await encodePrompt(model, row.prompt, row.pictures);
    if (ids.length >= model.maxLength)
      throw new ArgumentError('prompt', `expected fewer than ${model.maxLength} tokens, got ${ids.length}`, 'the model reads no more'); // prettier-ignore
    return ids;
  };
  return {
    batch,
    async answer(rows, signal) {
      const answers: (string | Error)[] = [];
      const prompts: { ids: number[]; at: number }[] = [];
      for (const [at, row] of rows.entries())
        await one(row).then(
          (ids) => prompts.push({ ids, at }),
          (error: Error) => (answers[at] = error),
        );
      if (!prompts.length) return answers;
      // Rows are computed up to the longest one's limit, and cut at their own: what else is in the batch changes nothing.
      const limits = prompts.map(({ ids }) => Math.min(model.maxLength, ids.length + sampling.maxNewTokens));
      const made = await model.generate(
        prompts.map(({ ids }) => ids),
        {
          mode,
          maxLength: Math.max(...limits),
          limits,
          sample: sampling.temperature > 0,
          temperature: sampling.temperature || 1,
          topP: sampling.topP,
          seed: sampling.seed,
          streams: prompts.map(({ at }) => rowKey(rows[at])),
          signal,
        },
      );
      for (const [i, { ids, at }] of prompts.entries()) {
        const output = made[i].slice(ids.length, ids.length + sampling.maxNewTokens);
        answers[at] = (await decodeInterleaved(model, output)).text.trim();
      }
      return answers;
    },
  };
}

const dataUrl = (picture: Picture): string =>
  `data:image/png;base64,${Buffer.from(encodePng(pixelsOf(picture))).toString('base64')}`;

/** The prompt as parts of a message: each picture where its placeholder stood. */
function contentOf({ prompt, pictures }: ReadyRow): ChatContent[] {
  return prompt
    .split(IMAGE_PLACEHOLDER)
    .flatMap((text, i): ChatContent[] => [
      ...(i && pictures[i - 1] ? [{ type: 'image_url' as const, image_url: { url: dataUrl(pictures[i - 1]) } }] : []),
      ...(text ? [{ type: 'text' as const, text }] : []),
    ]);
}

/** A model behind an address; `concurrent` requests run at once. `extra` is added to each request; null takes a field out. */
export function serverBackend(
  model: string,
  concurrent: number,
  server: ServerOptions,
  sampling: SamplingOptions,
  extra: Record<string, unknown> = {},
): Backend {
  return {
    batch: 1,
    concurrent,
    async answer([row], signal) {
      checkPictures(row, sampling.imagesPerPrompt);
      const request = {
        model,
        messages: [{ role: 'user' as const, content: contentOf(row) }],
        temperature: sampling.temperature,
        top_p: sampling.topP,
        max_tokens: sampling.maxNewTokens,
        seed: sampling.seed,
        ...extra,
      };
      const fields = Object.entries(request).filter(([, value]) => value !== null);
      return [(await chatCompletion(Object.fromEntries(fields) as typeof request, { ...server, signal })).trim()];
    },
  };
}

export interface Shard {
  files: readonly string[];
  root: string;
  rows: RowOptions;
  /** Which of how many; rows belong to the shard of their index. */
  shard: number;
  shards: number;
  /** Keys of rows that are done. */
  done: ReadonlySet<string>;
  /** A seed: rows are predicted in another order, for which all are held in memory. */
  shuffle?: number;
  signal?: AbortSignal;
}

/** The rows in the order in which they are predicted. */
async function* ordered(options: Shard, own: (index: number) => boolean): AsyncGenerator<BenchRow | LostFile> {
  const rows = benchRows(options.files, options.root, options.rows, own);
  if (options.shuffle === undefined) {
    yield* rows;
    return;
  }
  const all: (BenchRow | LostFile)[] = [];
  for await (const row of rows) if ('lost' in row || own(row.index)) all.push(row);
  for (const i of new Random(options.shuffle).permutation(all.length)) yield all[i];
}

/** The rows' predictions; an error of the whole batch is each row's. @throws CancelledError */
async function predictBatch(backend: Backend, rows: readonly ReadyRow[], signal?: AbortSignal): Promise<Prediction[]> {
  const answers = await backend.answer(rows, signal).catch((error: Error) => {
    if (error instanceof CancelledError || signal?.aborted) throw stopped(error);
    return rows.map(() => error);
  });
  return rows.map(({ prompt: _, pictures: __, ...head }, i) => {
    const answer = answers[i];
    return { ...head, prediction: typeof answer === 'string' ? answer : errorPrediction(answer) };
  });
}

/**
 * Predicts the shard's rows, as they become ready; rows with errors of their own belong to shard 0.
 * @throws CancelledError
 */
export async function* predictShard(backend: Backend, options: Shard): AsyncGenerator<Prediction | LostFile> {
  const { shard, shards, done, signal } = options;
  const { batch, concurrent = 1 } = backend;
  const own = (index: number): boolean => (index < 0 ? shard === 0 : index % shards === shard);
  const running = new Set<Promise<void>>();
  const ready: Prediction[] = [];
  let failure: Error | undefined;
  const start = (rows: readonly ReadyRow[]): void => {
    const work: Promise<void> = predictBatch(backend, rows, signal)
      .then(
        (made) => void ready.push(...made),
        (error: Error) => void (failure ??= error),
      )
      .finally(() => running.delete(work));
    running.add(work);
  };
  /** Waits until fewer than `most` batches are under way, and gives out what is ready. */
  const settled = async function* (most: number): AsyncGenerator<Prediction> {
    for (;;) {
      yield* ready.splice(0);
      if (failure) throw failure;
      if (running.size < most) return;
      await Promise.race(running);
    }
  };
  let waiting: ReadyRow[] = [];
  for await (const row of ordered(options, own)) {
    if (signal?.aborted) throw stopped();
    if ('lost' in row) {
      if (shard === 0) yield row;
    } else if (own(row.index) && !done.has(rowKey(row))) {
      if ('error' in row) {
        const { error, ...head } = row;
        yield { ...head, prediction: errorPrediction(error) };
      } else if (waiting.push(row) >= batch) {
        start(waiting);
        waiting = [];
        yield* settled(concurrent);
      }
    }
  }
  if (waiting.length) start(waiting);
  yield* settled(1);
}
