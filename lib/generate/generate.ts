/**
 * Batched generation from LLaMA. Prompts are read and continued on the device; tokens are drawn on the host, each row
 * from a random stream of its own, so that what a row gets depends on neither the batch nor the order of rows.
 */
import { ArgumentError } from '../errors';
import { tensor } from '../graph/tensor';
import { cancellable } from '../runtime/cancel';
import { generateBatch } from './batch';
import type { GenerateOptions, Generation, LlamaModel, Prompt } from './options';
import { programsFor } from './programs';
import type { FrozenModel } from './programs';
import { readRows } from './rows';

/**
 * Continues each prompt (token ids, at least one, and the vectors of input media that stand among them). Results are in the prompts' order. Throws ArgumentError for options
 * and prompts that cannot be used, NonFiniteError where the model gives NaN, CancelledError, DeviceError.
 */
export async function generate(
  model: LlamaModel | FrozenModel,
  prompts: readonly Prompt[],
  options: GenerateOptions = {},
): Promise<Generation[]> {
  const { config } = model;
  if ('programs' in model && options.device && options.device !== model.device)
    throw new ArgumentError(
      'generate',
      `expected device ${model.device ?? 'unset'}, for which the model was frozen, got ${options.device}`,
      'freeze the model for that device',
    );
  const rows = await readRows(config, prompts, options);
  const programs = 'programs' in model ? model.programs : programsFor(config, options.device);
  const open = rows.filter((row) => !row.finish);
  const { maxBatch = 32, signal } = options;
  const work = async (): Promise<void> => {
    for (let at = 0; at < open.length; at += maxBatch)
      await generateBatch(programs, model, open.slice(at, at + maxBatch), options);
  };
  await (signal ? cancellable(signal, work) : work());
  return rows.map(({ tokens, logProbs, finish, hidden, hiddenAt }) => {
    const generation: Generation = { tokens, logProbs, finish: finish! };
    if (options.hidden) {
      const values = new Float32Array(hidden.length * config.width);
      hidden.forEach((h, i) => values.set(h, i * config.width));
      generation.hidden = tensor(values, { shape: [hidden.length, config.width] });
      generation.hiddenAt = hiddenAt;
    }
    return generation;
  });
}
