/**
 * What a failed cell says: a name, a message and a trace, as the `error` message of the Jupyter protocol wants them.
 * Frames of the kernel's own machinery are left out of the trace.
 */
import path from 'node:path';
import { inspect } from 'node:util';

/** Why a cell failed. */
export interface CellFailure {
  ename: string;
  evalue: string;
  traceback: string[];
}

/** A message of the type checker; line and column count from 1. */
export interface TypeMessage {
  file: string;
  line: number;
  column: number;
  text: string;
}

/** The failure of a cell that was interrupted. */
export const INTERRUPTED: CellFailure = {
  ename: 'Interrupted',
  evalue: 'the cell was interrupted',
  traceback: ['Interrupted: the cell was interrupted'],
};

/** The failure of a cell that waited behind one that failed. */
export const ABORTED: CellFailure = {
  ename: 'Aborted',
  evalue: 'not run, because an earlier cell failed',
  traceback: ['Aborted: not run, because an earlier cell failed'],
};

const MACHINERY = /\((?:node:|internal\/)|at (?:node:|internal\/)|[\\/]tslab[\\/]dist[\\/]|[\\/]dist[\\/]kernels[\\/]/;

/** The failure that stands for a thrown value. */
export function describeThrown(thrown: unknown): CellFailure {
  const code = (thrown as { code?: unknown } | null)?.code;
  if (code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED') return INTERRUPTED;
  if (!isError(thrown)) {
    const evalue = typeof thrown === 'string' ? thrown : inspect(thrown, { depth: 2, breakLength: 120 });
    return { ename: 'Thrown', evalue, traceback: [`Thrown: ${evalue}`] };
  }
  return { ename: thrown.name || 'Error', evalue: thrown.message, traceback: trace(thrown, 0) };
}

const DEEPEST_CAUSE = 5;

function trace(error: Error, depth: number): string[] {
  // Node puts place, source line and arrow in front of the stack of an error thrown in a script, and an empty line.
  const stack = (error.stack ?? '').replace(/^evalmachine\.<anonymous>:\d+\n[^\n]*\n\s*\^+\s*\n\n?/, '');
  let lines = stack.split('\n');
  // Cells are compiled as unnamed scripts; what called the cell is the kernel.
  const outermost = lines.findLastIndex((line) => line.includes('evalmachine.<anonymous>'));
  if (outermost >= 0) lines = lines.slice(0, outermost + 1);
  const folder = process.cwd() + path.sep;
  lines = lines
    .filter((line) => !(/^\s+at /.test(line) && MACHINERY.test(line)))
    .map((line) => line.replaceAll('evalmachine.<anonymous>', 'cell').replaceAll(folder, ''));
  if (depth === DEEPEST_CAUSE) return lines;
  const causes = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  for (const cause of [...causes, error.cause]) {
    if (isError(cause)) lines.push(...trace(cause, depth + 1).map((line, i) => (i === 0 ? `caused by ${line}` : line)));
  }
  return lines;
}

// Not instanceof: the value may come from another realm.
function isError(value: unknown): value is Error {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Error).message === 'string' &&
    typeof (value as Error).stack === 'string'
  );
}

/** The failure of a cell that the type checker refused, each message with the line it is about. */
export function describeTypes(messages: readonly TypeMessage[], code: string): CellFailure {
  const source = code.split('\n');
  const traceback: string[] = [];
  for (const { file, line, column, text } of messages) {
    traceback.push(`${file}${line}:${column} - ${text}`);
    const shown = file === '' ? source[line - 1] : undefined;
    if (shown === undefined) continue;
    const number = String(line);
    traceback.push(`  ${number} | ${shown}`, `  ${' '.repeat(number.length)} | ${' '.repeat(column - 1)}^`);
  }
  const first = messages[0];
  return { ename: 'TypeScriptError', evalue: `${first.file}${first.line}:${first.column} - ${first.text}`, traceback };
}
