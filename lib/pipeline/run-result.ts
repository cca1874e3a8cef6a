/** A finished run: its metrics, its log, and the files that it left. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { FormatError } from '../errors';
import type { HostTensor } from '../graph/dtype';
import { readHostTensors } from '../io/safetensors';
import { decodeNumbers } from './manifest';
import type { Manifest, Metrics } from './manifest';
import { readLog } from './metrics-log';
import type { LogRow } from './metrics-log';
import { artefactFile } from './paths';

/** A finished run, read from its folder. */
export class Run {
  constructor(
    readonly dir: string,
    readonly manifest: Manifest,
    /** True if it was there before and nothing was computed. */
    readonly reused: boolean,
  ) {}

  get name(): string {
    return this.manifest.experiment;
  }
  get hash(): string {
    return this.manifest.hash;
  }
  get seed(): number {
    return this.manifest.seed;
  }
  get config(): Record<string, unknown> {
    return this.manifest.config;
  }
  /** The final results. */
  get metrics(): Metrics {
    return decodeNumbers(this.manifest.metrics);
  }

  /** One of the final metrics. Throws FormatError if it is missing or is not a number. */
  metric(name: string): number {
    const value = this.metrics[name];
    if (typeof value !== 'number')
      throw new FormatError(
        `${this.name}: metric "${name}"`,
        `expected a number, got ${String(value)}`,
        `it has ${Object.keys(this.metrics).join(', ')}`,
      );
    return value;
  }

  /** The logged steps. */
  log(): LogRow[] {
    return readLog(path.join(this.dir, 'metrics.jsonl'));
  }

  /** The tensors that the run saved under this name. Throws FormatError if the file is damaged or missing. */
  async load(name: string): Promise<Record<string, HostTensor>> {
    return (await readHostTensors(artefactFile(this.dir, name, '.safetensors'))).tensors;
  }

  /** What the run saved with `saveJson` under this name. */
  async loadJson<T>(name: string): Promise<T> {
    return JSON.parse(await fs.readFile(artefactFile(this.dir, name, '.json'), 'utf8')) as T;
  }

  /** The path of a file of the run. */
  file(name: string): string {
    return path.join(this.dir, name);
  }
}
