/** Errors of the file system under a run's folder, said so that the reader knows what to do. */
import { OmniError } from '../errors';

/** The disk is full, a quota is used up, or nothing may be written. */
const CODES = ['ENOSPC', 'EDQUOT', 'EROFS'];

/** An OmniError that says what to do about a folder that cannot be used. */
export const unwritable = (dir: string, error: unknown): OmniError =>
  new OmniError(
    dir,
    `expected a folder that can be read and written, with space left, got ${(error as Error).message}`,
    'make room, change its rights, or set OMNILAB_RUNS to another folder; what was finished is kept, and the work goes on from the last checkpoint',
    { cause: error },
  );

/** The same for errors that are about that; others as they are. */
export function explained(dir: string, error: unknown): unknown {
  const { code, path } = error as NodeJS.ErrnoException;
  const denied = (code === 'EACCES' || code === 'EPERM') && path?.startsWith(dir);
  return error instanceof Error && ((code !== undefined && CODES.includes(code)) || denied)
    ? unwritable(dir, error)
    : error;
}
