/**
 * Parameters of a notebook, by papermill's convention: a code cell tagged "parameters" declares them with their default
 * values; other values come in a cell tagged "injected-parameters" right after it.
 */
import { ArgumentError } from '../lib/errors';
import { type CodeCell, joined, type Notebook, tagsOf } from './notebook';
import { loadTslab } from './packages';

/** Values that may be given to a notebook. */
export type ParameterValue =
  string | number | bigint | boolean | null | readonly ParameterValue[] | { readonly [key: string]: ParameterValue };

function literal(value: ParameterValue, where: string): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((v) => literal(v as ParameterValue, where)).join(', ')}]`;
  if (typeof value === 'object') {
    const entries = Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}: ${literal(v, where)}`);
    return `{ ${entries.join(', ')} }`;
  }
  throw new ArgumentError(
    where,
    `expected a value that can be written as a literal, got ${typeof value}`,
    'give a number, string, boolean, null, or arrays and objects of them',
  );
}

/** The names that a cell declares at its top level, each with the text of its type annotation. */
function declarations(source: string): Map<string, string | undefined> {
  const { ts } = loadTslab();
  const file = ts.createSourceFile('cell.ts', source, ts.ScriptTarget.ESNext, true);
  const names = new Map<string, string | undefined>();
  for (const statement of file.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const d of statement.declarationList.declarations) {
      if (ts.isIdentifier(d.name)) names.set(d.name.text, d.type?.getText(file));
    }
  }
  return names;
}

/**
 * Puts `parameters` into `nb` (changed in place). Throws ArgumentError when the notebook has no cell tagged
 * "parameters", or when that cell does not declare one of the names.
 */
export function injectParameters(
  nb: Notebook,
  parameters: Readonly<Record<string, ParameterValue>>,
  where = 'notebook',
): void {
  nb.cells = nb.cells.filter((c) => !tagsOf(c).includes('injected-parameters'));
  if (Object.keys(parameters).length === 0) return;
  const at = nb.cells.findIndex((c) => c.cell_type === 'code' && tagsOf(c).includes('parameters'));
  if (at < 0) {
    throw new ArgumentError(
      where,
      `expected a code cell tagged "parameters", got none, but ${Object.keys(parameters).join(', ')} given`,
      'tag the cell that declares the parameters, or give none',
    );
  }
  const declared = declarations(joined(nb.cells[at].source));
  const source = Object.entries(parameters).map(([name, value]) => {
    if (!declared.has(name)) {
      throw new ArgumentError(
        where,
        `expected a parameter among ${[...declared.keys()].join(', ')}, got ${name}`,
        'give one of these names, or declare it in the cell tagged "parameters"',
      );
    }
    const type = declared.get(name);
    return `let ${name}${type === undefined ? '' : `: ${type}`} = ${literal(value, where)};`;
  });
  const ids = new Set(nb.cells.map((c) => c.id));
  let id = 'injected-parameters';
  while (ids.has(id)) id += '-';
  const cell: CodeCell = {
    cell_type: 'code',
    id,
    metadata: { tags: ['injected-parameters'] },
    source: ['// Parameters of this run', ...source].join('\n'),
    execution_count: null,
    outputs: [],
  };
  nb.cells.splice(at + 1, 0, cell);
}
