/**
 * metrics.jsonl: one line for each logged step. A killed run's log is cut back to its checkpoint, so that no step is
 * lost or repeated.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { ArgumentError, FormatError } from '../errors';
import { decodeNumbers, encodeNumbers } from './manifest';

/** One logged step. */
export type LogRow = { step: number } & Record<string, number | string | boolean | null>;

/** The log of one run, open for writing. */
export class MetricsLog {
  private last = -Infinity;

  constructor(readonly file: string) {}

  /**
   * Appends a line. Steps may not go backwards, nor be at or before a checkpoint (that line would be lost on resume).
   */
  append(step: number, metrics: Record<string, unknown>): void {
    if (!Number.isSafeInteger(step) || step < this.last || 'step' in metrics)
      throw new ArgumentError(
        'ctx.log',
        'step' in metrics
          ? 'a metric is called "step"'
          : `expected a whole step of at least ${Math.max(0, this.last)}, got ${step}`,
        'log each step before saving its checkpoint, in rising order',
      );
    this.last = step;
    fs.appendFileSync(this.file, JSON.stringify({ step, ...encodeNumbers(metrics) }) + '\n');
  }

  /**
   * Flushes to the disk and closes the steps up to `step`: later lines must have larger steps. Returns the size and
   * hash so far, which a checkpoint remembers.
   */
  seal(step: number): { bytes: number; sha256: string } {
    this.last = Math.max(this.last, step + 1);
    const descriptor = fs.openSync(this.file, 'a');
    fs.fsyncSync(descriptor);
    fs.closeSync(descriptor);
    return this.describe(Infinity);
  }

  private describe(bytes: number): { bytes: number; sha256: string } {
    const content = fs.existsSync(this.file) ? fs.readFileSync(this.file).subarray(0, bytes) : Buffer.alloc(0);
    return { bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
  }

  /** True if the file still begins with what `seal` described. */
  matches(sealed: { bytes: number; sha256: string }): boolean {
    return this.describe(sealed.bytes).sha256 === sealed.sha256;
  }

  /** Forgets what was written after the first `bytes` (after a checkpoint of `step`). */
  truncate(bytes: number, step: number): void {
    fs.closeSync(fs.openSync(this.file, 'a'));
    fs.truncateSync(this.file, bytes);
    this.last = step + 1;
  }
}

/** Reads a log. A torn last line (of a run at work) is left out. Throws FormatError naming a damaged line. */
export function readLog(file: string): LogRow[] {
  if (!fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  return lines.slice(0, -1).map((line, i) => {
    try {
      return decodeNumbers(JSON.parse(line) as Record<string, number | string | boolean | null>) as LogRow;
    } catch (error) {
      throw new FormatError(`${file}: line ${i + 1}`, `expected JSON, got ${(error as Error).message}`, 'run it again');
    }
  });
}
