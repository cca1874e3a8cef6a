/**
 * Where things are: the package itself (the folder of OmniLab's package.json) and the project that uses it (the folder
 * in which notebooks run). In a clone of OmniLab the two are the same; where OmniLab is installed in somebody's
 * node_modules, the project is theirs.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { OmniError } from '../lib/errors';

/** The name under which the package is imported. */
export const PACKAGE = 'omnilab';

function* ancestors(folder: string): Generator<string> {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    yield at;
    if (path.dirname(at) === at) return;
  }
}

function isPackage(folder: string): boolean {
  try {
    return (JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as { name?: unknown }).name === PACKAGE;
  } catch {
    return false;
  }
}

/** The folder of OmniLab's own package.json, found upwards from `from`. Throws OmniError when there is none. */
export function packageRoot(from: string = __dirname): string {
  for (const folder of ancestors(from)) if (isPackage(folder)) return folder;
  throw new OmniError(
    'packageRoot',
    `expected a package.json named "${PACKAGE}" above ${from}, got none`,
    `keep the folder dist/ inside the package, or reinstall it: npm install ${PACKAGE}`,
  );
}

/**
 * The folder in which cells run: the project that has the package `pkg` in its node_modules (installed there, or linked
 * and seen from `cwd`), else the package's own folder.
 */
export function projectRoot(cwd: string = process.cwd(), pkg: string = packageRoot()): string {
  const parent = path.dirname(pkg);
  if (path.basename(parent) === 'node_modules') return path.dirname(parent);
  for (const folder of ancestors(cwd)) {
    const linked = path.join(folder, 'node_modules', PACKAGE);
    if (folder !== pkg && existsSync(linked) && realpathSync(linked) === realpathSync(pkg)) return folder;
  }
  return pkg;
}
