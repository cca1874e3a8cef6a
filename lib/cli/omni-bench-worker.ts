/** The process of one device; see omni-bench-workers.ts. */
import { predictShard } from '../eval/omni-bench';
import { loadModel } from './infer';
import { backendOf, shardOf } from './omni-bench-work';
import type { Order, Report } from './omni-bench-workers';

const controller = new AbortController();
/** Sends and waits until it is gone, so that rows do not pile up. */
const send = (report: Report): Promise<void> =>
  new Promise((resolve) => {
    if (!process.connected) return resolve();
    process.send!(report, () => resolve());
  });

async function work(order: Extract<Order, { kind: 'start' }>): Promise<void> {
  const { options, files, device, shard, shards, done } = order;
  try {
    const backend = await backendOf(options, device, loadModel);
    const rows = predictShard(backend, shardOf(options, files, [shard, shards], new Set(done), controller.signal));
    for await (const item of rows)
      await send('lost' in item ? { kind: 'lost', file: item.lost.file, message: item.lost.error.message } : { kind: 'row', row: item }); // prettier-ignore
    await send({ kind: 'finished' });
  } catch (error) {
    await send({ kind: 'failed', message: (error as Error).message });
    process.exitCode = 1;
  }
  process.disconnect?.();
}

// Ctrl-C reaches all processes of the terminal; the one that writes says when to stop.
process.on('SIGINT', () => undefined);
process.on('message', (order: Order) => {
  if (order.kind === 'stop') controller.abort();
  else void work(order);
});
process.on('disconnect', () => controller.abort());
