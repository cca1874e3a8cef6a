/**
 * The file of predictions: one line a row, written by one process only, in the released format
 * {index, source, dataset, local_index, raw, prediction}. What a killed run has left in it is read back, so that the next
 * run adds what is missing and writes no row twice; a line that was cut off is taken away first.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { z } from 'zod';
import { FormatError } from '../../errors';
import { writeFileAtomic } from '../../io/atomic';
import type { RowHead } from './rows';

export interface Prediction extends RowHead {
  prediction: string;
}

const schema = z.object({
  index: z.number().int(),
  source: z.string().nullable().default(''),
  dataset: z.string().nullable().default(''),
  local_index: z.number().int().nullable().default(0),
  raw: z.record(z.string(), z.unknown()).nullable().default({}),
  prediction: z.string(),
});

/** What tells rows apart: their place, not their index, which other options may move. */
export const rowKey = ({ source, local_index }: Pick<RowHead, 'source' | 'local_index'>): string =>
  `${source}\n${local_index}`;

/** The prediction of a row that failed. */
export const errorPrediction = (error: Error): string =>
  `<ERROR: ${error.name}: ${error.message.split('\nhelp: ')[0]}>`;
export const isError = (prediction: string): boolean => /^<ERROR: [^]*>$/.test(prediction);

/** Python's NaN and Infinity outside of texts as null. */
function withoutNaN(line: string): string {
  let out = '';
  let at = 0;
  for (;;) {
    const open = line.indexOf('"', at);
    out += line.slice(at, open < 0 ? undefined : open).replace(/-?Infinity|NaN/g, 'null');
    if (open < 0) return out;
    let close = open + 1;
    while (close < line.length && line[close] !== '"') close += line[close] === '\\' ? 2 : 1;
    out += line.slice(open, close + 1);
    at = close + 1;
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return JSON.parse(withoutNaN(line));
  }
}

/** The records of a text, and the numbers of lines that are none. Python's NaN and Infinity are read as null. */
function parse(text: string): { records: Prediction[]; bad: number[] } {
  const records: Prediction[] = [];
  const bad: number[] = [];
  text.split('\n').forEach((line, i) => {
    if (!line.trim()) return;
    try {
      records.push(schema.parse(parseLine(line)) as Prediction);
    } catch {
      bad.push(i + 1);
    }
  });
  return { records, bad };
}

/**
 * All predictions of a file; of a row that stands there more than once the last. `bad`: numbers of lines that cannot be
 * read.
 * @throws FormatError if there is no such file
 */
export function readPredictions(file: string): { records: Prediction[]; bad: number[]; duplicates: number } {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new FormatError(file, `expected a file of predictions, got: ${(error as Error).message}`, 'omnilab omni-bench makes it', { cause: error }); // prettier-ignore
  }
  const { records, bad } = parse(text);
  const last = new Map(records.map((record) => [rowKey(record), record]));
  return { records: [...last.values()], bad, duplicates: records.length - last.size };
}

/** The file, open for adding. */
export class ResultsFile {
  private readonly descriptor: number;
  private written = 0;
  private flushes = 0;

  private constructor(
    file: string,
    /** Rows that need not be done again. */
    readonly done: ReadonlySet<string>,
    private readonly flushEvery: number,
    private readonly fsyncEvery: number,
  ) {
    this.descriptor = fs.openSync(file, 'a');
  }

  /**
   * Opens the file, made where it is missing. Lines that are cut off or damaged go, doubled rows too, and with
   * `retryErrors` the rows that failed. As released: `fsyncEvery` counts flushes, 0 means at the end.
   */
  static async open(
    file: string,
    {
      retryErrors = false,
      flushEvery = 1,
      fsyncEvery = 0,
    }: { retryErrors?: boolean; flushEvery?: number; fsyncEvery?: number } = {},
  ): Promise<ResultsFile> {
    await fs.promises.mkdir(path.dirname(file), { recursive: true });
    const done = new Set<string>();
    if (fs.existsSync(file)) {
      const text = await fs.promises.readFile(file, 'utf8');
      const { records } = parse(text);
      const kept = new Map<string, Prediction>();
      for (const record of records)
        if (!(retryErrors && isError(record.prediction)) && !kept.has(rowKey(record))) kept.set(rowKey(record), record);
      const clean = [...kept.values()].map((record) => `${JSON.stringify(record)}\n`).join('');
      // Untouched where nothing was wrong, whoever wrote it.
      if (kept.size !== text.split('\n').filter((line) => line.trim()).length || (text && !text.endsWith('\n')))
        await writeFileAtomic(file, clean);
      for (const key of kept.keys()) done.add(key);
    }
    return new ResultsFile(file, done, Math.max(1, flushEvery), fsyncEvery);
  }

  private pending = '';

  add({ index, source, dataset, local_index, raw, prediction }: Prediction): void {
    this.pending += `${JSON.stringify({ index, source, dataset, local_index, raw, prediction })}\n`;
    if (++this.written % this.flushEvery) return;
    this.flush();
    if (this.fsyncEvery > 0 && ++this.flushes % this.fsyncEvery === 0) fs.fsyncSync(this.descriptor);
  }

  private flush(): void {
    const bytes = Buffer.from(this.pending);
    this.pending = '';
    for (let at = 0; at < bytes.length;) at += fs.writeSync(this.descriptor, bytes, at);
  }

  close(): number {
    this.flush();
    fs.fsyncSync(this.descriptor);
    fs.closeSync(this.descriptor);
    return this.written;
  }
}
