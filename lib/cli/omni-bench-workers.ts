/**
 * One process a device: each predicts its shard of the rows and sends what it has made; the one that started them writes.
 * A worker that ends early costs its own rows only, and the next run makes those.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import * as path from 'node:path';
import { CancelledError } from '../errors';
import type { LostFile, Prediction } from '../eval/omni-bench';
import type { OmniBenchOptions } from './omni-bench-work';
import type { Terminal } from './terminal';

export interface Work {
  options: OmniBenchOptions;
  files: readonly string[];
  devices: readonly string[];
  done: ReadonlySet<string>;
}

/** To a worker. */
export type Order =
  | {
      kind: 'start';
      options: OmniBenchOptions;
      files: readonly string[];
      device: string;
      shard: number;
      shards: number;
      done: string[];
    }
  | { kind: 'stop' };

/** From a worker. */
export type Report =
  | { kind: 'row'; row: Prediction }
  | { kind: 'lost'; file: string; message: string }
  | { kind: 'failed'; message: string }
  | { kind: 'finished' };

/** Starts a worker and hands on its reports; resolves to whether it did all of its shard. */
function runWorker(
  child: ChildProcess,
  order: Order,
  device: string,
  take: (item: Prediction | LostFile) => void,
  terminal: Terminal,
): Promise<boolean> {
  return new Promise((resolve) => {
    let finished = false;
    let told = false;
    child.on('message', (report: Report) => {
      if (report.kind === 'row') take(report.row);
      else if (report.kind === 'lost') take({ lost: { file: report.file, error: new Error(report.message) } });
      else if (report.kind === 'finished') finished = true;
      else {
        told = true;
        terminal.err(`worker on ${device}: ${report.message}\n`);
      }
    });
    child.on('error', (error) => terminal.err(`worker on ${device}: ${error.message}\n`));
    child.on('close', (code, signal) => {
      if (!finished && !told) terminal.err(`worker on ${device}: ended early (${signal ?? code})\n`);
      resolve(finished);
    });
    child.send(order);
  });
}

/** Runs all shards; returns how many workers did not finish. @throws CancelledError when `signal` stopped them */
export async function runWorkers(
  { options, files, devices, done }: Work,
  take: (item: Prediction | LostFile) => void,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  const children = devices.map(() => fork(path.join(__dirname, 'omni-bench-worker.js'), { serialization: 'advanced' }));
  const stop = (): void => children.forEach((child) => child.connected && child.send({ kind: 'stop' } satisfies Order));
  signal.addEventListener('abort', stop);
  try {
    const ended = await Promise.all(
      children.map((child, shard) => {
        const order: Order = {
          kind: 'start',
          options,
          files,
          device: devices[shard],
          shard,
          shards: devices.length,
          done: [...done],
        };
        return runWorker(child, order, devices[shard], take, terminal);
      }),
    );
    if (signal.aborted) throw new CancelledError('omni-bench', 'the run was cancelled', 'start it again to go on');
    return ended.filter((finished) => !finished).length;
  } finally {
    signal.removeEventListener('abort', stop);
    for (const child of children) if (child.exitCode === null) child.kill();
  }
}
