/**
 * Where displays go: to the notebook whose kernel runs this code, or else to the terminal as plain text. The kernel
 * announces itself by an object on globalThis, so that this package needs nothing of a kernel to be imported.
 */
import { randomUUID } from 'node:crypto';

/** One output in several representations by MIME type; text/plain is what a terminal prints. */
export type Bundle = Record<string, unknown> & { 'text/plain': string };

/** What the kernel offers under globalThis[Symbol.for('omnilab.notebook')]. */
export interface NotebookHook {
  display(
    data: Record<string, unknown>,
    options?: { displayId?: string; update?: boolean; metadata?: Record<string, unknown> },
  ): void;
}

/** The notebook that runs this code, or undefined in a terminal. */
export function notebook(): NotebookHook | undefined {
  return (globalThis as Record<symbol, unknown>)[Symbol.for('omnilab.notebook')] as NotebookHook | undefined;
}

/** Shows a bundle: richly in a notebook, as its text in a terminal. */
export function show(bundle: Bundle, metadata?: Record<string, unknown>): void {
  const hook = notebook();
  if (hook) hook.display(bundle, metadata ? { metadata } : undefined);
  else process.stdout.write(bundle['text/plain'].replace(/\n?$/, '\n'));
}

/** An output of a notebook that changes in place: the first call makes it, later ones replace it. */
export function updatingDisplay(hook: NotebookHook): (bundle: Record<string, unknown>) => void {
  const displayId = randomUUID();
  let shown = false;
  return (bundle) => {
    hook.display(bundle, { displayId, update: shown });
    shown = true;
  };
}
