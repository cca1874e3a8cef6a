/**
 * Loads optional packages at the moment when they are needed, and says what to install when one of them is absent. A
 * package is looked for beside omnilab first, then from the working directory, so that a linked checkout finds what its
 * user's project has installed.
 */
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { MissingPackageError } from './errors';

const own = createRequire(__filename);

/** Where a package (`name`), or a file of it (`name/file`), lies. Throws what Node throws where it is not installed. */
function resolve(request: string): string {
  try {
    return own.resolve(request);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    return createRequire(path.join(process.cwd(), 'package.json')).resolve(request);
  }
}

/** True where an optional package is installed. It may still fail to load. */
export function isInstalled(packageName: string): boolean {
  try {
    resolve(packageName);
    return true;
  } catch {
    return false;
  }
}

/** The absolute path of an optional package, or of a file inside it. Throws MissingPackageError. */
export function resolveOptional(where: string, packageName: string, file?: string): string {
  try {
    return resolve(file === undefined ? packageName : `${packageName}/${file}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    throw new MissingPackageError(where, packageName, { cause: error });
  }
}

/**
 * The exports of an optional package; `T` is the part of it that the caller uses. Throws MissingPackageError where it
 * is not installed; errors of the package itself are passed on.
 */
export function loadOptional<T>(where: string, packageName: string): T {
  return own(resolveOptional(where, packageName)) as T;
}
