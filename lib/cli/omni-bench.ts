/** `omnilab omni-bench`: predictions for a benchmark in Parquet files, with the arguments of the released vllm_eval.py. */
import * as path from 'node:path';
import { countRows, predictShard, ResultsFile, rowKey } from '../eval/omni-bench';
import type { LostFile, Prediction } from '../eval/omni-bench';
import { GENERATION_MODES } from '../generate/interleaved';
import type { GenerationMode } from '../generate/interleaved';
import { findParquet } from '../io/parquet';
import { progress } from '../report/display/progress';
import { deviceOf, DTYPES, loadModel } from './infer';
import type { LoadModel } from './infer';
import { interruptible } from './interrupt';
import { backendOf, shardOf } from './omni-bench-work';
import type { OmniBenchOptions } from './omni-bench-work';
import { runWorkers } from './omni-bench-workers';
import { STATUS, usage, UsageError } from './status';
import type { Terminal } from './terminal';

function check(options: OmniBenchOptions): string[] {
  if (!GENERATION_MODES.includes(options.generationMode as GenerationMode))
    throw new UsageError('--generation-mode', `expected ${GENERATION_MODES.join(', ')}, got "${options.generationMode}"`, 'choose one'); // prettier-ignore
  if (!DTYPES.includes(options.dtype.toLowerCase()))
    throw new UsageError('--dtype', `expected one of ${DTYPES.join(', ')}, got "${options.dtype}"`, 'leave it away');
  if (options.backend === 'openai') {
    if (!options.baseUrl)
      throw new UsageError('--base-url', 'expected the address of the server, got none', '--base-url http://127.0.0.1:8000/v1'); // prettier-ignore
    return ['server'];
  }
  if (options.tpSize !== 1)
    throw new UsageError('--tp_size', `expected 1, got ${options.tpSize}`, 'one device holds one model: give more --devices, or serve the model with vLLM and use --backend openai'); // prettier-ignore
  const devices = options.devices.split(',').map((name) => deviceOf(name.trim())).filter(Boolean); // prettier-ignore
  if (!devices.length) throw new UsageError('--devices', 'expected a device, got none', '--devices cuda:0,cuda:1');
  return devices;
}

const isLost = (item: Prediction | LostFile): item is LostFile => 'lost' in item;

/** `omnilab omni-bench`. Returns the exit status: 1 if a file could not be read or a worker ended. */
export async function omniBenchCommand(
  options: OmniBenchOptions,
  terminal: Terminal,
  load: LoadModel = loadModel,
): Promise<number> {
  const devices = check(options);
  const files = await findParquet(options.parquetPath).catch((error: unknown) => usage(() => { throw error; })); // prettier-ignore
  const output = path.resolve(options.outputDir, options.outfile);
  const results = await ResultsFile.open(output, options);
  const total = await countRows(files);
  const summary = { file: output, rows: total, before: results.done.size, written: 0, errors: 0, lost: [] as string[], failedWorkers: 0 }; // prettier-ignore
  const seen = new Set(results.done);
  const bar = progress({ total, label: 'omni-bench', unit: 'rows', initial: Math.min(total, seen.size) });
  const take = (item: Prediction | LostFile): void => {
    if (isLost(item)) {
      if (!summary.lost.includes(item.lost.file)) summary.lost.push(item.lost.file);
      terminal.err(`${item.lost.error.message}\n`);
      return;
    }
    if (seen.has(rowKey(item))) return;
    seen.add(rowKey(item));
    results.add(item);
    summary.written++;
    if (item.prediction.startsWith('<ERROR: ')) summary.errors++;
    bar.update(Math.min(total, seen.size), summary.errors ? { errors: summary.errors } : undefined);
  };
  try {
    await interruptible(
      async (signal) => {
        if (devices.length > 1) {
          summary.failedWorkers = await runWorkers(
            { options, files, devices, done: results.done },
            take,
            terminal,
            signal,
          );
          return;
        }
        const backend = await backendOf(options, devices[0], load);
        for await (const item of predictShard(backend, shardOf(options, files, [0, 1], results.done, signal)))
          take(item);
      },
      () => terminal.err('\nstopping after this batch; start it again to go on\n'),
    );
    bar.done();
  } catch (error) {
    bar.fail(error);
    throw error;
  } finally {
    results.close();
  }
  if (options.json) terminal.out(`${JSON.stringify(summary, null, 2)}\n`);
  else
    terminal.out(
      `${output}: ${summary.written} rows written (${summary.errors} with errors), ${summary.before} there before\n` +
        (summary.lost.length ? `not read: ${summary.lost.join(', ')}\n` : '') +
        (summary.failedWorkers ? `${summary.failedWorkers} workers failed: start it again to go on\n` : ''),
    );
  return summary.lost.length || summary.failedWorkers ? STATUS.failure : STATUS.ok;
}
