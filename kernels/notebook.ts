/**
 * Notebook files: nbformat 4 read, checked and written as 4.5.
 * The format: https://nbformat.readthedocs.io/en/latest/format_description.html
 */
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { FormatError } from '../lib/errors';

const text = z.union([z.string(), z.array(z.string())]);
const bundle = z.record(z.string(), z.unknown());
const metadata = z.record(z.string(), z.unknown());

const output = z.discriminatedUnion('output_type', [
  z.strictObject({ output_type: z.literal('stream'), name: z.string(), text }),
  z.strictObject({ output_type: z.literal('display_data'), data: bundle, metadata }),
  z.strictObject({
    output_type: z.literal('execute_result'),
    execution_count: z.int().min(0).nullable(),
    data: bundle,
    metadata,
  }),
  z.strictObject({
    output_type: z.literal('error'),
    ename: z.string(),
    evalue: z.string(),
    traceback: z.array(z.string()),
  }),
]);

const cellFields = {
  id: z
    .string()
    .regex(/^[a-zA-Z0-9_-]{1,64}$/, 'expected 1 to 64 letters, digits, "-" or "_"')
    .optional(),
  metadata: metadata.refine((m) => m.tags === undefined || z.array(z.string()).safeParse(m.tags).success, {
    message: 'expected tags to be an array of strings',
    path: ['tags'],
  }),
  source: text,
};
const attachments = z.record(z.string(), bundle).optional();

const cell = z.discriminatedUnion('cell_type', [
  z.strictObject({
    ...cellFields,
    cell_type: z.literal('code'),
    execution_count: z.int().min(0).nullable(),
    outputs: z.array(output),
  }),
  z.strictObject({ ...cellFields, cell_type: z.literal('markdown'), attachments }),
  z.strictObject({ ...cellFields, cell_type: z.literal('raw'), attachments }),
]);

const notebook = z.strictObject({
  metadata,
  nbformat: z.literal(4),
  nbformat_minor: z.int().min(0),
  cells: z.array(cell),
});

/** An output of a code cell. */
export type Output = z.infer<typeof output>;
/** A cell. */
export type Cell = z.infer<typeof cell>;
/** A code cell. */
export type CodeCell = Extract<Cell, { cell_type: 'code' }>;
/** A notebook of format 4. */
export type Notebook = z.infer<typeof notebook>;

/** Metadata that says which kernel runs the notebook. */
export const KERNELSPEC = { name: 'omnilab', display_name: 'OmniLab (TypeScript)', language: 'typescript' } as const;

/** A multi-line text of the format as one string. */
export function joined(value: string | string[]): string {
  return Array.isArray(value) ? value.join('') : value;
}

/** The tags of a cell. */
export function tagsOf(c: Cell): readonly string[] {
  return (c.metadata.tags as string[] | undefined) ?? [];
}

/**
 * Checks that `value` is a notebook of format 4 and returns it as one of 4.5: cells without an id, as older versions
 * have them, get one that depends only on their place and source. Throws FormatError naming the field that is wrong.
 */
export function validateNotebook(value: unknown, where = 'notebook'): Notebook {
  const version = (value as { nbformat?: unknown } | null)?.nbformat;
  if (typeof version === 'number' && version !== 4) {
    throw new FormatError(
      where,
      `expected notebook format 4, got ${version}`,
      'open it in Jupyter and save it, which converts it',
    );
  }
  const parsed = notebook.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const at = issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
    throw new FormatError(
      where,
      `expected a notebook of format 4, got a wrong field ${at.replace(/^\./, '') || '(the whole file)'}: ${issue.message}`,
      'open it in Jupyter and save it, or restore the file',
    );
  }
  const nb = parsed.data;
  const seen = new Set<string>();
  for (const [i, c] of nb.cells.entries()) {
    if (c.id !== undefined && seen.has(c.id)) {
      throw new FormatError(
        where,
        `expected cell ids to differ, got "${c.id}" twice (again at cells[${i}])`,
        'delete one of the two ids: a new one is made',
      );
    }
    if (c.id !== undefined) seen.add(c.id);
  }
  for (const [i, c] of nb.cells.entries()) {
    for (let n = 0; c.id === undefined; n++) {
      const id = createHash('sha256')
        .update(JSON.stringify([i, n, c.source]))
        .digest('hex')
        .slice(0, 8);
      if (!seen.has(id)) seen.add((c.id = id));
    }
  }
  nb.nbformat_minor = Math.max(5, nb.nbformat_minor);
  return nb;
}

/** Reads a notebook file. Throws FormatError when it cannot be read or is damaged. */
export function readNotebook(file: string): Notebook {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new FormatError(file, `expected a notebook that can be read, got ${why}`, 'check the path', { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (cause) {
    throw new FormatError(
      file,
      `expected JSON, got ${content.trim() === '' ? 'an empty file' : (cause as Error).message}`,
      'restore the file: it was probably cut while it was written',
      { cause },
    );
  }
  return validateNotebook(value, file);
}

/** The text of a notebook file, laid out as Jupyter lays it out: sorted keys, one line of text an array entry. */
export function formatNotebook(nb: Notebook): string {
  const cells = nb.cells.map((c) => {
    const written = { ...c, source: lines(c.source) };
    if (written.cell_type === 'code') written.outputs = written.outputs.map(formatOutput);
    return written;
  });
  return JSON.stringify(sorted({ ...nb, cells }), null, 1) + '\n';
}

function formatOutput(o: Output): Output {
  if (o.output_type === 'stream') return { ...o, text: lines(o.text) };
  if (o.output_type === 'error') return o;
  const data = Object.entries(o.data).map(([type, value]) => {
    const split = typeof value === 'string' && (type.startsWith('text/') || type === 'image/svg+xml');
    return [type, split ? lines(value) : value];
  });
  return { ...o, data: Object.fromEntries(data) as Record<string, unknown> };
}

function lines(value: string | string[]): string[] {
  const whole = joined(value);
  return whole === '' ? [] : whole.split(/(?<=\n)/);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, v]) => v !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return Object.fromEntries(entries.map(([k, v]) => [k, sorted(v)]));
}

/** Checks and writes a notebook: under a temporary name first, so that a crash leaves the old file whole. */
export function writeNotebook(file: string, nb: Notebook): void {
  validateNotebook(nb, file);
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, formatNotebook(nb));
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
