/** Tables as plain values: columns, rows, a caption. What is missing is null, and every writer shows it as missing. */
import { ArgumentError } from '../errors';
import { formatMeanSpread, formatNumber, formatPublished, isMeanSpread, type MeanSpread } from './numbers';

/** A cell: text, a number, a mean over several runs, a yes or no, or null for "not measured". */
export type Cell = string | number | boolean | MeanSpread | null;

export interface Table {
  columns: string[];
  rows: Cell[][];
  caption?: string;
  /**
   * Significant digits of the numbers in each column; default 3. Whole numbers are always shown in full. 'published': as
   * many as the number has (a paper's value is never rounded).
   */
  digits?: (number | 'published' | null | undefined)[];
}

/** How a missing value is written for readers. */
const missing = 'n/a';

/** Checks a table and returns it. @throws ArgumentError for ragged rows, repeated columns, NaN and unknown cells. */
export function checkTable(table: Table, where = 'table'): Table {
  const fail = (expected: string, got: string, help: string): never => {
    throw new ArgumentError(where, `expected ${expected}, got ${got}`, help);
  };
  if (!table || !Array.isArray(table.columns) || !Array.isArray(table.rows)) {
    fail('a table {columns: string[], rows: Cell[][]}', typeof table, 'give both arrays');
  }
  if (table.columns.length === 0) fail('at least one column', 'none', 'name the columns');
  table.columns.forEach((column, i) => {
    if (typeof column !== 'string') fail(`a name for column ${i}`, typeof column, 'columns are strings');
    if (table.columns.indexOf(column) !== i) fail('distinct columns', `"${column}" twice`, 'rename one of them');
  });
  table.rows.forEach((row, r) => {
    if (!Array.isArray(row) || row.length !== table.columns.length) {
      const got = Array.isArray(row) ? String(row.length) : typeof row;
      fail(`${table.columns.length} cells in row ${r}`, got, 'use null for a value that is missing');
    }
    row.forEach((cell, c) => {
      const at = `row ${r}, column "${table.columns[c]}"`;
      const numbers = typeof cell === 'number' ? [cell] : isMeanSpread(cell) ? [cell.mean, cell.spread ?? 0] : [];
      if (numbers.some((value) => !Number.isFinite(value))) {
        fail(`a finite number in ${at}`, numbers.join(' ± '), 'use null, or say in words what happened');
      }
      if (numbers.length === 0 && cell !== null && typeof cell !== 'string' && typeof cell !== 'boolean') {
        fail(`text, number, boolean, mean with spread or null in ${at}`, typeof cell, 'use null where it is missing');
      }
    });
  });
  return table;
}

/** A cell as a reader sees it. */
function formatCell(cell: Cell, digits: number | 'published' = 3): string {
  if (cell === null) return missing;
  if (typeof cell === 'number') return digits === 'published' ? formatPublished(cell) : formatNumber(cell, digits);
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no';
  return isMeanSpread(cell) ? formatMeanSpread(cell, digits === 'published' ? undefined : digits) : cell;
}

/** All cells as text, and for each column whether it is one of numbers (and so is set flush right). */
export function formatTable(table: Table): { cells: string[][]; numeric: boolean[] } {
  const numeric = table.columns.map((_, c) => {
    const known = table.rows.map((row) => row[c]).filter((cell) => cell !== null);
    return known.length > 0 && known.every((cell) => typeof cell === 'number' || isMeanSpread(cell));
  });
  // A table that was read from JSON has null where there was undefined.
  const cells = table.rows.map((row) => row.map((cell, c) => formatCell(cell, table.digits?.[c] ?? undefined)));
  return { cells, numeric };
}

/**
 * The table for programs: every number in full, and a column with means over runs split into "x", "x std" and "x n".
 * Missing values stay null.
 */
export function flatTable(table: Table): { columns: string[]; rows: (string | number | boolean | null)[][] } {
  const split = table.columns.map((_, c) => table.rows.some((row) => isMeanSpread(row[c])));
  return {
    columns: table.columns.flatMap((column, c) => (split[c] ? [column, `${column} std`, `${column} n`] : [column])),
    rows: table.rows.map((row) =>
      row.flatMap((cell, c) => {
        if (isMeanSpread(cell)) return [cell.mean, cell.spread, cell.n];
        return split[c] ? [cell, null, cell === null ? null : 1] : [cell];
      }),
    ),
  };
}
