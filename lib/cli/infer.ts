/** `omnilab infer`: trajectories of text and images for files of prompts, with the arguments of the released inference.py. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { GENERATION_MODES } from '../generate/interleaved';
import type { GenerationMode } from '../generate/interleaved';
import type { InterleavedModel } from '../generate/omni-r1/interleaved-model';
import { inferSubset, readResult } from '../generate/omni-r1/infer';
import type { SubsetSummary } from '../generate/omni-r1/infer';
import { byPriority, inputFiles } from '../generate/omni-r1/infer-input';
import { writeFileAtomic } from '../io/atomic';
import { progress } from '../report/display/progress';
import { trajectoryPage } from '../report/trajectory-page';
import type { ShownTrajectory } from '../report/trajectory-page';
import { interruptible } from './interrupt';
import { checkDevice, STATUS, usage, UsageError } from './status';
import type { Terminal } from './terminal';

export interface InferCommandOptions {
  input: string;
  outputDir: string;
  modelPath: string;
  processorPath?: string;
  vqRefPath?: string;
  device: string;
  dtype: string;
  maxLength: number;
  temperature: number;
  topP: number;
  doSample?: boolean;
  generationMode: string;
  appendBoi?: boolean;
  maxImages?: number;
  imagePlaceholderId?: number;
  /** Commander's name for --no-strict-decode. */
  strictDecode: boolean;
  resume?: boolean;
  retryErrors?: boolean;
  priorityTerms?: string[] | true;
  badImages: 'error' | 'drop';
  seed: number;
  batchSize: number;
  verbose?: boolean;
  json?: boolean;
}

export type LoadModel = (
  options: Pick<InferCommandOptions, 'modelPath' | 'processorPath' | 'vqRefPath' | 'device'>,
) => Promise<InterleavedModel>;

/** Names that other frameworks have for what is computed here in 32 bits. */
export const DTYPES = ['bfloat16', 'bf16', 'float16', 'fp16', 'half', 'float32', 'fp32'];

/** "cuda" is the first GPU. */
export const deviceOf = (name: string): string => (name === 'cuda' ? 'cuda:0' : name);

/** Loads the model of a folder when it is needed. */
export const loadModel: LoadModel = async ({ modelPath, processorPath, vqRefPath, device }) => {
  const { loadInterleavedModel } = await import('../generate/omni-r1/load.js');
  checkDevice(deviceOf(device));
  return loadInterleavedModel(modelPath, {
    device: deviceOf(device),
    tokenizer: processorPath,
    imageTokenizer: vqRefPath,
  });
};

const readText = (file: string): string | undefined => {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
};

/** The page of all rows of a subset, done now or before; returns its file. */
async function writePage({ folder, rows }: SubsetSummary): Promise<string> {
  const shown = Array.from({ length: rows }, (_, i): ShownTrajectory => {
    const result = readResult(path.join(folder, String(i)));
    if (result === undefined) {
      const error = readText(path.join(folder, String(i), 'error.txt')) ?? 'not done yet';
      return { title: `${i}`, text: '', images: [], error };
    }
    const { id, text, images } = result;
    const relative = (file: string): string => path.relative(folder, file).split(path.sep).map(encodeURIComponent).join('/'); // prettier-ignore
    return { title: id === String(i) ? id : `${i}: ${id}`, text, images: images.map((file) => file && relative(file)) };
  });
  const file = path.join(folder, 'index.html');
  await writeFileAtomic(file, trajectoryPage(path.basename(folder), shown));
  return file;
}

/** `omnilab infer`. Returns the exit status: 1 if a row failed. */
export async function inferCommand(
  options: InferCommandOptions,
  terminal: Terminal,
  load: LoadModel = loadModel,
): Promise<number> {
  if (!GENERATION_MODES.includes(options.generationMode as GenerationMode))
    throw new UsageError('--generation-mode', `expected ${GENERATION_MODES.join(', ')}, got "${options.generationMode}"`, 'choose one'); // prettier-ignore
  if (!DTYPES.includes(options.dtype.toLowerCase()))
    throw new UsageError('--dtype', `expected one of ${DTYPES.join(', ')}, got "${options.dtype}"`, 'leave it away');
  const terms = options.priorityTerms === true ? [] : options.priorityTerms;
  const files = byPriority(usage(() => inputFiles(options.input)), terms); // prettier-ignore
  const model = await load(options);
  if (options.verbose)
    terminal.err(`order: ${files.map((f) => path.basename(f)).join(', ')}; at most ${model.maxLength} tokens\n`);
  const summaries: (SubsetSummary & { page: string })[] = [];
  await interruptible(
    async (signal) => {
      for (const file of files) {
        let bar: ReturnType<typeof progress> | undefined;
        const label = path.basename(file, '.jsonl');
        try {
          const summary = await inferSubset(model, file, options.outputDir, {
            ...options,
            doSample: !!options.doSample,
            generationMode: options.generationMode as GenerationMode,
            appendBoi: !!options.appendBoi,
            placeholder: options.imagePlaceholderId,
            resume: !!options.resume,
            retryErrors: !!options.retryErrors,
            batch: options.batchSize,
            signal,
            onRow: (done, total, error) => {
              bar ??= progress({ total, label, unit: 'rows' });
              bar.update(done);
              if (error && options.verbose) terminal.err(`${label} row ${done - 1}: ${error.message}\n`);
            },
          });
          bar?.done();
          summaries.push({ ...summary, page: await writePage(summary) });
        } catch (error) {
          bar?.fail(error);
          throw error;
        }
      }
    },
    () => terminal.err('\nstopping after this row; go on later with --resume\n'),
  );
  if (options.json) terminal.out(`${JSON.stringify(summaries, null, 2)}\n`);
  else
    for (const { folder, written, failed, skipped, page } of summaries)
      terminal.out(`${folder}: ${written} rows written, ${failed} failed, ${skipped} there before; see ${page}\n`);
  return summaries.some(({ failed }) => failed) ? STATUS.failure : STATUS.ok;
}
