/** Shows tables, Markdown and HTML. */
import { fromDataFrame, isDataFrame, type DataFrameLike } from '../data-frame';
import { tableToHtml, tableToMarkdown, tableToText } from '../table-text';
import type { Table } from '../table';
import { show } from './hook';

/** Shows a table or a danfojs DataFrame. @throws ArgumentError for a malformed table */
export function showTable(table: Table | DataFrameLike): void {
  const plain = isDataFrame(table) ? fromDataFrame(table) : table;
  show({
    'text/html': tableToHtml(plain),
    'text/markdown': tableToMarkdown(plain),
    'text/plain': tableToText(plain),
  });
}

/** Shows Markdown; a terminal prints its source. */
export function showMarkdown(markdown: string): void {
  show({ 'text/markdown': markdown, 'text/plain': markdown });
}

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", nbsp: ' ' };

/** Shows HTML. `text` is what a terminal prints; default the text between the tags. */
export function showHtml(html: string, text?: string): void {
  const between = html
    .replace(/<(style|script)\b[\s\S]*?<\/\1>/gi, '')
    .replace(/<(br|\/p|\/div|\/tr|\/li|\/h\d)\b[^>]*>/gi, '\n')
    .replace(/<[^>]*>/g, '')
    .replace(/&(amp|lt|gt|quot|#39|nbsp);/g, (_all, name: string) => entities[name])
    .trim();
  show({ 'text/html': html, 'text/plain': text ?? between });
}
