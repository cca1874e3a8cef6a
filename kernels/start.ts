/**
 * The launcher named in kernel.json: node dist/kernels/start.js <connection file>
 * Starts the project's own tslab as a Jupyter kernel, with the project's root as working directory.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { OmniError } from '../lib/errors';
import { CellRunner } from './cells';
import type { ControlData } from './control';
import { loadTslab, loadZeroMQ } from './packages';
import { packageRoot, projectRoot } from './roots';
import { provideSelf } from './self-reference';
import { type DisplayOptions, KernelServer } from './server';
import type { ConnectionInfo } from './wire';

/** Environment variable by which a client names its own process id: the kernel ends when that process does. */
const CLIENT_PID = 'OMNILAB_CLIENT_PID';

/**
 * What cells and libraries find under globalThis[Symbol.for('omnilab.notebook')] when they run in this kernel.
 * `signal` is aborted when the running cell is interrupted or fails.
 */
export interface NotebookContract {
  display(data: Record<string, unknown>, options?: DisplayOptions): void;
  readonly signal: AbortSignal;
}

async function main(connectionFile: string | undefined): Promise<void> {
  if (connectionFile === undefined) {
    throw new OmniError(
      'kernel',
      'expected the path of a connection file as the only argument, got none',
      'let Jupyter start the kernel: make notebook',
    );
  }
  const file = path.resolve(connectionFile);
  const connection = JSON.parse(readFileSync(file, 'utf8')) as ConnectionInfo;
  const pkg = packageRoot();
  const project = projectRoot(process.cwd(), pkg);
  process.chdir(project);

  const client = process.env[CLIENT_PID];
  delete process.env[CLIENT_PID];
  // The headless client keeps the connection file in a temporary folder of its own.
  const folder = client === undefined ? null : path.dirname(file);
  const parent = Number(client ?? process.ppid);
  const interrupted = new Int32Array(new SharedArrayBuffer(4));
  const workerData: ControlData = { connection, project, parent, folder, interrupted };
  const control = new Worker(path.join(__dirname, 'control.js'), { workerData });
  control.unref();

  const tslab = loadTslab(project);
  provideSelf(tslab.ts, pkg, project);
  const { version } = JSON.parse(readFileSync(path.join(pkg, 'package.json'), 'utf8')) as { version: string };
  const cells = new CellRunner(tslab, project, interrupted);

  const exit = process.exit.bind(process);
  const end = (code: number): void => {
    server.close();
    control.postMessage('close');
    // Workers and timers of cells must not keep the kernel alive; the last messages get a moment to leave.
    setTimeout(() => exit(code), 50);
  };
  const replies = { send: (frames: (Buffer | string)[]) => control.postMessage(frames) };
  const zmq = loadZeroMQ(project);
  const server = new KernelServer(zmq, connection, cells, tslab, version, replies, () => end(0));
  server.captureStreams();

  const fail = (thrown: unknown): void => {
    const running = cells.running;
    const failure = cells.fail(thrown);
    if (!running) server.reportLate(failure);
  };
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  process.on('SIGINT', () => server.interrupt());
  process.on('SIGTERM', () => end(143));
  process.exit = (code?: unknown) => cells.exit(code);

  const contract: NotebookContract = {
    display: (data, options) => server.display(data, options),
    get signal() {
      return cells.signal;
    },
  };
  Object.defineProperty(globalThis, Symbol.for('omnilab.notebook'), { value: contract, configurable: true });
  tslab.jupyter.lastWriteDisplayData = (data, update) => {
    const {
      data: bundle,
      metadata,
      transient,
    } = data as {
      data: Record<string, unknown>;
      metadata?: Record<string, unknown>;
      transient?: { display_id?: string };
    };
    server.display(bundle, { displayId: transient?.display_id, update, metadata });
  };
  control.on('message', (frames: Uint8Array[]) => server.receive(replies, frames.map(asBuffer)));
  await server.start();
}

// Buffers arrive from another thread as plain byte arrays.
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

main(process.argv[2]).catch((error: unknown) => {
  process.stderr.write(
    `${error instanceof OmniError ? `${error.name}: ${error.message}` : String((error as Error)?.stack ?? error)}\n`,
  );
  process.reallyExit(1);
});

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace
  namespace NodeJS {
    interface Process {
      /** The exit that process.exit ends in; cells have process.exit replaced. */
      reallyExit(code: number): never;
    }
  }
}
