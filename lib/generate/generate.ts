/**
 * Batched generation from LLaMA. Prompts are read and continued on the device; tokens are drawn on the host, each row
 * from a random stream of its own, so that what a row gets depends on neither the batch nor the order of rows.
 */
import { ArgumentError } from '../errors';
import { tensor } from '../graph/tensor';
import type { LlamaConfig } from '../models/llama';
import { Random } from '../nn/random';
import { cancellable } from '../runtime/cancel';
import { generateBatch, programsFor } from './batch';
import type { Row } from './batch';
import type { GenerateOptions, Generation, LlamaModel } from './options';
import { checkSampling } from './sample';

/**
 * Continues each prompt (token ids, at least one). Results are in the prompts' order. Throws ArgumentError for options
 * and prompts that cannot be used, NonFiniteError where the model gives NaN, CancelledError, DeviceError.
 */
export async function generate(
  model: LlamaModel,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions = {},
): Promise<Generation[]> {
  const { config } = model;
  const rows = checkedRows(config, prompts, options);
  const programs = programsFor(config, options.device);
  const open = rows.filter((row) => !row.finish);
  const { maxBatch = 32, signal } = options;
  const work = async (): Promise<void> => {
    for (let at = 0; at < open.length; at += maxBatch)
      await generateBatch(programs, model, open.slice(at, at + maxBatch), options);
  };
  await (signal ? cancellable(signal, work) : work());
  return rows.map(({ tokens, logProbs, finish, hidden }) => {
    const generation: Generation = { tokens, logProbs, finish: finish! };
    if (options.hidden) {
      const values = new Float32Array(tokens.length * config.width);
      hidden.forEach((h, i) => values.set(h, i * config.width));
      generation.hidden = tensor(values, { shape: [tokens.length, config.width] });
    }
    return generation;
  });
}

function checkedRows(config: LlamaConfig, prompts: readonly (readonly number[])[], options: GenerateOptions): Row[] {
  const { maxNewTokens = Infinity, maxLength = config.maxLength, maxBatch = 32, seed = 0, streams } = options;
  const check = (ok: boolean, expected: string, got: unknown, help: string): void => {
    if (!ok) throw new ArgumentError('generate', `expected ${expected}, got ${String(got)}`, help);
  };
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
    !streams || streams.length === prompts.length,
    `a stream name for each of ${prompts.length} prompts`,
    streams?.length,
    'leave streams out to name the rows by their indices',
  );
  const random = new Random(seed, 'generate');
  return prompts.map((prompt, index) => {
    const name = `prompt ${index}`;
    check(prompt.length > 0, `${name} to have at least one token`, 'none', 'begin it with the start token');
    check(
      prompt.length <= maxLength,
      `${name} to have at most ${maxLength} tokens (maxLength)`,
      prompt.length,
      'shorten the prompt, or use a model with a larger maxLength',
    );
    for (const id of prompt)
      check(
        Number.isInteger(id) && id >= 0 && id < config.vocabSize,
        `${name} to hold token ids in [0, ${config.vocabSize})`,
        id,
        "use the model's own tokenizer",
      );
    const limit = Math.min(maxNewTokens, maxLength - prompt.length);
    const finish = limit === 0 ? 'max-length' : null;
    return {
      index,
      prompt,
      random: random.stream(streams?.[index] ?? index),
      limit,
      tokens: [],
      logProbs: [],
      hidden: [],
      finish,
    };
  });
}
