/** Tables to and from the data frames of danfojs-node, which is loaded only here and only when asked for. */
import { ArgumentError } from '../errors';
import { loadOptional } from '../optional';
import { checkTable, flatTable, type Cell, type Table } from './table';

/** The part of a danfojs DataFrame that this package reads. A real one has everything in danfojs's manual besides. */
export interface DataFrameLike {
  columns: string[];
  values: unknown;
  shape: number[];
  print(): void;
  [member: string]: unknown;
}

interface Danfo {
  DataFrame: new (rows: unknown[][], options: { columns: string[] }) => DataFrameLike;
  tensorflow: { findBackend(name: string): unknown };
}

/** tfjs advertises its native backend once, on its first tensor; a data frame of six rows has no use for it. */
function withoutBanner(danfo: Danfo): void {
  const backend = danfo.tensorflow.findBackend('cpu') as { firstUse?: boolean } | null;
  if (backend && typeof backend.firstUse === 'boolean') backend.firstUse = false;
}

/**
 * A danfojs DataFrame with the table's numbers in full. A column of means over runs becomes three ("x", "x std",
 * "x n"). Missing values are NaN in columns of numbers and null elsewhere, as danfojs has it.
 * @throws MissingPackageError when danfojs-node is not installed; ArgumentError for an empty or malformed table
 */
export function toDataFrame(table: Table): DataFrameLike {
  const { columns, rows } = flatTable(checkTable(table, 'toDataFrame'));
  if (rows.length === 0) {
    throw new ArgumentError('toDataFrame', 'expected at least one row, got none', 'danfojs has no empty frames');
  }
  const danfo = loadOptional<Danfo>('toDataFrame', 'danfojs-node');
  withoutBanner(danfo);
  const numeric = columns.map((_, c) => rows.every((row) => row[c] === null || typeof row[c] === 'number'));
  const values = rows.map((row) => row.map((cell, c) => (cell === null && numeric[c] ? NaN : cell)));
  return new danfo.DataFrame(values, { columns });
}

/** True of danfo.js's frames, by what they have: importing danfo.js to ask would be slow. */
export function isDataFrame(value: unknown): value is DataFrameLike {
  return typeof value === 'object' && value !== null && 'columns' in value && 'values' in value && 'shape' in value;
}

/** A table from a data frame; NaN, undefined and null become null, other objects their text. */
export function fromDataFrame(frame: DataFrameLike, caption?: string): Table {
  const cell = (value: unknown): Cell => {
    if (value === undefined || value === null || Number.isNaN(value)) return null;
    if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string') return value;
    return JSON.stringify(value);
  };
  const rows = (frame.values as unknown[]).map((row) => (Array.isArray(row) ? row : [row]).map(cell));
  return checkTable({ columns: frame.columns.map(String), rows, ...(caption ? { caption } : {}) }, 'fromDataFrame');
}
