/**
 * The thread of the sandbox: runs one program at a time in a QuickJS runtime made for it alone. The engine is
 * WebAssembly, and is given one function of the host, which takes a line of output; there is nothing in it to reach
 * files, the network, other processes or this thread with. Limits on memory and stack are the engine's; time is looked
 * at by the engine's interrupt handler while the program runs, and by the parent thread, which ends this one, where the
 * engine does not ask.
 */
import { parentPort } from 'node:worker_threads';
import { newQuickJSWASMModuleFromVariant, Scope } from 'quickjs-emscripten-core';
import type { QuickJSContext, QuickJSHandle, QuickJSRuntime, QuickJSWASMModule } from 'quickjs-emscripten-core';
import variant from '@jitl/quickjs-singlefile-cjs-release-sync';

export interface Job {
  code: string;
  timeoutMs: number;
  memoryBytes: number;
  stackBytes: number;
  maxOutput: number;
  seed: number;
}

/** Why a program ended without a value. */
export type FailureKind = 'exception' | 'time' | 'memory' | 'stack' | 'output';

export type Outcome =
  { ok: true; value: string | null; output: string } | { ok: false; kind: FailureKind; error: string; output: string };

export type FromWorker = { kind: 'started' } | { kind: 'ended'; outcome: Outcome };

/**
 * Runs inside the engine before the program, which cannot reach what is kept here: `show` puts any value into words; it
 * calls only functions taken before the program could change them, and what it calls of the program's (toJSON, getters)
 * is under the same limits as the program. Makes `console`, and a Math.random that starts from the seed (mulberry32).
 */
const PRELUDE = `((write, seed) => {
  'use strict';
  const text = String, list = Array.isArray, { stringify } = JSON, entries = Array.from, { imul } = Math;
  const E = Error, M = Map, S = Set;
  const plain = (key, v) => typeof v === 'bigint' ? text(v) : v instanceof M || v instanceof S ? entries(v) : v;
  const show = (v) => {
    if (typeof v === 'function') return '[function]';
    if (typeof v !== 'object' || v === null) return text(v);
    if (v instanceof E) return text(v.name) + ': ' + text(v.message);
    try {
      const json = stringify(v, plain);
      if (typeof json === 'string') return json;
    } catch {}
    return '[object]';
  };
  const log = (...args) => {
    let line = '';
    for (let i = 0; i < args.length; i++) line += (i ? ' ' : '') + show(args[i]);
    write(line);
  };
  globalThis.console = { log, info: log, warn: log, error: log, debug: log };
  Math.random = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return show;
})`;

/** Ends the reading of a program whose failure is known. */
class Failed extends Error {
  constructor(
    readonly kind: FailureKind,
    message: string,
  ) {
    super(message);
  }
}

let engine: Promise<QuickJSWASMModule> | undefined;

async function run(job: Job): Promise<Outcome> {
  // One engine for all programs of this thread: a new one each time would be compiled for 40 ms.
  const { memoryBytes: memoryLimitBytes, stackBytes: maxStackSizeBytes } = job;
  const runtime = (await (engine ??= newQuickJSWASMModuleFromVariant(variant))).newRuntime({
    memoryLimitBytes,
    maxStackSizeBytes,
  });
  const context = runtime.newContext();
  parentPort!.postMessage({ kind: 'started' } satisfies FromWorker);
  const handles = new Scope();
  const outcome = execute(job, runtime, context, (handle) => handles.manage(handle));
  // After a limit the parent ends this thread, and with it all that the program holds.
  if (outcome.ok || outcome.kind === 'exception')
    try {
      handles.dispose();
      context.dispose();
      runtime.dispose();
    } catch {
      // The engine does not let go of the program: the next one gets another.
      engine = undefined;
    }
  return outcome;
}

type Keep = (handle: QuickJSHandle) => QuickJSHandle;

