/** Ctrl-C: the first one asks the work to stop after its step; the second one ends the process. */

/** Runs `work` with a signal that SIGINT and SIGTERM abort. `notice` is called at the first. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>, notice: () => void): Promise<T> {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const controller = new AbortController();
  const stop = (name: (typeof signals)[number]) => {
    if (controller.signal.aborted) {
      // By the signal itself: process.exit would wait for a computation that the device has begun.
      for (const other of signals) process.removeAllListeners(other);
      process.kill(process.pid, name);
      return;
    }
    controller.abort();
    notice();
  };
  for (const name of signals) process.on(name, stop);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of signals) process.removeListener(name, stop);
  }
}
