/** Notebook files: what is read, refused and written. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { injectParameters, type Notebook, readNotebook, validateNotebook, writeNotebook } from '../../kernels';
import type { CodeCell } from '../../kernels';
import { applyCarriageReturns, OutputCollector } from '../../kernels/outputs';
import { TerminalOutput } from '../../kernels/terminal';
import { FormatError } from '../../lib/errors';
import { schemaErrors, temporaryFolder } from './helpers';

const code = (source: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  cell_type: 'code',
  metadata: {},
  source,
  outputs: [],
  execution_count: null,
  ...more,
});
const notebook = (...cells: Record<string, unknown>[]): Notebook =>
  validateNotebook({ nbformat: 4, nbformat_minor: 4, metadata: {}, cells });

describe('kernels/notebook', () => {
  const folder = temporaryFolder();
  const file = path.join(folder.path, 'a.ipynb');
  after(() => folder.remove());

  it('writes what the published schema accepts, and reads it back', () => {
    const nb = notebook(
      { cell_type: 'markdown', metadata: {}, source: ['# a\n', 'b'] },
      code('1\n2', {
        outputs: [
          { output_type: 'stream', name: 'stdout', text: 'a\nb' },
          {
            output_type: 'display_data',
            data: { 'text/html': '<p>\n</p>', 'application/json': { a: 1 } },
            metadata: {},
          },
          { output_type: 'execute_result', data: { 'text/plain': '1' }, metadata: {}, execution_count: 1 },
          { output_type: 'error', ename: 'E', evalue: 'v', traceback: ['t'] },
        ],
        execution_count: 1,
      }),
    );
    writeNotebook(file, nb);
    const written = JSON.parse(readFileSync(file, 'utf8')) as Notebook;
    assert.deepEqual(schemaErrors(written), []);
    const cell = written.cells[1] as CodeCell;
    assert.deepEqual(cell.source, ['1\n', '2']);
    assert.deepEqual(cell.outputs[0], { output_type: 'stream', name: 'stdout', text: ['a\n', 'b'] });
    writeNotebook(file, readNotebook(file));
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), written);
    assert.deepEqual(readdirSync(folder.path), ['a.ipynb']);
  });

  it('the schema check finds what is wrong', () => {
    const wrong = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [code('1')] };
    assert.match(schemaErrors(wrong).join(), /required property 'id'/);
  });

  it('gives old cells ids that are valid, different and always the same', () => {
    const ids = (): unknown[] => notebook(code('a'), code('a'), code('b')).cells.map((c) => c.id);
    assert.deepEqual(ids(), ids());
    assert.equal(new Set(ids()).size, 3);
  });

  it('names what is wrong with a damaged file', () => {
    const cases: [string, RegExp][] = [
      ['', /got an empty file/],
      ['{"cells": [', /expected JSON/],
      ['[]', /whole file/],
      [JSON.stringify({ nbformat: 3, worksheets: [] }), /format 4, got 3/],
      [
        JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [{ cell_type: 'code' }] }),
        /cells\[0\]\./,
      ],
      [
        JSON.stringify({
          nbformat: 4,
          nbformat_minor: 5,
          metadata: {},
          cells: [code('', { outputs: [{ output_type: 'x' }] })],
        }),
        /cells\[0\]\.outputs\[0\]\.output_type/,
      ],
      [
        JSON.stringify({
          nbformat: 4,
          nbformat_minor: 5,
          metadata: {},
          cells: [code('', { id: 'a' }), code('', { id: 'a' })],
        }),
        /"a" twice/,
      ],
      [
        JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [code('', { id: 'a b' })] }),
        /cells\[0\]\.id/,
      ],
    ];
    for (const [text, message] of cases) {
      writeFileSync(file, text);
      assert.throws(
        () => readNotebook(file),
        (error: unknown) => error instanceof FormatError && message.test(error.message) && error.where === file,
      );
    }
    assert.throws(() => readNotebook(path.join(folder.path, 'none.ipynb')), /ENOENT/);
  });

  it('keeps the old file when the new one cannot be written', () => {
    const good = notebook(code('1'));
    writeNotebook(file, good);
    const before = readFileSync(file, 'utf8');
    const bad = structuredClone(good);
    (bad.cells[0] as CodeCell).execution_count = -1;
    assert.throws(() => writeNotebook(file, bad), FormatError);
    assert.equal(readFileSync(file, 'utf8'), before);
  });
});

describe('kernels/parameters', () => {
  const parameters = { tags: ['parameters'] };

  it('come in a cell after the one that declares them, with its types', () => {
    const nb = notebook(
      code('1'),
      code("const steps = 100, dev: 'cpu' | 'webgpu' = 'cpu';\nlet list: number[] = [];", { metadata: parameters }),
      code('2'),
    );
    for (let i = 0; i < 2; i++) injectParameters(nb, { steps: 5, dev: 'webgpu', list: [1, 2] });
    assert.equal(nb.cells.length, 4);
    const cell = nb.cells[2];
    assert.deepEqual(cell.metadata, { tags: ['injected-parameters'] });
    assert.equal(
      cell.source,
      "// Parameters of this run\nlet steps = 5;\nlet dev: 'cpu' | 'webgpu' = \"webgpu\";\nlet list: number[] = [1, 2];",
    );
    injectParameters(nb, {});
    assert.equal(nb.cells.length, 3);
  });

  it('are refused when the notebook does not declare them', () => {
    assert.throws(() => injectParameters(notebook(code('const a = 1')), { a: 2 }), /tagged "parameters", got none/);
    const nb = notebook(code('const a = 1, b = 2', { metadata: parameters }));
    assert.throws(() => injectParameters(nb, { stpes: 2 }), /among a, b, got stpes/);
  });
});

describe('kernels/outputs', () => {
  const collect = (limit?: number): { cell: CodeCell; outputs: OutputCollector } => {
    const cell = notebook(code('')).cells[0] as CodeCell;
    const outputs = new OutputCollector(limit);
    outputs.begin(cell);
    return { cell, outputs };
  };

  it('joins what one stream prints in a row', () => {
    const { cell, outputs } = collect();
    for (const [name, text] of [
      ['stdout', 'a'],
      ['stdout', 'b\n'],
      ['stderr', 'c'],
      ['stdout', 'd'],
    ]) {
      outputs.add('stream', { name, text });
    }
    outputs.finish();
    assert.deepEqual(
      cell.outputs.map((o) => o.output_type === 'stream' && [o.name, o.text]),
      [
        ['stdout', 'ab\n'],
        ['stderr', 'c'],
        ['stdout', 'd'],
      ],
    );
  });

  it('updates a display where it was shown, also from a later cell', () => {
    const { cell, outputs } = collect();
    outputs.add('display_data', { data: { 'text/plain': '1' }, metadata: {}, transient: { display_id: 'x' } });
    outputs.begin(notebook(code('')).cells[0] as CodeCell);
    outputs.add('update_display_data', { data: { 'text/plain': '2' }, metadata: {}, transient: { display_id: 'x' } });
    outputs.add('update_display_data', {
      data: { 'text/plain': '3' },
      metadata: {},
      transient: { display_id: 'unknown' },
    });
    assert.deepEqual(cell.outputs, [{ output_type: 'display_data', data: { 'text/plain': '2' }, metadata: {} }]);
  });

  it('clears, at once or with the next output', () => {
    const { cell, outputs } = collect();
    outputs.add('stream', { name: 'stdout', text: 'a' });
    outputs.add('clear_output', { wait: true });
    assert.equal(cell.outputs.length, 1);
    outputs.add('stream', { name: 'stdout', text: 'b' });
    outputs.finish();
    assert.deepEqual(cell.outputs, [{ output_type: 'stream', name: 'stdout', text: 'b' }]);
    outputs.add('clear_output', { wait: false });
    assert.deepEqual(cell.outputs, []);
  });

  it('keeps all up to its limit, and beyond it the start and the end', () => {
    const text = (limit: number, printed: string): string => {
      const { cell, outputs } = collect(limit);
      for (const character of printed) outputs.add('stream', { name: 'stdout', text: character });
      outputs.finish();
      const [output] = cell.outputs;
      return output.output_type === 'stream' ? String(output.text) : '';
    };
    const digits = '0123456789';
    assert.equal(text(10, digits), digits);
    assert.equal(text(10, digits.repeat(3)), '01234\n... (20 characters left out here) ...\n56789');
    assert.equal(text(10, digits + 'a'), '01234\n... (1 characters left out here) ...\n6789a');
  });

  it('applies carriage returns as a terminal does', () => {
    assert.equal(applyCarriageReturns('10%\r20%\rabc\nx\r\ny'), 'abc\nx\ny');
    assert.equal(applyCarriageReturns('abcdef\rxy'), 'xycdef');
  });
});

describe('kernels/terminal', () => {
  const run = (isTTY: boolean): string => {
    let text = '';
    const sink = { isTTY, write: (t: string) => (text += t) };
    const terminal = new TerminalOutput(sink, sink);
    const show = (plain: string): Record<string, unknown> => ({
      data: { 'text/plain': plain },
      transient: { display_id: 'p' },
    });
    terminal.write('display_data', show('1%'));
    terminal.write('update_display_data', show('50%'));
    terminal.write('update_display_data', show('100%'));
    terminal.write('stream', { name: 'stdout', text: 'done\n' });
    terminal.end();
    return text;
  };

  it('rewrites a display in place on a terminal', () => {
    assert.equal(run(true), '\r\u001b[K1%\r\u001b[K50%\r\u001b[K100%\ndone\n');
  });

  it('shows the first and last state elsewhere, and in between one in ten seconds', () => {
    assert.equal(run(false), '1%\ndone\n100%\n');
    let text = '';
    let time = 0;
    const sink = { write: (t: string) => (text += t) };
    const terminal = new TerminalOutput(sink, sink, () => time);
    for (let i = 0; i <= 25; i++, time += 1000) {
      const content = { data: { 'text/plain': `${i} s` }, transient: { display_id: 'p' } };
      terminal.write(i ? 'update_display_data' : 'display_data', content);
    }
    terminal.end();
    assert.equal(text, '0 s\n10 s\n20 s\n25 s\n');
  });

  it('cuts a line that would wrap', () => {
    let text = '';
    const sink = { isTTY: true, columns: 11, write: (t: string) => (text += t) };
    const terminal = new TerminalOutput(sink, sink);
    terminal.write('display_data', { data: { 'text/plain': '0123456789abc' }, transient: { display_id: 'p' } });
    assert.equal(text, '\r\u001b[K0123456789');
  });
});
