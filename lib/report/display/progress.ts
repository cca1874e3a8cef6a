/**
 * Progress of long work, in the one form that suits where it runs: a bar that updates in place in a notebook, the same
 * in a terminal, and a line now and then where the output is a file.
 */
import { createRequire } from 'node:module';
import { notebook, updatingDisplay } from './hook';
import { ProgressCount } from './progress-count';
import { progressHtml, progressLine, progressLog, type ProgressInfo, type ProgressState } from './progress-text';

export interface ProgressOptions {
  /** Units of work in all. */
  total: number;
  label: string;
  /** What is counted, for instance "steps"; default "steps". */
  unit?: string;
  /** Units that were done before, when work is resumed; they do not count for the rate. */
  initial?: number;
  /** Milliseconds of some clock; default performance.now. For tests. */
  now?: () => number;
  /** Where a terminal's lines go; default stderr, so that what a program prints stays clean. */
  stream?: NodeJS.WriteStream;
}

export interface Progress {
  /** Says how many units are done in all, and values to show beside them. Cheap: may be called on every step. */
  update(done: number, info?: ProgressInfo): void;
  /** All is done. Later calls change nothing. */
  done(info?: ProgressInfo): void;
  /** The work ended early. Shows the error; the caller still throws it. */
  fail(error: unknown): void;
}

/** In a log: a line at every tenth, and at least one in this many milliseconds. */
const logSilence = 30_000;

/** How each kind of output shows a state. `last` is true for the closing one. */
type Renderer = (state: ProgressState, last: boolean) => void;

function notebookRenderer(hook: NonNullable<ReturnType<typeof notebook>>): Renderer {
  const display = updatingDisplay(hook);
  return (state) => display({ 'text/html': progressHtml(state), 'text/plain': progressLine(state) });
}

interface CliProgress {
  SingleBar: new (options: object) => {
    start(total: number, value: number, payload: object): void;
    update(value: number, payload: object): void;
    stop(): void;
    render(force?: boolean): void;
    timer: NodeJS.Timeout | null;
  };
}

function terminalRenderer(stream: NodeJS.WriteStream): Renderer {
  const { SingleBar } = createRequire(__filename)('cli-progress') as CliProgress;
  // The bar's own timer must not keep a program alive that ended without telling it.
  class Bar extends SingleBar {
    override render(force?: boolean): void {
      super.render(force);
      this.timer?.unref();
    }
  }
  const bar = new Bar({
    // The line is ours, so that all outputs agree; cli-progress redraws it in place and handles the cursor.
    format: (_options: object, _params: object, payload: { line: string }) => payload.line,
    stream,
    hideCursor: true,
    // Ctrl-C belongs to the program; our own throttle decides when to draw.
    gracefulExit: false,
    fps: 10,
    noTTYOutput: false,
    linewrap: false,
  });
  let started = false;
  return (state, last) => {
    const payload = { line: progressLine(state) };
    if (started) bar.update(state.done, payload);
    else bar.start(Math.max(1, state.total), state.done, payload);
    started = true;
    if (last) bar.stop();
  };
}

function logRenderer(stream: NodeJS.WriteStream, now: () => number): Renderer {
  let tenth = -1;
  let written = -Infinity;
  return (state, last) => {
    const share = state.total > 0 ? state.done / state.total : 1;
    // The closing line says 100 %, with the time it took.
    const reached = Math.min(9, Math.floor(share * 10));
    if (!last && reached === tenth && now() - written < logSilence) return;
    tenth = reached;
    written = now();
    stream.write(`${progressLog(state)}\n`);
  };
}

/**
 * Starts a progress display and draws it at once.
 * @throws ArgumentError for a total or a count that is not a number of 0 or more
 */
export function progress(options: ProgressOptions): Progress {
  const { total, label, unit = 'steps', initial = 0, now = () => performance.now(), stream = process.stderr } = options;
  const count = new ProgressCount({ total, label, unit, initial, now });
  const { state } = count;
  const hook = notebook();
  const render = hook ? notebookRenderer(hook) : stream.isTTY ? terminalRenderer(stream) : logRenderer(stream, now);
  const finish = (status: 'done' | 'failed') => {
    if (count.finish(status)) render(state, true);
  };
  render(state, false);
  return {
    update(done, info) {
      if (count.update(done, info)) render(state, false);
    },
    done(info) {
      if (info) state.info = { ...info };
      if (state.status === 'running') state.done = Math.max(state.done, total);
      finish('done');
    },
    fail(error) {
      state.error = (error instanceof Error ? error.message : String(error)).split('\n')[0];
      finish('failed');
    },
  };
}
