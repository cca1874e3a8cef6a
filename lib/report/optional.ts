/**
 * Loads the optional packages of this floor at the moment when they are needed, and says what to install when one of
 * them is absent. A package is looked for beside omnilab first, then from the working directory, so that a linked
 * checkout finds what its user's project has installed.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { MissingPackageError } from '../errors';

const requires = () => [createRequire(__filename), createRequire(path.join(process.cwd(), 'package.json'))];

/** True when `error` says that `packageName` itself, and not something that it needs, could not be found. */
function isAbsent(error: unknown, packageName: string): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return code === 'MODULE_NOT_FOUND' && String(message).includes(`'${packageName}`);
}

function withRequire<T>(where: string, packageName: string, use: (require: NodeJS.Require) => T): T {
  let absent: unknown;
  for (const require of requires()) {
    try {
      return use(require);
    } catch (error) {
      if (!isAbsent(error, packageName)) throw error;
      absent = error;
    }
  }
  throw new MissingPackageError(where, packageName, { cause: absent });
}

/**
 * The exports of an optional package. `T` is the part of it that the caller uses.
 * @throws MissingPackageError when it is not installed; any error of the package itself is passed on.
 */
export function loadOptional<T>(where: string, packageName: string): T {
  return withRequire(where, packageName, (require) => require(packageName) as T);
}

/** The absolute path of a file inside an optional package. @throws MissingPackageError */
export function resolveOptional(where: string, packageName: string, file: string): string {
  return withRequire(where, packageName, (require) => require.resolve(`${packageName}/${file}`));
}
