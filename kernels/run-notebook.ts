/**
 * Runs a notebook without Jupyter: cell by cell on a kernel of its own, output streamed to the terminal, and an
 * executed notebook at the end, also when a cell fails, takes too long or is interrupted.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ArgumentError, CancelledError } from '../lib/errors';
import { type ExecuteReply, KernelClient } from './client';
import { type CellPlace, KernelError, NotebookCellError, NotebookTimeoutError } from './errors';
import { type CodeCell, joined, KERNELSPEC, type Notebook, readNotebook, tagsOf, writeNotebook } from './notebook';
import { OutputCollector } from './outputs';
import { injectParameters, type ParameterValue } from './parameters';
import { TerminalOutput } from './terminal';

/** What `onCell` is told. */
export interface CellEvent {
  phase: 'start' | 'end';
  cell: CellPlace;
  /** Number of code cells that will be run. */
  total: number;
  /** At the end: whether it raised an error. */
  status?: 'ok' | 'error';
  /** At the end: how long it took. */
  milliseconds?: number;
}

export interface RunNotebookOptions {
  /** Where the executed notebook is written; its folder is made. Default: nowhere; it is returned. */
  output?: string;
  /** Longest time for one cell, in milliseconds. Default: no limit. */
  cellTimeoutMs?: number;
  /** Longest time for the kernel to start. Default 180 s. */
  startTimeoutMs?: number;
  /** Environment variables for the kernel, added to this process's. */
  env?: Record<string, string | undefined>;
  /** Values for the cell tagged "parameters". */
  parameters?: Readonly<Record<string, ParameterValue>>;
  /** Receives every message with output, as the Jupyter protocol has it. Default: shown on the terminal. */
  onOutput?: (type: string, content: Record<string, unknown>, cell: CellPlace) => void;
  /** Where output is shown, if there is no `onOutput`. Default: the terminal. */
  out?: { write(text: string): unknown };
  onCell?: (event: CellEvent) => void;
  /** Interrupts the running cell, keeps the outputs so far and rejects with CancelledError. */
  signal?: AbortSignal;
  /** Whether SIGINT (Ctrl-C), SIGTERM and SIGHUP do the same as `signal`. Default true. */
  handleSignals?: boolean;
  /** How the kernel is spoken to. Default: ipc where possible. */
  transport?: 'ipc' | 'tcp';
}

/** What came out of a run. */
export interface NotebookRun {
  notebook: Notebook;
  /** The code cells that were run, in order. */
  cells: { cell: CellPlace; status: 'ok' | 'error'; executionCount: number; milliseconds: number }[];
}

// An interrupted cell gets this long to end before the kernel is killed.
const INTERRUPT_GRACE_MS = 2000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs the notebook at `file`. Stops at the first cell that fails, unless it is tagged "raises-exception". The kernel
 * has ended when this settles.
 *
 * Throws NotebookCellError (a cell failed), NotebookTimeoutError, CancelledError, KernelError (the kernel died),
 * FormatError (a damaged file), ArgumentError (unknown parameters, no folder for the output), MissingPackageError (tslab or zeromq).
 */
export async function runNotebook(file: string, options: RunNotebookOptions = {}): Promise<NotebookRun> {
  const nb = readNotebook(file);
  if (options.output !== undefined) makeFolderFor(options.output);
  injectParameters(nb, options.parameters ?? {}, file);
  for (const cell of nb.cells) {
    if (cell.cell_type !== 'code') continue;
    cell.outputs = [];
    cell.execution_count = null;
  }
  nb.metadata.kernelspec = { ...KERNELSPEC };

  const stop = stopOnSignals(options);
  try {
    const kernel = await KernelClient.start({
      cwd: path.dirname(path.resolve(file)),
      env: options.env,
      startTimeoutMs: options.startTimeoutMs,
      transport: options.transport,
      signal: stop.signal,
    });
    stop.onSecond(() => void kernel.shutdown(0));
    try {
      nb.metadata.language_info = kernel.info.language_info;
      const cells = await runCells(kernel, nb, file, { ...options, signal: stop.signal });
      return { notebook: nb, cells };
    } finally {
      try {
        if (options.output !== undefined) writeNotebook(options.output, nb);
      } finally {
        await kernel.shutdown();
      }
    }
  } finally {
    stop.restore();
  }
}

/** Before any cell runs: a run whose notebook cannot be written would be lost. */
function makeFolderFor(output: string): void {
  try {
    mkdirSync(path.dirname(path.resolve(output)), { recursive: true });
  } catch (cause) {
    throw new ArgumentError(
      'runNotebook',
      `expected an output in a folder that can be made, got ${output} (${(cause as NodeJS.ErrnoException).code})`,
      'give another path for the executed notebook',
      { cause },
    );
  }
}

