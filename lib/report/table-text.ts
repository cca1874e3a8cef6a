/** Tables as Markdown, HTML, CSV and plain text, and on disk. */
import { writeFiles } from './files';
import { checkTable, flatTable, formatTable, type Table } from './table';

/** Text that HTML shows literally, in elements and in quoted attributes. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character]);
}

const escapeMarkdown = (text: string) =>
  text.replace(/\\/g, '\\\\').replace(/\|/g, '\\|').replace(/</g, '&lt;').replace(/\r?\n/g, '<br>');

const isWide = (code: number) => (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xffdc && code < 0xd800) || code >= 0x1f300; // prettier-ignore

/** Columns that a text takes in a terminal: wide letters take two, combining marks none. */
function textColumns(text: string): number {
  let width = 0;
  for (const character of text.replace(/\p{M}/gu, '')) width += isWide(character.codePointAt(0)!) ? 2 : 1;
  return width;
}

function pad(text: string, width: number, right: boolean): string {
  const space = ' '.repeat(Math.max(0, width - textColumns(text)));
  return right ? space + text : text + space;
}

/** A GitHub Markdown table; the source is aligned too. The caption stands above it in bold. */
export function tableToMarkdown(table: Table): string {
  const { cells, numeric } = formatTable(checkTable(table, 'tableToMarkdown'));
  const lines = [table.columns, ...cells].map((row) => row.map(escapeMarkdown));
  const widths = table.columns.map((_, c) => Math.max(3, ...lines.map((line) => textColumns(line[c]))));
  const row = (line: string[]) => `| ${line.map((text, c) => pad(text, widths[c], numeric[c])).join(' | ')} |`;
  const rule = `| ${widths.map((width, c) => '-'.repeat(width - 1) + (numeric[c] ? ':' : '-')).join(' | ')} |`;
  const caption = table.caption ? `**${escapeMarkdown(table.caption)}**\n\n` : '';
  return `${caption}${[row(lines[0]), rule, ...lines.slice(1).map(row)].join('\n')}\n`;
}

/** RFC 4180 with \n line ends; numbers in full, means split into columns, missing values empty. */
export function tableToCsv(table: Table): string {
  const { columns, rows } = flatTable(checkTable(table, 'tableToCsv'));
  const field = (cell: string | number | boolean | null) => {
    const text = cell === null ? '' : String(cell);
    // A quoted empty text is a text; nothing at all is a missing value.
    return cell === '' || /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replace(/"/g, '""')}"` : text;
  };
  return [columns, ...rows].map((row) => row.map(field).join(',') + '\n').join('');
}

/** An HTML table with its caption; no script and no style sheet is needed to read it. */
export function tableToHtml(table: Table): string {
  const { cells, numeric } = formatTable(checkTable(table, 'tableToHtml'));
  const style = (c: number) => ` style="text-align:${numeric[c] ? 'right' : 'left'}"`;
  const row = (line: string[], tag: string) =>
    `<tr>${line.map((text, c) => `<${tag}${style(c)}>${escapeHtml(text).replace(/\n/g, '<br>')}</${tag}>`).join('')}</tr>`;
  const caption = table.caption ? `<caption>${escapeHtml(table.caption)}</caption>` : '';
  const body = cells.map((line) => row(line, 'td')).join('\n');
  return `<table>${caption}\n<thead>${row(table.columns, 'th')}</thead>\n<tbody>\n${body}\n</tbody>\n</table>\n`;
}

/** The table for a terminal: columns aligned, a rule under the head. */
export function tableToText(table: Table): string {
  const { cells, numeric } = formatTable(checkTable(table, 'tableToText'));
  const lines = [table.columns, ...cells].map((row) => row.map((text) => text.replace(/\s*\n\s*/g, ' ')));
  const widths = table.columns.map((_, c) => Math.max(...lines.map((line) => textColumns(line[c]))));
  const row = (line: string[]) => line.map((text, c) => pad(text, widths[c], numeric[c])).join('  ').trimEnd(); // prettier-ignore
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return `${table.caption ? `${table.caption}\n` : ''}${[row(lines[0]), rule, ...lines.slice(1).map(row)].join('\n')}\n`;
}

export interface SavedTable {
  md: string;
  csv: string;
  json: string;
}

/** Writes `<name>.md`, `<name>.csv` and `<name>.json` (the table itself) into `dir`. Returns the three paths. */
export async function saveTable(dir: string, name: string, table: Table): Promise<SavedTable> {
  const paths = await writeFiles('saveTable', dir, name, {
    md: tableToMarkdown(table),
    csv: tableToCsv(table),
    json: JSON.stringify(table, null, 1) + '\n',
  });
  return { md: paths[0], csv: paths[1], json: paths[2] };
}
