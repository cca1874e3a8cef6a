/** Prompts and options, checked, as the rows that generation works on. */
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import { Tensor } from '../graph/tensor';
import type { LlamaConfig } from '../models/llama';
import { Random } from '../nn/random';
import type { FinishReason, GenerateOptions, MediaSpan, Prompt } from './options';
import { checkSampling } from './sample';

/** A prompt and what came of it so far. */
export interface Row {
  index: number;
  prompt: readonly number[];
  /** Vectors in the place of the prompt's embeddings, from position `at` on. */
  media: readonly { at: number; values: Float32Array }[];
  random: Random;
  /** The most new tokens that there may be. */
  limit: number;
  tokens: number[];
  logProbs: number[];
  /** The states that were asked for, and at which tokens they are. */
  hidden: Float32Array[];
  hiddenAt: number[];
  finish: FinishReason | null;
}

function check(ok: boolean, expected: string, got: unknown, help: string): void {
  if (!ok) throw new ArgumentError('generate', `expected ${expected}, got ${String(got)}`, help);
}

/** A row for each prompt, in order. Throws ArgumentError and ShapeError for what cannot be used. */
export async function readRows(
  config: LlamaConfig,
  prompts: readonly Prompt[],
  options: GenerateOptions,
): Promise<Row[]> {
  const { maxNewTokens = Infinity, maxLength = config.maxLength, seed = 0, streams } = options;
  checkOptions(config, prompts.length, options);
  const random = new Random(seed, 'generate');
  const rows = prompts.map((given, index): Row & { spans: readonly MediaSpan[] } => {
    const { ids: prompt, media: spans = [] } = 'ids' in given ? given : { ids: given };
    checkPrompt(config, `prompt ${index}`, prompt, spans, maxLength);
    const limit = Math.min(maxNewTokens, maxLength - prompt.length);
    const finish = limit === 0 ? 'max-length' : null;
    return {
      index,
      prompt,
      spans,
      media: [],
      random: random.stream(streams?.[index] ?? index),
      limit,
      tokens: [],
      logProbs: [],
      hidden: [],
      hiddenAt: [],
      finish,
    };
  });
  return Promise.all(
    rows.map(async ({ spans, ...row }) => ({ ...row, media: await Promise.all(spans.map(readSpan)) })),
  );
}

function checkOptions(config: LlamaConfig, prompts: number, options: GenerateOptions): void {
  const { maxNewTokens = Infinity, maxLength = config.maxLength, maxBatch = 32, streams, hidden } = options;
  const positive = (n: number): boolean => Number.isInteger(n) && n >= 1;
  checkSampling('generate', options);
  check(
    positive(maxLength) && maxLength <= config.maxLength,
    `maxLength to be an integer from 1 to the model's ${config.maxLength}`,
    maxLength,
    'it counts prompt and new tokens',
  );
  check(
    positive(maxNewTokens) || maxNewTokens === Infinity,
    'maxNewTokens to be a positive integer',
    maxNewTokens,
    'leave it out to generate up to maxLength',
  );
  check(
    positive(maxBatch),
    'maxBatch to be a positive integer',
    maxBatch,
    'it is the number of rows computed together',
  );
  check(
    !streams || streams.length === prompts,
    `a stream name for each of ${prompts} prompts`,
    streams?.length,
    'leave streams out to name the rows by their indices',
  );
  if (hidden && hidden !== true)
    for (const id of hidden) checkId(config, 'hidden to hold', id, 'list the tokens whose states are wanted');
}

function checkId(config: LlamaConfig, what: string, id: number, help: string): void {
  const ok = Number.isInteger(id) && id >= 0 && id < config.vocabSize;
  check(ok, `${what} token ids in [0, ${config.vocabSize})`, id, help);
}

function checkPrompt(
  config: LlamaConfig,
  name: string,
  prompt: readonly number[],
  spans: readonly MediaSpan[],
  maxLength: number,
): void {
  check(prompt.length > 0, `${name} to have at least one token`, 'none', 'begin it with the start token');
  check(
    prompt.length <= maxLength,
    `${name} to have at most ${maxLength} tokens (maxLength)`,
    prompt.length,
    'shorten the prompt, or use a model with a larger maxLength',
  );
  for (const id of prompt) checkId(config, `${name} to hold`, id, "use the model's own tokenizer");
  const taken = new Set<number>();
  for (const { at, embeddings } of spans) {
    const width =
      embeddings instanceof Tensor
        ? embeddings.rank === 2 && embeddings.dtype === 'float32' && embeddings.shape[1]
        : embeddings.length % config.width === 0 && config.width;
    if (width !== config.width)
      throw new ShapeError(
        'generate',
        `expected media of ${name} to be float32 [K, ${config.width}], got ${
          embeddings instanceof Tensor
            ? `${embeddings.dtype} ${showShape(embeddings.shape)}`
            : `${embeddings.length} values`
        }`,
        "project the medium to the model's width",
      );
    const count = (embeddings instanceof Tensor ? embeddings.size : embeddings.length) / config.width;
    check(
      Number.isInteger(at) && at >= 0 && at + count <= prompt.length,
      `media of ${name} inside its ${prompt.length} tokens`,
      `${count} vectors at ${at}`,
      'put as many slot tokens into the prompt as the medium has vectors',
    );
    for (let i = at; i < at + count; i++) {
      check(
        !taken.has(i),
        `media of ${name} that do not overlap`,
        `two at position ${i}`,
        'give each slots of its own',
      );
      taken.add(i);
    }
  }
}

async function readSpan({ at, embeddings }: MediaSpan): Promise<{ at: number; values: Float32Array }> {
  return { at, values: embeddings instanceof Tensor ? ((await embeddings.data()) as Float32Array) : embeddings };
}
