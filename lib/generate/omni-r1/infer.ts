/**
 * Inference over files of prompts, with the released script's outputs: for row i of subset S (the file's name)
 *
 *   S/i/result.json            {id, text, images: [path or null]}; the text is the whole sequence, prompt included
 *   S/i/image_k.png            images in order, those of the prompt too
 *   S/i/error.txt              instead, where the row failed
 *   S/decoded_results.jsonl    the results
 *
 * Differences: 1. images that cannot be decoded leave their tokens in image_k_....json (released: a .pt file); 2. a damaged
 * line is that row's error, where the released script ends; 3. so is a picture that cannot be read, unless `badImages` is
 * "drop"; 4. decoded_results.jsonl has all results of the subset, also those that an earlier run left; 5. the pictures of a
 * prompt become its image tokens (the released script of January 2026 forgets to put them in).
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ArgumentError, CancelledError } from '../../errors';
import { readImage, writeFileAtomic, writePng } from '../../io';
import type { Picture } from '../../io';
import { readRows } from './infer-input';
import type { InferRow } from './infer-input';
import { decodeInterleaved, truncateImages } from './interleaved-model';
import type { InterleavedModel } from './interleaved-model';
import type { GenerationMode } from '../interleaved';
import { encodePrompt, IMAGE_PLACEHOLDER } from './prompt';

export interface InferOptions {
  /** Longest sequence, prompt included. */
  maxLength: number;
  temperature: number;
  topP: number;
  doSample: boolean;
  generationMode: GenerationMode;
  appendBoi: boolean;
  /** Cuts before the next BOI; counts images of the prompt. */
  maxImages?: number;
  placeholder?: number;
  strictDecode: boolean;
  resume: boolean;
  retryErrors: boolean;
  badImages: 'error' | 'drop';
  seed: number;
  batch: number;
  signal?: AbortSignal;
  /** Told after each row, skipped ones too. */
  onRow?: (done: number, total: number, error?: Error) => void;
}

export interface InferResult {
  id: string;
  text: string;
  images: (string | null)[];
}

export interface SubsetSummary {
  folder: string;
  rows: number;
  written: number;
  failed: number;
  skipped: number;
}

/** The pictures of a row. Relative paths start at the working directory, then at the input's folder. */
async function picturesOf(row: InferRow, folder: string, bad: 'error' | 'drop'): Promise<Picture[]> {
  const pictures: Picture[] = [];
  for (const name of row.images)
    try {
      pictures.push(await readImage(fs.existsSync(name) ? name : path.resolve(folder, name)));
    } catch (error) {
      if (bad === 'error') throw error;
    }
  return pictures;
}

async function promptOf(
  model: InterleavedModel,
  row: InferRow,
  folder: string,
  options: InferOptions,
): Promise<number[]> {
  const pictures = await picturesOf(row, folder, options.badImages);
  const text = pictures.length ? row.prompt : row.prompt.replaceAll(IMAGE_PLACEHOLDER, ' ').trim();
  const ids = await encodePrompt(model, text, pictures, options);
  const most = Math.min(options.maxLength, model.maxLength);
  if (ids.length >= most)
    throw new ArgumentError('prompt', `expected fewer than ${most} tokens, got ${ids.length}`, 'shorten it, or raise --max-length'); // prettier-ignore
  return ids;
}

/** Writes a row's pictures and its result, the result last: where it is, the row is done. */
async function writeRow(
  model: InterleavedModel,
  id: string,
  ids: readonly number[],
  folder: string,
  strict: boolean,
): Promise<InferResult> {
  const { text, images } = await decodeInterleaved(model, ids, strict);
  const paths: (string | null)[] = [];
  for (const [k, image] of images.entries()) {
    if (image.state === 'picture') {
      const file = path.join(folder, `image_${k}.png`);
      await writePng(file, image.picture);
      paths.push(file);
      continue;
    }
    const what = image.state === 'error' ? 'decode_error' : image.wrong === 'length' ? 'invalid_len' : 'non_image_bpe';
    await writeFileAtomic(
      path.join(folder, `image_${k}_${what}.json`),
      `${JSON.stringify({ why: image.why, tokens: image.ids })}\n`,
    );
    paths.push(null);
  }
  const result = { id, text, images: paths };
  await writeFileAtomic(path.join(folder, 'result.json'), `${JSON.stringify(result, null, 2)}\n`);
  fs.rmSync(path.join(folder, 'error.txt'), { force: true });
  return result;
}

