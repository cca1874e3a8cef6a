/** The errors of the headless notebook client. */
import { OmniError } from '../lib/errors';

/** The kernel could not be started, or ended when it should not have. */
export class KernelError extends OmniError {}

/** Where a cell stands in its notebook. */
export interface CellPlace {
  /** File of the notebook, as it was given. */
  notebook: string;
  /** Position among all cells, from 0. */
  index: number;
  /** Position among the code cells, from 1: the number that Jupyter shows beside it in a clean run. */
  number: number;
  source: string;
}

function show(source: string): string {
  const lines = source.trimEnd().split('\n');
  const shown = lines.slice(0, 12).map((line) => `  | ${line}`);
  if (lines.length > 12) shown.push(`  | ... (${lines.length - 12} more lines)`);
  return shown.join('\n');
}

/** A cell raised an error. `message` names the cell and quotes its source. */
export class NotebookCellError extends OmniError {
  constructor(
    readonly cell: CellPlace,
    readonly ename: string,
    readonly evalue: string,
    readonly traceback: readonly string[],
  ) {
    super(
      `${cell.notebook}, code cell ${cell.number}`,
      `${ename}: ${evalue}\n${show(cell.source)}`,
      'mend the cell, or tag it "raises-exception" if it should fail',
    );
  }
}

/** A cell, or the start of the kernel, took longer than it may. */
export class NotebookTimeoutError extends OmniError {
  constructor(
    where: string,
    readonly limitMs: number,
    what: string,
    help: string,
    readonly cell?: CellPlace,
  ) {
    super(where, cell ? `${what}\n${show(cell.source)}` : what, help);
  }
}
