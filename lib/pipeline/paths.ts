/** Where things lie: the project, its runs and its figures. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ArgumentError } from '../errors';
import type { Profile } from './profile';

/**
 * The nearest folder with a package.json, from the working directory upwards; the working directory if there is none.
 */
export function projectRoot(from = process.cwd()): string {
  for (let folder = from; ; folder = path.dirname(folder)) {
    if (fs.existsSync(path.join(folder, 'package.json'))) return folder;
    if (folder === path.dirname(folder)) return from;
  }
}

/** The folder of runs: OMNILAB_RUNS, else `runs` of the project. */
export function runsDir(): string {
  return path.resolve(process.env.OMNILAB_RUNS || path.join(projectRoot(), 'runs'));
}

/**
 * Where figures and tables of a profile go. Those of `laptop` are kept with the project; others must not overwrite
 * them.
 */
export function figuresDir(profile: Profile): string {
  return profile === 'laptop' ? path.join(projectRoot(), 'figures') : path.join(runsDir(), profile, 'figures');
}

/** A name of an artefact: letters, digits, and a few signs; no way out of the folder. */
export function artefactFile(dir: string, name: string, extension: string): string {
  if (!/^[\w-][\w.-]*$/.test(name))
    throw new ArgumentError(
      'artefact',
      `expected a plain name, got "${name}"`,
      'use letters, digits, "-", "_" and "."',
    );
  return path.join(dir, name + extension);
}

/** The package's own folder (with its package.json), from the compiled file. */
export const packageRoot = (): string => path.resolve(__dirname, '../../..');
