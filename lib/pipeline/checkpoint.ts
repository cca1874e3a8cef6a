/**
 * Checkpoints: tensors and a JSON state at a step, in a folder that appears whole. The last two are kept, each with
 * the hashes of its files, so that a damaged one is noticed and the one before it used.
 */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { z } from 'zod';
import { ArgumentError } from '../errors';
import type { HostTensor } from '../graph/dtype';
import { hashFile, isTemporaryName, writeFolderAtomic } from '../io/atomic';
import { readHostTensors, writeSafetensors } from '../io/safetensors';
import { canonicalJson } from './canonical-json';
import { readJson } from './manifest';

/** JSON: what a state may hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

export interface Checkpoint<S = Json> {
  readonly step: number;
  readonly tensors: Record<string, HostTensor>;
  /** Random streams, the position in the data, and whatever else the loop needs to go on. */
  readonly state: S;
}

const FILES = { tensors: 'tensors.safetensors', state: 'state.json', index: 'checkpoint.json' } as const;
const KEEP = 2;

/** Errors of the system that say nothing about the file: what cannot be read now is not damaged. */
const PASSING = ['EMFILE', 'ENFILE', 'ENOMEM', 'EACCES', 'EPERM'];

const indexSchema = z.strictObject({
  step: z.number().int().min(0),
  /** How much of metrics.jsonl belongs to it, and the hash of that. */
  log: z.strictObject({ bytes: z.number().int().min(0), sha256: z.string() }),
  /** What the run had recorded by then. */
  records: z.strictObject({
    data: z.record(z.string(), z.string()),
    graphs: z.record(z.string(), z.string()),
  }),
  files: z.record(z.string(), z.strictObject({ bytes: z.number(), sha256: z.string() })),
});
type Index = z.infer<typeof indexSchema>;

/** A checkpoint with what belongs to it besides the caller's part. */
export interface Stored extends Checkpoint {
  readonly log: Index['log'];
  readonly records: Index['records'];
}

const folderName = (step: number): string => `step-${String(step).padStart(10, '0')}`;

/** The checkpoints of one run. */
export class CheckpointFolder {
  /** `warn` is told of each damaged checkpoint. */
  constructor(
    readonly dir: string,
    private readonly warn: (text: string) => void,
  ) {}

  /** What lies in the folder; nothing where there is none yet. A folder that cannot be read just now is not an empty one. */
  private async names(): Promise<string[]> {
    return fs.readdir(this.dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
  }

  private async list(): Promise<string[]> {
    const names = await this.names();
    return names.filter((name) => /^step-\d{10,}$/.test(name)).sort((a, b) => Number(b.slice(5)) - Number(a.slice(5)));
  }

  async save(step: number, { tensors, state, log, records }: Omit<Stored, 'step'>): Promise<void> {
    if (!Number.isSafeInteger(step) || step < 0)
      throw new ArgumentError(
        'ctx.checkpoint.save',
        `expected a step of 0 or more, got ${step}`,
        'pass a whole number',
      );
    canonicalJson(state, 'state of ctx.checkpoint.save');
    await writeFolderAtomic(path.join(this.dir, folderName(step)), async (folder) => {
      await writeSafetensors(path.join(folder, FILES.tensors), tensors);
      await fs.writeFile(path.join(folder, FILES.state), JSON.stringify(state));
      const files: Index['files'] = {};
      for (const name of [FILES.tensors, FILES.state]) files[name] = await hashFile(path.join(folder, name));
      const index: Index = { step, log, records, files };
      await fs.writeFile(path.join(folder, FILES.index), JSON.stringify(index));
    });
    await this.prune(KEEP);
  }

  /** Removes all but the last `keep`, and what interrupted writes have left. */
  async prune(keep: number): Promise<void> {
    const stale = (await this.list()).slice(keep);
    const names = await this.names();
    for (const name of [...stale, ...names.filter(isTemporaryName)])
      await fs.rm(path.join(this.dir, name), { recursive: true, force: true });
  }

  /**
   * The last checkpoint that is whole, or null. `usable` may refuse one for a reason of its own (a text). Those
   * refused and damaged are reported and removed: they could otherwise be taken for newer ones later. Throws where the
   * system does not let one be read.
   */
  async latest(usable: (log: Index['log']) => string | null = () => null): Promise<Stored | null> {
    for (const name of await this.list()) {
      const folder = path.join(this.dir, name);
      const found = await this.read(folder, usable);
      if (typeof found !== 'string') return found;
      this.warn(`checkpoint ${name} is damaged (${found}); using the one before it`);
      await fs.rm(folder, { recursive: true, force: true });
    }
    return null;
  }

  private async read(folder: string, usable: (log: Index['log']) => string | null): Promise<Stored | string> {
    try {
      const index = await readJson(path.join(folder, FILES.index), indexSchema);
      if (!index) return `${FILES.index} is missing`;
      for (const name of [FILES.tensors, FILES.state])
        if ((await hashFile(path.join(folder, name))).sha256 !== index.files[name]?.sha256)
          return `${name} has changed since it was written`;
      const refused = usable(index.log);
      if (refused) return refused;
      const { tensors } = await readHostTensors(path.join(folder, FILES.tensors));
      const state = JSON.parse(await fs.readFile(path.join(folder, FILES.state), 'utf8')) as Json;
      return { step: index.step, tensors, state, log: index.log, records: index.records };
    } catch (error) {
      if (PASSING.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      return (error as Error).message.split('\n')[0];
    }
  }
}
