/** Tables: numbers as written, escapes in each format, missing values, ragged rows, data frames, files. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {
  checkTable,
  formatMeanSpread,
  formatNumber,
  formatPublished,
  fromDataFrame,
  meanSpread,
  paperTable,
  saveTable,
  tableToCsv,
  tableToHtml,
  tableToMarkdown,
  tableToText,
  toDataFrame,
  type Table,
} from '../../lib/report';

const odd: Table = {
  columns: ['name', 'value <x>'],
  rows: [
    ['a|b "c" <d> & \\', 1.23456],
    ['line\nbreak, comma', null],
    ['', { mean: 0.93142, spread: 0.00412, n: 3 }],
  ],
  caption: 'Odd | <cells>',
};

describe('numbers', () => {
  it('have sensible digits', () => {
    const cases: [number, string][] = [
      [8048, '8048'],
      [0.931, '0.931'],
      [1.92, '1.92'],
      [0, '0'],
      [-0.5, '-0.500'],
      [12.345, '12.3'],
      [1234.56, '1235'],
      [9.999, '10.0'],
      [0.9999, '1.00'],
      [0.00012345, '1.23e-4'],
      [1.5e12, '1.50e12'],
      [Infinity, '∞'],
      [NaN, 'NaN'],
    ];
    for (const [value, text] of cases) assert.equal(formatNumber(value), text);
    assert.equal(formatNumber(0.93123, 2), '0.93');
  });

  it('of a paper keep every digit', () => {
    const cases: [number, string][] = [
      [8048, '8048'],
      [130.5, '130.5'],
      [18.89, '18.89'],
      [4, '4.00'],
      [2.3, '2.30'],
      [79.4, '79.4'],
      [0.9, '0.900'],
      [0.0925, '0.0925'],
      [0.055, '0.055'],
      [0, '0'],
      [-0.5, '-0.500'],
    ];
    for (const [value, text] of cases) assert.equal(formatPublished(value), text);
  });

  it('mean and spread', () => {
    assert.deepEqual(meanSpread([2, 4]), { mean: 3, spread: Math.SQRT2, n: 2 });
    assert.deepEqual(meanSpread([5]), { mean: 5, spread: null, n: 1 });
    assert.equal(meanSpread([0.1, 0.1, 0.1]).spread, 0);
    assert.equal(formatMeanSpread({ mean: 0.93142, spread: 0.00412, n: 3 }), '0.931 ± 0.004');
    assert.equal(formatMeanSpread({ mean: 8048.3, spread: 12.2, n: 3 }), '8048 ± 12');
    assert.equal(formatMeanSpread({ mean: 1.9234, spread: 0.3, n: 3 }), '1.9 ± 0.3');
    assert.equal(formatMeanSpread({ mean: 3, spread: 0, n: 2 }), '3 ± 0');
    assert.equal(formatMeanSpread({ mean: 3.14159, spread: null, n: 1 }), '3.14');
    assert.throws(() => meanSpread([]), /at least one finite number, got none/);
    assert.throws(() => meanSpread([1, NaN]), /got NaN/);
  });
});

describe('tables', () => {
  it('Markdown escapes pipes, tags and line breaks', () => {
    assert.equal(
      tableToMarkdown(odd),
      [
        '**Odd \\| &lt;cells>**',
        '',
        '| name                 |  value &lt;x> |',
        '| -------------------- | ------------: |',
        '| a\\|b "c" &lt;d> & \\\\ |          1.23 |',
        '| line<br>break, comma |           n/a |',
        '|                      | 0.931 ± 0.004 |',
        '',
      ].join('\n'),
    );
  });

  it('CSV quotes what needs quotes, and splits means', () => {
    assert.equal(
      tableToCsv(odd),
      'name,value <x>,value <x> std,value <x> n\n' +
        '"a|b ""c"" <d> & \\",1.23456,,1\n' +
        '"line\nbreak, comma",,,\n' +
        '"",0.93142,0.00412,3\n',
    );
  });

  it('HTML escapes tags and quotes', () => {
    const html = tableToHtml(odd);
    assert.ok(html.includes('<caption>Odd | &lt;cells&gt;</caption>'));
    assert.ok(html.includes('a|b &quot;c&quot; &lt;d&gt; &amp; \\'));
    assert.ok(html.includes('<td style="text-align:right">n/a</td>'));
    assert.ok(html.includes('line<br>break'));
    assert.ok(!html.includes('<d>'));
  });

  it('plain text is aligned, wide letters too', () => {
    const table = { columns: ['名前', 'n'], rows: [['ab', 12], ['é', 3]] }; // prettier-ignore
    assert.equal(tableToText(table), '名前   n\n----  --\nab    12\né      3\n');
  });

  it('refuses ragged rows and values that are none', () => {
    const bad = (rows: unknown) => checkTable({ columns: ['a', 'b'], rows: rows as Table['rows'] });
    assert.throws(() => bad([[1, 2], [1]]), /expected 2 cells in row 1, got 1/); // prettier-ignore
    assert.throws(() => bad([[1, NaN]]), /finite number in row 0, column "b", got NaN/);
    assert.throws(() => bad([[1, undefined]]), /row 0, column "b", got undefined/);
    assert.throws(() => bad([[1, { mean: 1, spread: Infinity, n: 2 }]]), /finite number/);
    assert.throws(() => checkTable({ columns: ['a', 'a'], rows: [] }), /"a" twice/);
    assert.throws(() => checkTable({ columns: [], rows: [] }), /at least one column/);
    assert.throws(() => checkTable(null as never), /expected a table/);
  });

  it('lays out paper and ours, and invents nothing', () => {
    const table = paperTable({
      methods: ['SFT', 'DPO', 'SimPO'],
      metrics: [{ name: 'PPL', better: 'lower' }, { name: 'Acc', unit: '%' }], // prettier-ignore
      paper: { SFT: { PPL: 8048 }, DPO: { PPL: 1.92, Acc: 93.1 } },
      ours: { SFT: { PPL: [7, 9] }, SimPO: { Acc: [50] }, DPO: { PPL: [] } },
      verdicts: { SFT: 'holds' },
    });
    assert.deepEqual(table.columns, [
      'Method',
      'PPL ↓ paper',
      'PPL ↓ ours',
      'Acc [%] paper',
      'Acc [%] ours',
      'Verdict',
    ]);
    assert.deepEqual(table.rows, [
      ['SFT', 8048, { mean: 8, spread: Math.SQRT2, n: 2 }, null, null, 'holds'],
      ['DPO', 1.92, null, 93.1, null, null],
      ['SimPO', null, null, null, 50, null],
    ]);
    const base = { methods: ['SFT'], metrics: [{ name: 'PPL' }], ours: {} };
    assert.throws(() => paperTable({ ...base, paper: { DPO: { PPL: 1 } } }), /methods of paper among "SFT", got "DPO"/);
    assert.throws(
      () => paperTable({ ...base, paper: { SFT: { ppl: 1 } } }),
      /metrics of paper.SFT among "PPL", got "ppl"/,
    );
    assert.throws(() => paperTable({ ...base, paper: { SFT: { PPL: NaN } } }), /paper.SFT.PPL: expected .* got NaN/);
  });

  it('saves md, csv and json whole', async () => {
    const dir = await mkdtemp(path.join(os.tmpdir(), 'report-'));
    try {
      const saved = await saveTable(dir, 'table_1', odd);
      assert.deepEqual((await readdir(dir)).sort(), ['table_1.csv', 'table_1.json', 'table_1.md']);
      assert.deepEqual(JSON.parse(await readFile(saved.json, 'utf8')), odd);
      assert.equal(await readFile(saved.csv, 'utf8'), tableToCsv(odd));
      await assert.rejects(saveTable(dir, 'table_1', { columns: ['a'], rows: [[]] }), /expected 1 cells/);
      assert.equal((await readdir(dir)).length, 3);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('becomes a danfojs data frame and comes back, without a word on the terminal', function () {
    const index = JSON.stringify(require.resolve('../../lib/report'));
    const table = { columns: ['m', 'x', 'y'], rows: [['a', 1.5, null], ['b', 2, { mean: 3, spread: 1, n: 2 }]] }; // prettier-ignore
    const program = `
      const { toDataFrame, fromDataFrame } = require(${index});
      const frame = toDataFrame(${JSON.stringify(table)});
      console.log(JSON.stringify({ shape: frame.shape, mean: frame.column('x').mean(), back: fromDataFrame(frame),
        sum: frame.groupby(['m']).sum().values.length }));`;
    const run = execFileSync(process.execPath, ['-e', `console.warn = (...a) => console.log(...a);${program}`], {
      encoding: 'utf8',
      timeout: 300_000,
    });
    assert.deepEqual(JSON.parse(run), {
      shape: [2, 5],
      mean: 1.75,
      sum: 2,
      back: {
        columns: ['m', 'x', 'y', 'y std', 'y n'],
        rows: [
          ['a', 1.5, null, null, null],
          ['b', 2, 3, 1, 2],
        ],
      },
    });
    assert.throws(() => toDataFrame({ columns: ['a'], rows: [] }), /at least one row/);
    assert.throws(
      () => fromDataFrame({ columns: ['a', 'b'], values: [[1]], shape: [1, 1], print() {} }),
      /2 cells in row 0/,
    );
  });
});
