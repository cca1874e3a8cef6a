/** The process's side of job.ts: makes the run that it is told, and says how it goes. */
import { CancelledError, OmniError } from '../errors';
import { plan } from './identity';
import type { Order, Report } from './job';
import type { RunEvent } from './progress';
import { run } from './run';

/** Progress is told so often, in milliseconds, not at every step. */
const PROGRESS_MS = 200;

/** Serves one order; resolves when it is done. `signal` stops the run after its step, as the other side's word does. */
export function serveJob(signal?: AbortSignal): Promise<void> {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  signal?.addEventListener('abort', abort);
  // The process that wanted the run is gone.
  process.on('disconnect', abort);
  return new Promise((resolve) => {
    process.on('message', (order: Order) => {
      if (order.kind === 'stop') return abort();
      void make(order, controller.signal).then(() => {
        if (process.connected) process.disconnect();
        resolve();
      });
    });
  });
}

/** Sends, and waits until it is gone. */
const send = (report: Report): Promise<void> =>
  new Promise((resolve) => {
    if (!process.connected) return resolve();
    process.send!(report, () => resolve());
  });

async function make(order: Extract<Order, { kind: 'make' }>, signal: AbortSignal): Promise<void> {
  const { name, profile, seed, config, hash, device } = order;
  let told = -Infinity;
  const onProgress = (event: RunEvent): void => {
    if (event.kind !== 'message' && event.kind !== 'progress') return;
    if (event.kind === 'progress') {
      if (performance.now() - told < PROGRESS_MS) return;
      told = performance.now();
    }
    void send({ kind: 'event', event });
  };
  try {
    if (plan(name, profile, seed, config).hash !== hash)
      throw new OmniError(
        name,
        `expected the run ${hash}, got another identity in its own process`,
        'the compiled code has changed since the command began: give the command again',
      );
    await run(name, { profile, seed, config, device, signal, onProgress });
    await send({ kind: 'made' });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    await send({ kind: 'failed', message, cancelled: error instanceof CancelledError || signal.aborted });
    process.exitCode = 1;
  }
}
