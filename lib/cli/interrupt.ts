/** Ctrl-C: the first one asks the work to stop after its step; the second one ends the process. */

/** Runs `work` with a signal that SIGINT and SIGTERM abort. `notice` is called at the first. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>, notice: () => void): Promise<T> {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
    notice();
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const name of signals) process.on(name, stop);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of signals) process.removeListener(name, stop);
  }
}
