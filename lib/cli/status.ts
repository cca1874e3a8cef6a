/** Exit statuses, and how errors become one: a user's mistake is a message, never a trace. */
import { ArgumentError, CancelledError, OmniError } from '../errors';
import { isDeviceName } from '../runtime/device';

/** Exit statuses; 130 is what shells give a command that was interrupted. */
export const STATUS = { ok: 0, failure: 1, usage: 2, interrupted: 130 } as const;

/** A mistake on the command line. */
export class UsageError extends OmniError {}

/** Refuses a device that does not exist before anything is made for it. The engines must have been imported. */
export function checkDevice(name: string): void {
  if (!isDeviceName(name))
    throw new UsageError(
      '--device',
      `expected cpu, webgpu, cuda:0, cuda:1, ... or tfjs, got "${name}"`,
      "run `omnilab doctor` to see this machine's devices",
    );
}

/** Runs what only reads the user's words; its ArgumentErrors are mistakes of usage. */
export function usage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ArgumentError) throw new UsageError(error.where, error.what, error.help, { cause: error });
    throw error;
  }
}

/** Prints an error as the reader needs it, and returns the exit status. OMNILAB_DEBUG=1 adds the trace. */
export function report(error: unknown, write: (text: string) => void): number {
  const known = error instanceof Error ? error : new Error(String(error));
  const debug = process.env.OMNILAB_DEBUG === '1';
  if (debug) write(`${known.stack ?? known.message}\n`);
  else if (known instanceof OmniError) write(`${known.message}\n`);
  else write(`${known.message}\nhelp: run it again with OMNILAB_DEBUG=1 to see where this comes from\n`);
  if (known instanceof UsageError) return STATUS.usage;
  return known instanceof CancelledError ? STATUS.interrupted : STATUS.failure;
}
