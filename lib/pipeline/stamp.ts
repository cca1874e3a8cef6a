/**
 * The stamp of a notebook: what it was made from and what it made. While neither has changed, a second `make
 * reproduce` need not run it again. Stamps lie with the runs, not with the figures: figures kept in git must not pass
 * for made here.
 */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { z } from 'zod';
import { FormatError } from '../errors';
import { hashFile } from '../io/atomic';
import { canonicalJson, sha256 } from './canonical-json';
import { libraryVersion } from './code-version';
import { plan } from './identity';
import type { Plan } from './identity';
import { readJson, writeJson } from './manifest';
import { notebookName } from './notebooks';
import type { NotebookEntry } from './notebooks';
import { runsDir } from './paths';
import type { Profile } from './profile';
import { isPresent } from './store';

const stampSchema = z.strictObject({
  format: z.literal(1),
  /**
   * Hash of the notebook's source, its experiments' identities, the library, the settings, and what other notebooks
   * made.
   */
  inputs: z.string(),
  /** Runs that were there when it ended, as `<experiment>/<hash>`. */
  runs: z.array(z.string()),
  /** What it made, by path in the folder of figures, with the hash. */
  outputs: z.record(z.string(), z.string()),
  seconds: z.number(),
});
export type Stamp = z.infer<typeof stampSchema>;

/** What all notebooks of a reproduction share. */
export interface StampSettings {
  root: string;
  figures: string;
  profile: Profile;
  device: string;
  /** The number of seeds. */
  seeds: number;
}

/** The executed notebook's path in the folder of figures. */
export const executedPath = (entry: NotebookEntry): string => `notebooks/${notebookName(entry)}.ipynb`;

const stampFile = (entry: NotebookEntry, { profile }: StampSettings): string =>
  path.join(runsDir(), profile, 'stamps', `${notebookName(entry)}.json`);

const runName = (p: Plan): string => `${p.experiment.name}/${p.hash}`;

const plans = (entry: NotebookEntry, { profile, seeds }: StampSettings): Plan[] =>
  entry.needs.flatMap((name) => Array.from({ length: seeds }, (_, seed) => plan(name, profile, seed)));

const notebookSchema = z.object({
  cells: z.array(z.object({ cell_type: z.string(), source: z.union([z.string(), z.array(z.string())]) })),
});

/** Hash of what a notebook is made from. Its stored outputs do not count. */
export async function inputsHash(
  entry: NotebookEntry,
  settings: StampSettings,
  made: ReadonlyMap<string, Stamp>,
): Promise<string> {
  const file = path.join(settings.root, entry.path);
  const notebook = await readJson(file, notebookSchema);
  if (!notebook) throw new FormatError(file, 'expected a notebook, got no file', 'restore it from git');
  return sha256(
    canonicalJson({
      source: notebook.cells.map((c) => [c.cell_type, [c.source].flat().join('')]),
      runs: plans(entry, settings).map(runName),
      library: libraryVersion(),
      settings: [settings.profile, settings.device, settings.seeds],
      outputs: entry.outputs,
      after: Object.fromEntries((entry.after ?? []).map((name) => [name, made.get(name)?.outputs ?? null])),
    }),
  );
}

/** Hashes of the files that a notebook should have made, and the names of those that are missing. */
export async function hashOutputs(
  entry: NotebookEntry,
  { figures }: StampSettings,
): Promise<{ outputs: Record<string, string>; missing: string[] }> {
  const outputs: Record<string, string> = {};
  const missing: string[] = [];
  for (const name of [...entry.outputs, executedPath(entry)])
    await hashFile(path.join(figures, name)).then(
      ({ sha256: hash }) => (outputs[name] = hash),
      () => missing.push(name),
    );
  return { outputs, missing };
}

/** The stamp if everything is still as it was, else the reason why the notebook has to be run. */
export async function checkStamp(
  entry: NotebookEntry,
  settings: StampSettings,
  inputs: string,
): Promise<Stamp | string> {
  const stamp = await readJson(stampFile(entry, settings), stampSchema).catch(() => null);
  if (!stamp) return 'not made here yet';
  if (stamp.inputs !== inputs) return 'the notebook, its experiments, the library or the settings have changed';
  const { outputs } = await hashOutputs(entry, settings);
  for (const [name, hash] of Object.entries(stamp.outputs)) {
    if (!(name in outputs)) return `${name} is missing`;
    if (outputs[name] !== hash) return `${name} has changed`;
  }
  const recorded = new Set(stamp.runs);
  for (const p of plans(entry, settings))
    if (recorded.has(runName(p)) && !(await isPresent(p))) return `the run ${runName(p)} is missing or damaged`;
  return stamp;
}

/**
 * The notebooks that are not up to date as things stand, and those that follow one that is not (which may turn out to
 * be made again as it was). Those that cannot be looked at are left out: running them will tell why.
 */
export async function staleNotebooks(
  entries: readonly NotebookEntry[],
  settings: StampSettings,
): Promise<NotebookEntry[]> {
  const current = new Map<string, Stamp>();
  const stale: NotebookEntry[] = [];
  for (const entry of entries)
    try {
      const stamp = await checkStamp(entry, settings, await inputsHash(entry, settings, current));
      if (typeof stamp === 'string') stale.push(entry);
      else current.set(notebookName(entry), stamp);
    } catch {
      continue;
    }
  return stale;
}

/** Stamps a notebook that has just been run. */
export async function writeStamp(
  entry: NotebookEntry,
  settings: StampSettings,
  stamp: Omit<Stamp, 'format' | 'runs'>,
): Promise<Stamp> {
  const runs: string[] = [];
  for (const p of plans(entry, settings)) if (await isPresent(p)) runs.push(runName(p));
  const full: Stamp = { format: 1, runs, ...stamp };
  await writeJson(stampFile(entry, settings), full);
  return full;
}

/** Takes the stamp away before a notebook is run, so that an interruption leaves none. */
export const removeStamp = (entry: NotebookEntry, settings: StampSettings): Promise<void> =>
  fs.rm(stampFile(entry, settings), { force: true });
