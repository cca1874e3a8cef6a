/** Errors of the file system under a run's folder, said so that the reader knows what to do. */
import { sep } from 'node:path';
import { OmniError } from '../errors';

/** The disk is full, a quota is used up, or nothing may be written. */
const CODES = ['ENOSPC', 'EDQUOT', 'EROFS'];

/** An OmniError that says what to do about a folder that cannot be used. */
export const unwritable = (dir: string, error: unknown): OmniError =>
  new OmniError(
    dir,
    `expected a folder that can be read and written, with space left, got ${(error as Error).message}`,
    'make room, change its rights, or choose another folder (for runs: set OMNILAB_RUNS); what was finished is kept, and the work goes on from the last checkpoint',
    { cause: error },
  );

/** The same for errors that are about that; others as they are. */
export function explained(dir: string, error: unknown): unknown {
  const { code, path } = error as NodeJS.ErrnoException;
  const inside = path !== undefined && (path === dir || path.startsWith(dir + sep));
  // What is written to an open file has no path.
  const full = code !== undefined && CODES.includes(code) && (path === undefined || inside);
  const denied = (code === 'EACCES' || code === 'EPERM') && inside;
  return error instanceof Error && (full || denied) ? unwritable(dir, error) : error;
}
