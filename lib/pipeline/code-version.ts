/**
 * The version of the code that an experiment runs: a hash of the compiled files that its module reaches through
 * imports. A change in the engine, a loss or a model makes the experiments that use it new; a change elsewhere does
 * not.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ArgumentError } from '../errors';

/** The compiled lib/ folder. */
const LIB = path.resolve(__dirname, '..');

/** What these folders hold starts, stores and shows results but computes none, so its changes leave results valid. */
const EXCLUDED = ['cli', 'report', 'pipeline'].map((folder) => path.join(LIB, folder) + path.sep);

/** Started as a worker thread by its path, so that no import leads to it. */
const WORKER = path.join(LIB, 'runtime', 'worker.js');

/** Static imports of relative files, as the compiler writes them. */
const IMPORT = /\b(?:require|import)\(\s*["'](\.{1,2}\/[^"']*)["']\s*\)/g;

function resolve(from: string, request: string): string | null {
  const base = path.resolve(path.dirname(from), request);
  for (const candidate of [base, `${base}.js`, `${base}.json`, `${base}.cjs`, path.join(base, 'index.js')])
    if (fs.statSync(candidate, { throwIfNoEntry: false })?.isFile()) return candidate;
  return null;
}

/** The files that a module reaches, itself included, sorted. */
export function reachableFiles(module: string): string[] {
  const found = new Set<string>();
  const queue = [path.resolve(module)];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    if (file.startsWith(path.join(LIB, 'runtime') + path.sep) && fs.existsSync(WORKER)) queue.push(WORKER);
    if (file.endsWith('.json')) continue;
    for (const [, request] of fs.readFileSync(file, 'utf8').matchAll(IMPORT)) {
      const target = resolve(file, request);
      if (target && !EXCLUDED.some((folder) => target.startsWith(folder))) queue.push(target);
    }
  }
  return [...found].sort();
}

/** Hash of files' contents and of their places relative to `base`, so that a checkout elsewhere gives the same. */
export function hashFiles(files: readonly string[], base: string): string {
  const hash = createHash('sha256');
  for (const file of files) {
    const content = fs.readFileSync(file);
    hash.update(`${path.relative(base, file).split(path.sep).join('/')}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

const known = new Map<string, string>();

/**
 * The code version of a module. Computed once per process: what runs is the code that was loaded, even if files change
 * meanwhile.
 */
export function codeVersion(module: string): string {
  let version = known.get(module);
  if (version === undefined && !fs.existsSync(module))
    throw new ArgumentError(
      'defineExperiment',
      `module: there is no file ${module}`,
      'pass __filename of a compiled module',
    );
  if (version === undefined) known.set(module, (version = hashFiles(reachableFiles(module), path.dirname(module))));
  return version;
}

/** Hash of everything compiled in lib/ but the command line and the pipeline: what a notebook's outputs depend on. */
export function libraryVersion(): string {
  let version = known.get(LIB);
  if (version === undefined) {
    const files = (fs.readdirSync(LIB, { recursive: true }) as string[])
      .map((name) => path.join(LIB, name))
      .filter((file) => file.endsWith('.js') && !file.startsWith(EXCLUDED[0]) && !file.startsWith(EXCLUDED[2]))
      .sort();
    known.set(LIB, (version = hashFiles(files, LIB)));
  }
  return version;
}