async function runCells(
  kernel: KernelClient,
  nb: Notebook,
  file: string,
  options: RunNotebookOptions,
): Promise<NotebookRun['cells']> {
  const collector = new OutputCollector();
  const terminal = options.onOutput ? null : new TerminalOutput(options.out, options.out);
  const done: NotebookRun['cells'] = [];
  const toRun = nb.cells
    .map((cell, index) => ({ cell, index }))
    .filter((c): c is { cell: CodeCell; index: number } => c.cell.cell_type === 'code')
    .filter(({ cell }) => joined(cell.source).trim() !== '')
    .map(({ cell, index }, i) => ({
      cell,
      place: { notebook: file, index, number: i + 1, source: joined(cell.source) } satisfies CellPlace,
    }));

  let place = toRun[0]?.place;
  const receive = (type: string, content: Record<string, unknown>): void => {
    collector.add(type, content);
    if (type === 'status' || type === 'execute_input') return;
    if (options.onOutput) options.onOutput(type, content, place);
    else terminal?.write(type, content);
  };
  kernel.onUnclaimed = receive;

  try {
    for (const { cell, place: current } of toRun) {
      place = current;
      options.onCell?.({ phase: 'start', cell: place, total: toRun.length });
      collector.begin(cell);
      const started = performance.now();
      const reply = await runCell(kernel, place, receive, options);
      terminal?.end();
      const milliseconds = performance.now() - started;
      const { status, execution_count: executionCount } = reply;
      done.push({ cell: place, status, executionCount, milliseconds });
      options.onCell?.({ phase: 'end', cell: place, total: toRun.length, status, milliseconds });
      if (status !== 'ok' && !tagsOf(cell).includes('raises-exception')) throw cellError(place, reply);
    }
    if (place) {
      // An exception in a timer or promise that outlived the last cell has no later cell to fail.
      const reply = await runCell(kernel, { ...place, source: '' }, () => undefined, options);
      if (reply.status !== 'ok') {
        const { ename, evalue, traceback } = reply;
        receive('error', { ename, evalue, traceback });
        throw cellError(place, reply);
      }
    }
    return done;
  } finally {
    terminal?.end();
    collector.finish();
  }
}

function cellError(place: CellPlace, reply: ExecuteReply): NotebookCellError {
  return new NotebookCellError(place, reply.ename ?? 'Error', reply.evalue ?? '', reply.traceback ?? []);
}

async function runCell(
  kernel: KernelClient,
  place: CellPlace,
  onMessage: (type: string, content: Record<string, unknown>) => void,
  options: RunNotebookOptions,
): Promise<ExecuteReply> {
  const where = `${place.notebook}, code cell ${place.number}`;
  const { cellTimeoutMs: limit, signal } = options;
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const stopped = new Promise<Error>((stop) => {
    if (limit !== undefined && limit > 0) {
      timer = setTimeout(() => {
        const what = `expected the cell to end within ${limit / 1000} s, got no end`;
        stop(new NotebookTimeoutError(where, limit, what, 'look for what it waits for, or give it more time', place));
      }, limit);
    }
    onAbort = () => stop(cancelled(where, signal));
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort);
  });
  const silent = place.source === '';
  const running = kernel.execute(place.source, { silent, onMessage });
  try {
    const first = await Promise.race([running, stopped]);
    if (!(first instanceof Error)) return first;
    kernel.interrupt();
    const ended = await Promise.race([
      running.then(
        () => true,
        () => true,
      ),
      sleep(INTERRUPT_GRACE_MS, false, { ref: false }),
    ]);
    if (!ended) await kernel.shutdown(0);
    await running.catch(() => undefined);
    throw first;
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    if (signal?.aborted) throw cancelled(where, signal);
    throw new KernelError(where, error.what, 'look at what the cell calls: native code can end the process', {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    if (onAbort) signal?.removeEventListener('abort', onAbort);
  }
}

function cancelled(where: string, signal?: AbortSignal): CancelledError {
  return new CancelledError(where, 'the run was interrupted; outputs so far were kept', 'run the notebook again', {
    cause: signal?.reason,
  });
}

interface Stop {
  signal: AbortSignal;
  onSecond(kill: () => void): void;
  restore(): void;
}

/**
 * Joins the caller's AbortSignal and the process's signals; a second signal of the process kills the kernel at once.
 */
function stopOnSignals(options: RunNotebookOptions): Stop {
  const controller = new AbortController();
  let received: NodeJS.Signals | null = null;
  let kill = (): void => undefined;
  const onSignal = (name: NodeJS.Signals): void => {
    if (received) kill();
    received = name;
    controller.abort(new Error(name));
  };
  const handled = options.handleSignals === false ? [] : SIGNALS;
  for (const name of handled) process.on(name, onSignal);
  const signals = [controller.signal, ...(options.signal ? [options.signal] : [])];
  return {
    signal: AbortSignal.any(signals),
    onSecond: (action) => (kill = action),
    restore() {
      for (const name of handled) process.removeListener(name, onSignal);
      // The caller decides what Ctrl-C means to it; the other two mean the end of the process.
      if (received && received !== 'SIGINT') process.kill(process.pid, received);
    },
  };
}
