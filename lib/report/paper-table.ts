/** The table of a reproduction: for each method and metric what the paper reports and what we measured. */
import { ArgumentError } from '../errors';
import { meanSpread } from './numbers';
import type { Cell, Table } from './table';

export interface PaperMetric {
  /** Name as in the paper, and the key of the values. */
  name: string;
  unit?: string;
  /** Which way is better; shown as an arrow. */
  better?: 'higher' | 'lower';
  digits?: number;
}

/** values[method][metric]; whatever is absent or null is shown as missing. */
export type ValuesByMethod<T> = Record<string, Record<string, T | null> | undefined>;

export interface PaperTableOptions {
  caption?: string;
  /** Rows, in order. */
  methods: string[];
  metrics: PaperMetric[];
  /** What the paper reports. */
  paper: ValuesByMethod<number>;
  /** What we measured: one number, or one for each seed (shown as mean ± sample standard deviation). */
  ours: ValuesByMethod<number | number[]>;
  /** A verdict for each method, decided elsewhere by a written rule. Without it there is no such column. */
  verdicts?: Record<string, string | null>;
}

const where = 'paperTable';

function checkKeys(what: string, keys: string[], known: string[]): void {
  const unknown = keys.find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw new ArgumentError(
      where,
      `expected ${what} among ${known.map((k) => `"${k}"`).join(', ')}, got "${unknown}"`,
      'a value that stands in no row or column would be lost: correct the name or add it',
    );
  }
}

/** Lays out "paper / ours / verdict". @throws ArgumentError for unknown methods or metrics and values not finite. */
export function paperTable(options: PaperTableOptions): Table {
  const { methods, metrics, paper, ours, verdicts, caption } = options;
  const names = metrics.map((metric) => metric.name);
  for (const [label, values] of Object.entries({ paper, ours })) {
    checkKeys(`methods of ${label}`, Object.keys(values), methods);
    for (const [method, row] of Object.entries(values)) {
      checkKeys(`metrics of ${label}.${method}`, Object.keys(row ?? {}), names);
    }
  }
  checkKeys('methods of verdicts', Object.keys(verdicts ?? {}), methods);
  const measured = (value: number | number[] | null | undefined, at: string): Cell => {
    if (value === null || value === undefined || (Array.isArray(value) && value.length === 0)) return null;
    if (typeof value === 'number') return meanSpread([value], at).mean;
    return value.length === 1 ? meanSpread(value, at).mean : meanSpread(value, at);
  };
  const heads = metrics.map(({ name, unit, better }) => {
    const arrow = better ? { higher: ' ↑', lower: ' ↓' }[better] : '';
    return `${name}${unit ? ` [${unit}]` : ''}${arrow}`;
  });
  return {
    columns: [
      'Method',
      ...heads.flatMap((head) => [`${head} paper`, `${head} ours`]),
      ...(verdicts ? ['Verdict'] : []),
    ],
    rows: methods.map((method) => [
      method,
      ...names.flatMap((name) => [
        measured(paper[method]?.[name], `${where}: paper.${method}.${name}`),
        measured(ours[method]?.[name], `${where}: ours.${method}.${name}`),
      ]),
      ...(verdicts ? [verdicts[method] ?? null] : []),
    ]),
    digits: [
      undefined,
      ...metrics.flatMap(({ digits }) => ['published' as const, digits]),
      ...(verdicts ? [undefined] : []),
    ],
    ...(caption ? { caption } : {}),
  };
}
