/** Targets: what counts as reached, and what is said of the others. */
import assert from 'node:assert/strict';
import { checkTable, targetTable, targetVerdict } from '../../lib/report';
import type { Measured } from '../../lib/report';

const rows: Measured[] = [
  { group: 'pictures', what: 'shape', value: 0.6, low: 0.5, high: 0.7, n: 96, chance: 0.3, target: 0.6 },
  { group: 'pictures', what: 'colour', value: 0.59, low: 0.5, high: 0.7, n: 96, chance: 0.25, target: 0.6, why: 'Pale ones.' },
  { group: 'retrieval', what: 'sound and text', value: 0.1, low: 0.01, high: 0.2, chance: 0.02, target: 'above chance' },
  { group: 'retrieval', what: 'picture and text', value: 0.1, low: 0.03, high: 0.2, chance: 0.02, target: 'above chance' },
  { group: 'perplexity', what: 'overall', value: 2.5 },
]; // prettier-ignore

describe('targets', () => {
  it('a number is reached by the mean, "above chance" by the interval', () => {
    const table = checkTable(targetTable(rows, 'All'));
    assert.deepEqual(table.columns, [
      'Of',
      'Measure',
      'Value',
      '95 % from',
      'to',
      'Chance',
      'Samples',
      'Target',
      'Reached',
    ]);
    assert.deepEqual(
      table.rows.map((r) => r.at(-1)),
      [true, false, false, true, null],
    );
    assert.deepEqual(
      table.rows.map((r) => r.at(-2)),
      ['at least 0.600', 'at least 0.600', 'above chance', 'above chance', null],
    );
  });

  it('columns that nothing fills are left out', () => {
    assert.deepEqual(targetTable(rows.slice(4)).columns, ['Of', 'Measure', 'Value']);
  });

  it('says of each target that is not reached what was measured, and why', () => {
    assert.equal(
      targetVerdict(rows),
      [
        '**2 of 4 targets are reached.** Not reached:\n',
        '- pictures, colour: measured 0.590 (95 % from 0.500 to 0.700, 96 samples); the target is at least 0.600, chance is 0.250. Pale ones.',
        '- retrieval, sound and text: measured 0.100 (95 % from 0.0100 to 0.200); the target is more than chance, chance is 0.0200.',
      ].join('\n'),
    );
    assert.equal(targetVerdict(rows.slice(0, 1)), '**1 of 1 targets are reached.**');
    assert.equal(targetVerdict(rows.slice(4)), 'No targets are set for these figures.');
  });
});
