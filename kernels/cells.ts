/**
 * Runs cells one after another on tslab's executor, and turns everything that can go wrong in one into a failure of
 * that cell: thrown values, type errors, rejections that nobody handles, exceptions in timers, process.exit,
 * interrupts.
 */
import { inspect } from 'node:util';
import type { Executor } from 'tslab/dist/executor';
import { CancelledError, OmniError } from '../lib/errors';
import { cancellable } from '../lib/runtime/cancel';
import { type CellFailure, type TypeMessage, describeThrown, describeTypes, INTERRUPTED } from './failure';
import { interruptibleConverter, makeLook } from './loops';
import { mendingConverter } from './mend';
import type { Tslab } from './packages';

/** What a cell's trailing expression showed: representations by MIME type. */
export type MimeBundle = Record<string, unknown>;

/** process.exit was called in a cell. */
export class ExitInCellError extends OmniError {}

/** The longest text that a trailing expression may print; more is cut. */
const RESULT_LIMIT = 20_000;

interface Running {
  code: string;
  failure?: CellFailure;
  typeMessages: TypeMessage[];
  results: unknown[];
  abort: AbortController;
}

/** The text of a trailing expression: as deep as it stays under RESULT_LIMIT characters, and cut there. */
function resultText(value: unknown): string {
  let text = '';
  for (const depth of [3, 1, 0]) {
    text = inspect(value, { depth, maxArrayLength: 100, maxStringLength: RESULT_LIMIT, breakLength: 100 });
    if (text.length <= RESULT_LIMIT) return text;
  }
  const rest = text.length - RESULT_LIMIT;
  return `${text.slice(0, RESULT_LIMIT)}\n... (${rest} more characters: assign the value to a variable and print a part)`;
}

// Objects may bring their own representation, by the convention of other JavaScript notebooks.
async function resultBundle(value: unknown): Promise<MimeBundle> {
  const show = (value as Record<symbol, unknown> | null)?.[Symbol.for('Jupyter.display')];
  if (typeof show === 'function') return (await (show as () => unknown).call(value)) as MimeBundle;
  return { 'text/plain': resultText(value) };
}

/** The cells of one kernel. `run` must not be called again before it has settled. */
export class CellRunner {
  #executor: Executor;
  #running: Running | null = null;
  #late: CellFailure | null = null;
  #lastSignal = new AbortController().signal;
  /** The number of cells that were run. */
  count = 0;

  constructor(
    tslab: Tslab,
    project: string,
    /** Shared with the control thread, which sets it to 1 to interrupt. */
    private readonly interrupted: Int32Array,
  ) {
    const look = makeLook(interrupted);
    const mended = mendingConverter(tslab.ts, tslab.createConverter());
    const converter = interruptibleConverter(tslab.ts, mended, look);
    // A cell marked @browser is checked as Node code: the kernel has no browser.
    const converters = { node: converter, browser: converter, close: () => converter.close() };
    this.#executor = tslab.createExecutor(project, converters, {
      log: (value: unknown) => this.#running?.results.push(value),
      error: (...args: unknown[]) => this.#recordError(args),
    });
    const shared = globalThis as unknown as { __tslab__: { look?: () => void } };
    shared.__tslab__.look = look;
  }

  /** Whether a cell is running. */
  get running(): boolean {
    return this.#running !== null;
  }

  /** Aborted when the running cell is interrupted or fails. */
  get signal(): AbortSignal {
    return this.#running?.abort.signal ?? this.#lastSignal;
  }

  /** Runs a cell. Resolves to its failure or to what its trailing expression showed; never rejects. */
  async run(code: string, countIt = true): Promise<{ failure?: CellFailure; result?: MimeBundle }> {
    if (countIt) this.count++;
    if (this.#late) {
      const { ename, evalue, traceback } = this.#late;
      this.#late = null;
      const what =
        code.trim() === '' ? 'after its cell had ended' : 'after an earlier cell had ended; this cell was not run';
      const said = `raised ${what}: ${evalue}`;
      return { failure: { ename, evalue: said, traceback: [`${ename}: ${said}`, ...traceback] } };
    }
    const running: Running = { code, typeMessages: [], results: [], abort: new AbortController() };
    this.#running = running;
    Atomics.store(this.interrupted, 0, 0);
    let result: MimeBundle | undefined;
    try {
      // Compiled steps stop at their next call once the signal is aborted.
      const ok = await cancellable(running.abort.signal, () => this.#executor.execute(code));
      // Node reports rejections that nobody handled after the microtasks of a turn: wait for that.
      await new Promise((done) => setImmediate(done));
      if (!ok && running.typeMessages.length > 0) running.failure ??= describeTypes(running.typeMessages, code);
      if (!ok) running.failure ??= describeThrown(new Error('the cell failed without a message'));
      if (!running.failure && running.results.length > 0) result = await resultBundle(running.results[0]);
    } catch (thrown) {
      running.failure ??= describeThrown(thrown);
    } finally {
      this.#running = null;
      this.#lastSignal = running.abort.signal;
    }
    if (running.failure) this.#abort(running);
    return running.failure ? { failure: running.failure } : { result };
  }

  /** An exception or rejection outside every cell's own code: fails the running cell, or else the next one. */
  fail(thrown: unknown): CellFailure {
    const failure = describeThrown(thrown);
    if (this.#running) {
      this.#running.failure ??= failure;
      this.#executor.interrupt();
    } else {
      this.#late ??= failure;
    }
    return failure;
  }

  /** Ends the running cell's wait; its code may go on in the background unless it heeds `signal`. */
  interrupt(): void {
    const running = this.#running;
    if (!running) return;
    running.failure ??= INTERRUPTED;
    this.#abort(running);
    this.#executor.interrupt();
  }

  /** process.exit for cells: throws, and fails the cell even where the exception is swallowed. */
  exit(code: unknown): never {
    const error = new ExitInCellError(
      'process.exit',
      `expected a cell to end by itself, got process.exit(${typeof code === 'number' ? code : ''})`,
      'throw an error to stop the notebook here, or end the cell with a return from its function',
    );
    this.fail(error);
    throw error;
  }

  inspect(code: string, at: number): ReturnType<Executor['inspect']> {
    return this.#executor.inspect(code, at);
  }

  complete(code: string, at: number): ReturnType<Executor['complete']> {
    return this.#executor.complete(code, at);
  }

  #abort(running: Running): void {
    const failure = running.failure;
    if (running.abort.signal.aborted) return;
    running.abort.abort(
      new CancelledError('cell', failure?.evalue ?? 'the cell ended', 'run the cell again when it should go on'),
    );
  }

  // tslab's executor has one channel for errors: console.error(format, file, line, column, text) for a message of the
  // type checker, console.error(value) for a thrown value.
  #recordError(args: unknown[]): void {
    const running = this.#running;
    if (!running) return;
    if (args.length === 5) {
      const [, file, line, column, text] = args as [string, string, number, number, string];
      running.typeMessages.push({ file, line, column, text });
    } else {
      running.failure ??= describeThrown(args[0]);
    }
  }
}
