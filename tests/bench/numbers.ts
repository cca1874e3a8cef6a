/** How measurements are summed up and shown. */

export const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1];

/** The median of the quotients of measurements taken in turns; null without a peer. */
export const ratio = (theirs: readonly number[], ours: readonly number[]): number | null =>
  theirs.length ? median(theirs.map((x, i) => x / ours[i])) : null;

export const show = (x: number | null, digits: number): string => (x === null ? '-' : x.toFixed(digits));

export const tableRow = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** The lines that begin a Markdown table. */
export const tableHead = (titles: readonly string[]): string =>
  `${tableRow(titles)}\n${tableRow(titles.map(() => '---')).replaceAll(' ', '')}`;
