/**
 * Cancellation of compiled steps: inside `cancellable(signal, work)` every call of a compiled function first looks at
 * the signal, so that a long loop stops between two steps. The notebook kernel runs each cell this way and aborts the
 * signal when the cell is interrupted.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { CancelledError } from '../errors';

const KEY = Symbol.for('omnilab.cancellation');
const holder = globalThis as { [KEY]?: AsyncLocalStorage<AbortSignal> };
/** Shared with the kernel, which may be loaded from another copy of the package. */
const storage = (holder[KEY] ??= new AsyncLocalStorage<AbortSignal>());

/** Runs `work` under a signal; compiled calls in it throw CancelledError once the signal is aborted. */
export function cancellable<T>(signal: AbortSignal, work: () => T): T {
  const outer = storage.getStore();
  return storage.run(outer ? AbortSignal.any([outer, signal]) : signal, work);
}

/** Throws CancelledError if the surrounding signal was aborted. */
export function checkCancelled(where: string): void {
  if (storage.getStore()?.aborted)
    throw new CancelledError(
      where,
      'the work was cancelled between two steps',
      'start it again; a run of the pipeline goes on from its last checkpoint',
    );
}