/** Runs a program in its context. `keep` notes what has to be given back at the end. */
function execute(job: Job, runtime: QuickJSRuntime, context: QuickJSContext, keep: Keep): Outcome {
  const lines: string[] = [];
  let written = 0;
  let stopped: Failed | undefined;
  const tooMuch = new Failed('output', `more than ${job.maxOutput} characters of output`);
  const end = performance.now() + job.timeoutMs;
  runtime.setInterruptHandler(() => {
    if (!stopped && performance.now() > end)
      stopped = new Failed('time', `the program was stopped after ${job.timeoutMs / 1000} s`);
    return stopped !== undefined;
  });
  const lengthOf = (text: QuickJSHandle): number =>
    context.getProp(text, 'length').consume((n: QuickJSHandle) => context.getNumber(n));
  const write = keep(
    context.newFunction('write', (line) => {
      written += lengthOf(line) + 1;
      if (written > job.maxOutput) stopped ??= tooMuch;
      if (!stopped) lines.push(context.getString(line));
    }),
  );
  const output = (): string => lines.join('\n');
  try {
    const prelude = keep(context.unwrapResult(context.evalCode(PRELUDE, 'prelude.js')));
    const seed = keep(context.newNumber(job.seed | 0));
    const show = keep(context.unwrapResult(context.callFunction(prelude, context.undefined, write, seed)));
    const checked: Check = (result) => {
      const handle = keep((result.error ?? result.value)!);
      if (stopped) throw stopped;
      if (result.error) throw failureOf(context, show, handle, keep, () => stopped);
      return handle;
    };
    const value = checked(context.evalCode(job.code, 'program.js', { strict: true }));
    const settled = settle(context, runtime, value, checked);
    if (context.typeof(settled) === 'undefined') return { ok: true, value: null, output: output() };
    const shown = checked(context.callFunction(show, context.undefined, settled));
    if (written + lengthOf(shown) > job.maxOutput) throw tooMuch;
    return { ok: true, value: context.getString(shown), output: output() };
  } catch (error) {
    if (error instanceof Failed) return { ok: false, kind: error.kind, error: error.message, output: output() };
    // The stack of this thread, or the engine itself, gave way.
    const message = (error as Error).message;
    const kind = /call stack/.test(message) ? 'stack' : 'memory';
    return { ok: false, kind, error: kind === 'stack' ? 'the program nests too deeply' : message, output: output() };
  }
}

/** The value of a result; throws Failed for an error, or where the program was stopped. */
type Check = (result: { value?: QuickJSHandle; error?: QuickJSHandle }) => QuickJSHandle;

/** Runs what the program has put off, and waits for a promise that it ended with. */
function settle(context: QuickJSContext, runtime: QuickJSRuntime, value: QuickJSHandle, checked: Check): QuickJSHandle {
  while (runtime.hasPendingJob()) {
    const { error } = runtime.executePendingJobs(100);
    checked(error ? { error } : { value: context.undefined });
  }
  const state = context.getPromiseState(value);
  if (state.type === 'pending') throw new Failed('exception', 'the promise is never settled');
  return checked(state.type === 'fulfilled' ? { value: state.value } : { error: state.error });
}

/** The failure that an error of the engine stands for. */
function failureOf(
  context: QuickJSContext,
  show: QuickJSHandle,
  error: QuickJSHandle,
  keep: Keep,
  stopped: () => Failed | undefined,
): Failed {
  const shown = context.callFunction(show, context.undefined, error);
  keep(shown.error ?? shown.value);
  const ended = stopped();
  if (ended) return ended;
  if (shown.error) return new Failed('exception', 'the program threw what cannot be shown');
  const text = context.getString(shown.value);
  if (text === 'InternalError: out of memory') return new Failed('memory', 'the program needs too much memory');
  if (/^(InternalError|SyntaxError): stack overflow$/.test(text))
    return new Failed('stack', 'the program nests too deeply');
  return new Failed('exception', text.length > 300 ? `${text.slice(0, 300)}...` : text);
}

parentPort!.on('message', (job: Job) => {
  void run(job)
    .catch((error: Error): Outcome => ({ ok: false, kind: 'memory', error: error.message, output: '' }))
    .then((outcome) => parentPort!.postMessage({ kind: 'ended', outcome } satisfies FromWorker));
});
