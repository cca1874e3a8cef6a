/** The folder of a run on disk: is it finished, what files does it hold, are they still what they were. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { hashFile, isTemporaryName } from '../io/atomic';
import type { Plan } from './identity';
import { isLockName } from './lock';
import { manifestSchema, readJson } from './manifest';
import type { FileRecord, Manifest } from './manifest';
import { runsDir } from './paths';

/** Names in a run's folder. */
export const MANIFEST = 'manifest.json';
export const CHECKPOINTS = 'checkpoints';

/** `runs/<experiment>/<hash>` */
export const runDir = (plan: Pick<Plan, 'experiment' | 'hash'>): string =>
  path.join(runsDir(), ...plan.experiment.name.split('/'), plan.hash);

/** Files of the result, by path with forward slashes. */
async function resultFiles(dir: string): Promise<string[]> {
  const entries = await fs.readdir(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((e) => e.isFile() && !isLockName(e.name) && !isTemporaryName(e.name))
    .map((e) => path.relative(dir, path.join(e.parentPath, e.name)).split(path.sep).join('/'))
    .filter((name) => name !== MANIFEST && !name.startsWith(`${CHECKPOINTS}/`))
    .sort();
}

/** Sizes and hashes of a run's files. */
export async function describeFiles(dir: string): Promise<Record<string, FileRecord>> {
  const files: Record<string, FileRecord> = {};
  for (const name of await resultFiles(dir)) files[name] = await hashFile(path.join(dir, name));
  return files;
}

/** Files seen with their right content by this process: size and time tell whether to look again. */
const verified = new Map<string, string>();

/** Names of files that are missing or differ from the manifest; with `deep` false only their sizes are compared. */
export async function damagedFiles(dir: string, manifest: Manifest, deep = true): Promise<string[]> {
  const damaged: string[] = [];
  for (const [name, record] of Object.entries(manifest.files)) {
    const file = path.join(dir, name);
    const stat = await fs.stat(file).catch(() => null);
    if (stat?.size !== record.bytes) damaged.push(name);
    else if (deep) {
      const stamp = `${stat.mtimeMs}:${stat.ctimeMs}:${stat.ino}:${record.sha256}`;
      if (verified.get(file) === stamp) continue;
      if ((await hashFile(file)).sha256 === record.sha256) verified.set(file, stamp);
      else damaged.push(name);
    }
  }
  return damaged;
}

/** The manifest of a run's folder; null if there is none. Throws FormatError if it is damaged. */
export const readManifest = (dir: string): Promise<Manifest | null> =>
  readJson(path.join(dir, MANIFEST), manifestSchema);

/** True if a run is finished and its files are there, at their sizes. Reads no large file. */
export async function isPresent(plan: Plan): Promise<boolean> {
  const dir = runDir(plan);
  try {
    const manifest = await readManifest(dir);
    return manifest?.status === 'done' && !(await damagedFiles(dir, manifest, false)).length;
  } catch {
    return false;
  }
}

/** Removes everything in a run's folder but locks. */
export async function clearRun(dir: string): Promise<void> {
  for (const name of await fs.readdir(dir))
    if (!isLockName(name)) await fs.rm(path.join(dir, name), { recursive: true, force: true });
}
