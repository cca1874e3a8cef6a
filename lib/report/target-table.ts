/**
 * What was aimed at and what was measured: a table, and a sentence for each target that was not reached. Whether one is reached
 * is decided here by the numbers alone: a number by the mean (the interval beside it says how sure that is), "above chance" by
 * the lower end of the interval.
 */
import { formatNumber } from './numbers';
import type { Table } from './table';

export interface Measured {
  /** "image", "tool calls": rows with the same group stand together. */
  group: string;
  what: string;
  value: number;
  /** 95 % interval. */
  low?: number;
  high?: number;
  /** Samples. */
  n?: number;
  chance?: number;
  target?: number | 'above chance';
  /** What else was measured that tells why, in a few words; said where the target is not reached. */
  why?: string;
}

/** Null where there is no target. */
export function reached({ value, low = value, chance = 0, target }: Measured): boolean | null {
  if (target === undefined) return null;
  return target === 'above chance' ? low > chance : value >= target;
}

/** The table. Columns that no row fills are left out. */
export function targetTable(rows: readonly Measured[], caption?: string): Table {
  const all: [name: string, cell: (row: Measured) => string | number | boolean | null][] = [
    ['Of', (r) => r.group],
    ['Measure', (r) => r.what],
    ['Value', (r) => r.value],
    ['95 % from', (r) => r.low ?? null],
    ['to', (r) => r.high ?? null],
    ['Chance', (r) => r.chance ?? null],
    ['Samples', (r) => r.n ?? null],
    ['Target', (r) => (typeof r.target === 'number' ? `at least ${formatNumber(r.target)}` : (r.target ?? null))],
    ['Reached', reached],
  ];
  const columns = all.filter(([, cell], i) => i < 3 || rows.some((r) => cell(r) !== null));
  return {
    columns: columns.map(([name]) => name),
    rows: rows.map((r) => columns.map(([, cell]) => cell(r))),
    ...(caption ? { caption } : {}),
  };
}

/** Markdown: how many targets are reached, and of each that is not, what was measured and what it comes with. */
export function targetVerdict(rows: readonly Measured[]): string {
  const aimed = rows.filter((r) => r.target !== undefined);
  if (!aimed.length) return 'No targets are set for these figures.';
  const missed = aimed.filter((r) => !reached(r));
  const count = `${aimed.length - missed.length} of ${aimed.length} targets are reached.`;
  return [
    missed.length ? `**${count}** Not reached:\n` : `**${count}**`,
    ...missed.map((row) => {
      const { group, what, value, low, high, n, chance, target, why } = row;
      const sure = [
        ...(low !== undefined && high !== undefined ? [`95 % from ${formatNumber(low)} to ${formatNumber(high)}`] : []),
        ...(n !== undefined ? [`${n} samples`] : []),
      ];
      const aim = target === 'above chance' ? 'more than chance' : `at least ${formatNumber(target!)}`;
      return (
        `- ${group}, ${what}: measured ${formatNumber(value)}${sure.length ? ` (${sure.join(', ')})` : ''}; the target is ${aim}` +
        `${chance !== undefined ? `, chance is ${formatNumber(chance)}` : ''}.${why ? ` ${why}` : ''}`
      );
    }),
  ].join('\n');
}
