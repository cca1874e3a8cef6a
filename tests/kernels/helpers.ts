/** Notebooks and processes for the tests of the kernel. */
import { readFileSync, mkdtempSync, writeFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ajv } from 'ajv';
import { type Notebook, packageRoot } from '../../kernels';

/** A cell of a test notebook: source, or source and tags. */
export type TestCell = string | { source: string; tags: string[] };

/** A folder that lasts for one test. */
export function temporaryFolder(): { path: string; remove(): void } {
  const folder = mkdtempSync(path.join(tmpdir(), 'kernels-test-'));
  return { path: folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Writes a notebook with these code cells and returns its path. */
export function writeCells(folder: string, cells: readonly TestCell[], name = 'test.ipynb'): string {
  const file = path.join(folder, name);
  const nb = {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: cells.map((cell, i) => ({
      cell_type: 'code',
      id: `cell-${i}`,
      metadata: typeof cell === 'string' ? {} : { tags: cell.tags },
      source: typeof cell === 'string' ? cell : cell.source,
      outputs: [],
      execution_count: null,
    })),
  };
  writeFileSync(file, JSON.stringify(nb));
  return file;
}

/** Whether a process exists. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch {
    return false;
  }
}

// A killed grandchild stays in the table until its adopter has asked for its status.
function isZombie(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Waits until `condition` holds; throws after `limitMs`. */
export async function until(what: string, condition: () => boolean, limitMs = 240_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`${what}: not within ${limitMs} ms`);
    await sleep(20);
  }
}

/** The violations of the published JSON schema of nbformat 4.5. */
export function schemaErrors(notebook: unknown): string[] {
  const file = path.join(packageRoot(), 'tests', 'kernels', 'schema', 'nbformat.v4.5.schema.json');
  const schema = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  // Nothing in it differs between draft 4, which it names, and the draft that ajv reads.
  delete schema.$schema;
  const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);
  validate(notebook);
  return (validate.errors ?? []).map((e) => `${e.instancePath} ${e.message}`);
}

/** What a cell printed on `name`. */
export function printed(nb: Notebook, index: number, name = 'stdout'): string {
  const cell = nb.cells[index];
  if (cell.cell_type !== 'code') return '';
  return cell.outputs
    .map((o) =>
      o.output_type === 'stream' && o.name === name ? (Array.isArray(o.text) ? o.text.join('') : o.text) : '',
    )
    .join('');
}