const stopped = (cause?: Error): CancelledError =>
  new CancelledError('infer', 'the run was cancelled', 'go on with --resume', { cause });

/** The result in a row's folder; undefined where there is none, or a damaged one. */
export function readResult(folder: string): InferResult | undefined {
  try {
    const { id, text, images } = JSON.parse(
      fs.readFileSync(path.join(folder, 'result.json'), 'utf8'),
    ) as Partial<InferResult>;
    const whole = typeof id === 'string' && typeof text === 'string' && Array.isArray(images);
    return whole && images.every((file) => file === null || typeof file === 'string')
      ? { id, text, images }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Runs one file. Errors of rows go to their error.txt. @throws CancelledError, with what is done on the disk */
export async function inferSubset(
  model: InterleavedModel,
  file: string,
  outputDir: string,
  options: InferOptions,
): Promise<SubsetSummary> {
  const subset = path.basename(file, path.extname(file));
  const folder = path.resolve(outputDir, subset);
  fs.mkdirSync(folder, { recursive: true });
  const rows = readRows(file);
  const results: (InferResult | undefined)[] = [];
  const summary: SubsetSummary = { folder, rows: rows.length, written: 0, failed: 0, skipped: 0 };
  let done = 0;

  const fail = async (i: number, error: Error): Promise<void> => {
    summary.failed++;
    await writeFileAtomic(path.join(folder, String(i), 'error.txt'), error.message);
    options.onRow?.(++done, rows.length, error);
  };
  const finish = async (batch: readonly { i: number; ids: number[]; id: string }[]): Promise<void> => {
    if (!batch.length) return;
    let made: number[][];
    try {
      made = await model.generate(
        batch.map(({ ids }) => ids),
        {
          mode: options.generationMode,
          maxLength: Math.min(options.maxLength, model.maxLength),
          sample: options.doSample,
          temperature: options.temperature,
          topP: options.topP,
          seed: options.seed,
          streams: batch.map(({ i }) => `${subset}/${i}`),
          signal: options.signal,
        },
      );
    } catch (error) {
      if (error instanceof CancelledError || options.signal?.aborted) throw stopped(error as Error);
      for (const { i } of batch) await fail(i, error as Error);
      return;
    }
    for (const [k, { i, id }] of batch.entries())
      try {
        const ids =
          options.maxImages === undefined ? made[k] : truncateImages(made[k], options.maxImages, model.layout);
        results[i] = await writeRow(model, id, ids, path.join(folder, String(i)), options.strictDecode);
        summary.written++;
        options.onRow?.(++done, rows.length);
      } catch (error) {
        await fail(i, error as Error);
      }
  };

  let batch: { i: number; ids: number[]; id: string }[] = [];
  for (const [i, row] of rows.entries()) {
    if (options.signal?.aborted) throw stopped();
    const own = path.join(folder, String(i));
    const before = options.resume ? readResult(own) : undefined;
    if (before || (options.resume && !options.retryErrors && fs.existsSync(path.join(own, 'error.txt')))) {
      results[i] = before;
      summary.skipped++;
      options.onRow?.(++done, rows.length);
      continue;
    }
    fs.mkdirSync(own, { recursive: true });
    fs.rmSync(path.join(own, 'result.json'), { force: true });
    if (row instanceof Error) {
      await fail(i, row);
      continue;
    }
    try {
      batch.push({ i, ids: await promptOf(model, row, path.dirname(file), options), id: row.id });
    } catch (error) {
      await fail(i, error as Error);
    }
    if (batch.length >= options.batch) {
      await finish(batch);
      batch = [];
    }
  }
  await finish(batch);
  const lines = results.filter((r) => r !== undefined).map((r) => `${JSON.stringify(r)}\n`);
  await writeFileAtomic(path.join(folder, 'decoded_results.jsonl'), lines.join(''));
  return summary;
}
