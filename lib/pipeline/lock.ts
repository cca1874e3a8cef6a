/**
 * One process at a time on one run. A holder's lock is a file named after its process id and the time that process
 * started (ids are used again), so anyone can tell whether the holder lives, and remove the lock of a dead one without
 * ever touching a live one. To take the lock: put one's own file, then look at the others; if one is alive, step back
 * and wait. Of two that come at once at least one sees the other, so never do both hold it. The folder must be on this
 * machine.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CancelledError } from '../errors';
import { checkCancelled } from '../runtime/cancel';
import { unwritable } from './disk';

const LOCK = /^\.lock-(\d+)-(\w+)-([0-9a-f]{8})$/;
const POLL_MS = 200;

/** When a process started, as a word; null if it is not running; "unknown" where the system does not tell. */
function startOf(pid: number): string | null {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return null;
  }
  try {
    if (process.platform === 'linux') {
      // The name of the program, in parentheses, may hold spaces; state is the first field after it, start time the
      // 20th.
      const fields = fs
        .readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      return fields[0] === 'Z' ? null : fields[19];
    }
    if (process.platform === 'win32') return 'unknown';
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).replace(/\W/g, '');
  } catch {
    return 'unknown';
  }
}

let own: string | null = null;

/** Live holders' process ids, other than of the file `mine`. Locks of the dead are removed. */
function others(dir: string, mine: string): number[] {
  const alive: number[] = [];
  for (const name of fs.readdirSync(dir)) {
    const match = LOCK.exec(name);
    if (!match || name === mine) continue;
    const start = startOf(Number(match[1]));
    if (start !== null && (start === match[2] || start === 'unknown' || match[2] === 'unknown'))
      alive.push(Number(match[1]));
    else fs.rmSync(path.join(dir, name), { force: true });
  }
  return alive;
}

/**
 * Takes the lock of a folder, waiting for a live holder; `onWait` is told its process id once. Returns the function
 * that gives the lock back. Throws CancelledError if the signal is aborted while waiting, OmniError if the folder cannot be
 * made.
 */
export async function lockFolder(
  dir: string,
  onWait: (pid: number) => void,
  signal?: AbortSignal,
): Promise<() => void> {
  try {
    fs.mkdirSync(dir, { recursive: true });
  } catch (error) {
    throw unwritable(dir, error);
  }
  own ??= startOf(process.pid) ?? 'unknown';
  const mine = `.lock-${process.pid}-${own}-${randomBytes(4).toString('hex')}`;
  const file = path.join(dir, mine);
  const release = () => fs.rmSync(file, { force: true });
  let told = false;
  for (;;) {
    let holders = others(dir, mine);
    if (!holders.length) {
      fs.writeFileSync(file, '');
      holders = others(dir, mine);
      if (!holders.length) return release;
      release();
    }
    if (!told) onWait(holders[0]);
    told = true;
    checkCancelled(`waiting for ${dir}`);
    // A random share keeps two that met from meeting again.
    try {
      await sleep(POLL_MS * (0.5 + Math.random()), undefined, { signal });
    } catch (error) {
      throw new CancelledError(`waiting for ${dir}`, 'the work was cancelled', 'start it again', { cause: error });
    }
  }
}

/** True of the files that lockFolder makes. */
export const isLockName = (name: string): boolean => LOCK.test(name);

/** The process ids that hold a folder's lock now. */
export const lockHolders = (dir: string): number[] => (fs.existsSync(dir) ? others(dir, '') : []);
