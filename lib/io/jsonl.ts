/**
 * JSON Lines with a schema: one record a line, each checked when written and when read. A bad line is named with its
 * number and the path of the field.
 */
import { createReadStream, statSync } from 'node:fs';
import type { z } from 'zod';
import { FormatError } from '../errors';
import { writeAtomic } from './atomic';

/** "expected ..., at conversations[0].from" for the first thing that is wrong. */
function explain(error: z.ZodError): string {
  const [issue] = error.issues;
  const field = issue.path.map((p) => (typeof p === 'number' ? `[${p}]` : `.${String(p)}`)).join('');
  return `${issue.message} at ${field.replace(/^\./, '') || 'the top level'}`;
}

function check<T>(where: string, schema: z.ZodType<T>, value: unknown, help: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new FormatError(where, `expected a record of the schema, got one with: ${explain(result.error)}`, help);
}

/**
 * Writes records, one a line, to a temporary file that then takes the place of `file`; an error leaves the old file as
 * it was. Returns the number of records.
 * @throws FormatError for a record that does not fit the schema (with its number, from 1)
 */
export async function writeJsonl<T>(
  file: string,
  schema: z.ZodType<T>,
  records: Iterable<T> | AsyncIterable<T>,
): Promise<number> {
  let count = 0;
  await writeAtomic(file, async (handle) => {
    let pending = '';
    for await (const record of records) {
      count++;
      const checked = check(`${file}, record ${count}`, schema, record, 'mend what makes the records');
      pending += `${JSON.stringify(checked)}\n`;
      if (pending.length > 1 << 20) {
        await handle.write(pending);
        pending = '';
      }
    }
    if (pending) await handle.write(pending);
  });
  return count;
}

/** Lines of a stream of bytes, without their ends; the last one says whether it had one. */
async function* linesOf(input: AsyncIterable<Buffer>): AsyncGenerator<{ bytes: Buffer; ended: boolean }> {
  let pending: Buffer[] = [];
  for await (const chunk of input) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; start = end + 1, end = chunk.indexOf(10, start)) {
      yield { bytes: Buffer.concat([...pending, chunk.subarray(start, end)]), ended: true };
      pending = [];
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
  }
  if (pending.length) yield { bytes: Buffer.concat(pending), ended: false };
}

/**
 * Reads records one by one, so that a file may be larger than memory.
 * @throws FormatError for a line that is not JSON or not of the schema (`<file>:<line>`), for bytes that are not
 *   UTF-8, and for a file whose last line was cut off
 */
export async function* readJsonl<T>(file: string, schema: z.ZodType<T>): AsyncGenerator<T> {
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory())
    throw new FormatError(file, 'expected a file, got a folder', 'name the file in it');
  const input = createReadStream(file);
  const opened = new Promise<void>((resolve, reject) => input.once('open', () => resolve()).once('error', reject));
  try {
    await opened;
  } catch (error) {
    throw new FormatError(
      file,
      `expected a readable file, got: ${error instanceof Error ? error.message : String(error)}`,
      'check the path, or make the data first',
      { cause: error },
    );
  }
  let line = 0;
  const help = 'the file was changed or damaged after it was written; make it again';
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  for await (const { bytes, ended } of linesOf(input as AsyncIterable<Buffer>)) {
    const where = `${file}:${++line}`;
    let text: string;
    try {
      text = utf8.decode(bytes);
    } catch (error) {
      throw new FormatError(where, 'expected UTF-8, got bytes that are not', help, { cause: error });
    }
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw new FormatError(where, `expected a JSON value, got ${JSON.stringify(text.slice(0, 60))}`, help, {
        cause: error,
      });
    }
    const record = check(where, schema, value, help);
    if (!ended) throw new FormatError(where, 'expected a line end, got the end of the file', help);
    yield record;
  }
}

/** All records of a file; see readJsonl. */
export async function readAllJsonl<T>(file: string, schema: z.ZodType<T>): Promise<T[]> {
  const records: T[] = [];
  for await (const record of readJsonl(file, schema)) records.push(record);
  return records;
}
