/** What a run of omni-bench is made of: its options, and from them the backend and the shard of one worker. */
import { modelBackend, serverBackend } from '../eval/omni-bench';
import type { Backend, SamplingOptions, Shard } from '../eval/omni-bench';
import type { GenerationMode } from '../generate/interleaved';
import type { LoadModel } from './infer';

export interface OmniBenchOptions {
  parquetPath: string;
  modelPath: string;
  outputDir: string;
  outfile: string;
  questionCol: string;
  imageCol: string;
  answerCol: string;
  tltsToken: string;
  skipIfNoImage?: boolean;
  maxNewTokens: number;
  temperature: number;
  topP: number;
  dtype: string;
  tpSize: number;
  mmImagesPerPrompt: number;
  plainPrompt?: boolean;
  prefixText?: string;
  suffixText?: string;
  /** Commander's names for --no_auto_insert and --no_auto_remove. */
  autoInsert: boolean;
  autoRemove: boolean;
  batchSize: number;
  microBatchSize?: number;
  shuffle?: boolean;
  seed: number;
  flushEvery: number;
  fsyncEvery: number;
  generationMode: string;
  badImages: 'error' | 'drop';
  retryErrors?: boolean;
  devices: string;
  backend: 'local' | 'openai';
  baseUrl?: string;
  apiKeyEnv: string;
  timeout: number;
  retries: number;
  concurrency: number;
  /** More fields of each request. */
  extraBody?: Record<string, unknown>;
  json?: boolean;
}

const samplingOf = (o: OmniBenchOptions): SamplingOptions => ({
  maxNewTokens: o.maxNewTokens,
  temperature: o.temperature,
  topP: o.topP,
  seed: o.seed,
  imagesPerPrompt: o.mmImagesPerPrompt,
});

/** The backend of one worker. */
export async function backendOf(options: OmniBenchOptions, device: string, load: LoadModel): Promise<Backend> {
  if (options.backend === 'openai')
    return serverBackend(
      options.modelPath,
      options.concurrency,
      {
        baseUrl: options.baseUrl!,
        apiKey: process.env[options.apiKeyEnv] || undefined,
        timeoutSeconds: options.timeout,
        retries: options.retries,
      },
      samplingOf(options),
      options.extraBody,
    );
  const model = await load({ modelPath: options.modelPath, device });
  const batch = Math.min(options.microBatchSize ?? options.batchSize, options.batchSize);
  return modelBackend(model, batch, samplingOf(options), options.generationMode as GenerationMode);
}

/** What a worker predicts. */
export function shardOf(
  options: OmniBenchOptions,
  files: readonly string[],
  [shard, shards]: readonly [number, number],
  done: ReadonlySet<string>,
  signal?: AbortSignal,
): Shard {
  const rows = { ...options, skipIfNoImage: !!options.skipIfNoImage, plainPrompt: !!options.plainPrompt };
  return {
    files,
    root: options.parquetPath,
    rows,
    shard,
    shards,
    done,
    signal,
    shuffle: options.shuffle ? options.seed : undefined,
  };
}
