/**
 * The house style of figures: colours that colour-blind readers tell apart (Okabe and Ito, "Color Universal Design",
 * 2008), and beside each colour a dash, a marker and a hatching, so that colour is never the only cue; margins that
 * grow with their labels, so that no text is cut off.
 */
import { ArgumentError } from '../errors';
import { fontFamily } from './fonts';
import { formatNumber } from './numbers';

/** Okabe-Ito, but for its yellow, which is too weak for a line on white: in its place the wine red of Tol's muted scheme. */
export const palette = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000', '#882255'];

const dashes = ['solid', 'dash', 'dot', 'dashdot', 'longdash', 'longdashdot'];
const markers = ['circle', 'square', 'diamond', 'triangle-up', 'cross', 'x', 'star', 'triangle-down', 'pentagon'];
const hatchings = ['', '/', 'x', '.', '\\', '-', '+', '|'];

export interface SeriesStyle {
  color: string;
  dash: string;
  marker: string;
  hatching: string;
}

/** How series `index` looks. The lists have different lengths, so that 72 series all differ. */
export function seriesStyle(index: number): SeriesStyle {
  return {
    color: palette[index % palette.length],
    dash: dashes[index % dashes.length],
    marker: markers[index % markers.length],
    hatching: hatchings[(index + Math.floor(index / hatchings.length)) % hatchings.length],
  };
}

/** `#RRGGBB` with an opacity, as plotly writes it. */
export function withAlpha(color: string, alpha: number): string {
  const value = parseInt(color.slice(1), 16);
  return `rgba(${value >> 16},${(value >> 8) & 255},${value & 255},${alpha})`;
}

/** Text that plotly shows literally: its pseudo-HTML is switched off. */
function escapeText(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

/** Breaks a text at spaces (or, in a long word, after _ - / or at the limit) and escapes it; lines joined by <br>. */
export function wrapText(text: string, limit: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).flatMap((w) => breakWord(w, limit))) {
    const joined = line === '' ? word.text : line + (word.glued ? '' : ' ') + word.text;
    if (line !== '' && joined.length > limit) {
      lines.push(line);
      line = word.text;
    } else line = joined;
  }
  lines.push(line);
  return lines.map(escapeText).join('<br>');
}

function breakWord(word: string, limit: number): { text: string; glued: boolean }[] {
  if (word.length <= limit) return [{ text: word, glued: false }];
  const pieces = word
    .split(/(?<=[_\-/.])/)
    .flatMap((piece) => piece.match(new RegExp(`.{1,${limit}}`, 'gu')) ?? [piece]);
  return pieces.map((text, i) => ({ text, glued: i > 0 }));
}

/** An axis as the figure helpers take it. */
export interface AxisOptions {
  /** What is measured, without its unit. */
  title: string;
  /** Unit, shown in brackets after the title. */
  unit?: string;
  log?: boolean;
  /** Lowest and highest value shown (values, not exponents, on a log axis too). */
  range?: [number, number];
}

/** Ticks at 1, 2, 5, 10, ... up to 2.5 decades, at powers of ten above, at seven a decade below one; below half a decade plotly's own are better. */
function logTicks([low, high]: [number, number]): object {
  const decades = Math.log10(high / low);
  if (!(decades > 0.5)) return {};
  const steps = decades > 2.5 ? [1] : decades > 1 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 7];
  const tickvals: number[] = [];
  for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)) + 1; power++) {
    tickvals.push(...steps.map((step) => Number(`${step}e${power}`)));
  }
  const text = (value: number) =>
    value >= 1e-3 && value < 1e9 ? String(value) : formatNumber(value, 2).replace(/\.0e/, 'e');
  return { tickmode: 'array', tickvals, ticktext: tickvals.map(text) };
}

/** Lowest and highest of the values, gaps left out. */
export function extentOf(lists: ArrayLike<number | null>[]): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const list of lists) {
    for (let i = 0; i < list.length; i++) {
      const value = list[i];
      if (value !== null && value < low) low = value;
      if (value !== null && value > high) high = value;
    }
  }
  return [low, high];
}

/**
 * A plotly axis in the house style. `length` is the axis's length in pixels, for wrapping its title; `extent` the
 * lowest and highest value on it, from which a log axis takes its ticks; `roomBelow` widens the lower end, too, where a
 * value lies on it (bars begin at theirs).
 */
export function axisLayout(
  axis: AxisOptions,
  length: number,
  where: string,
  extent?: [number, number],
  roomBelow = false,
): Record<string, unknown> {
  const { title, unit, log, range } = axis;
  if (range && !(range[0] < range[1] && (!log || range[0] > 0))) {
    throw new ArgumentError(
      where,
      `expected the range of "${title}" to rise${log ? ' and to be above 0' : ''}, got [${range.join(', ')}]`,
      'give [lowest, highest]',
    );
  }
  // What lies at an end of the range would be drawn half: curves, their marks, the upper edge of a bar.
  const room = range && !log ? 0.02 * (range[1] - range[0]) : 0;
  const shown = range && [range[0] - (roomBelow && extent && extent[0] <= range[0] ? room : 0), range[1] + (extent && extent[1] >= range[1] ? room : 0)]; // prettier-ignore
  return {
    title: { text: wrapText(unit ? `${title} [${unit}]` : title, Math.floor(length / 8)), standoff: 12 },
    type: log ? 'log' : 'linear',
    ...(shown ? { range: log ? shown.map(Math.log10) : shown } : {}),
    exponentformat: 'e',
    automargin: true,
    showline: true,
    linecolor: '#444444',
    gridcolor: '#E3E3E3',
    zeroline: false,
    ticks: 'outside',
    ticklen: 5,
    tickcolor: '#444444',
    ...(log && extent ? logTicks(range ?? extent) : {}),
  };
}

export interface FigureOptions {
  title: string;
  /** Picture size in CSS pixels; default 900 wide, and as high as legend and labels need. */
  width?: number;
  height?: number;
  /** A smaller line under the title: what bands, error bars and thin lines are. */
  note?: string;
}

/** Longest legend line in characters; longer names are wrapped. */
export const legendWidth = 26;

/** The layout all figures share. `names` are the legend's entries; a single one needs no legend. */
export function baseLayout(options: FigureOptions, names: string[]): Record<string, unknown> {
  const width = options.width ?? 900;
  const note = options.note ? wrapText(options.note, Math.floor((width - 60) / 7.4)) : '';
  const title =
    wrapText(options.title, Math.floor((width - 60) / 10.2)) +
    note
      .split('<br>')
      .filter(Boolean)
      .map((line) => `<br><span style="font-size:12px">${line}</span>`)
      .join('');
  const titleLines = title.split('<br>').length;
  const legendLines = names.map((name) => wrapText(name, legendWidth).split('<br>').length);
  const legendHeight = legendLines.reduce((sum, lines) => sum + 6 + 17 * lines, 0);
  const top = 38 + 23 * titleLines;
  return {
    width,
    height: options.height ?? Math.max(540, top + legendHeight + 60),
    title: {
      text: title,
      x: 0.5,
      xanchor: 'center',
      y: 1,
      yanchor: 'top',
      yref: 'container',
      pad: { t: 18 + 11 * (titleLines - 1) },
      font: { size: 17 },
    },
    font: { family: fontFamily, size: 13, color: '#222222' },
    colorway: palette,
    paper_bgcolor: 'white',
    plot_bgcolor: 'white',
    margin: { l: 70, r: 30, t: top, b: 60 },
    showlegend: names.length > 1,
    legend: {
      x: 1.02,
      xanchor: 'left',
      y: 1,
      yanchor: 'top',
      font: { size: 12 },
      tracegroupgap: 4,
      traceorder: 'normal',
      itemwidth: 40,
    },
    hoverlabel: { font: { family: fontFamily } },
  };
}

/** @throws ArgumentError unless there is at least one series and names are distinct and not empty. */
export function checkNames(where: string, what: string, names: string[]): void {
  if (names.length === 0) throw new ArgumentError(where, `expected at least one of ${what}, got none`, `give ${what}`);
  const seen = new Set<string>();
  for (const name of names) {
    if (typeof name !== 'string' || name.trim() === '' || seen.has(name)) {
      throw new ArgumentError(
        where,
        `expected distinct names for ${what}, got ${JSON.stringify(name)}${seen.has(name) ? ' twice' : ''}`,
        'name each one, once',
      );
    }
    seen.add(name);
  }
}

/** @throws ArgumentError unless `values` has `length` entries, each a finite number or (if allowed) null. */
export function checkValues(
  where: string,
  what: string,
  values: ArrayLike<number | null>,
  length: number,
  allowNull = true,
): void {
  if (values.length !== length) {
    throw new ArgumentError(
      where,
      `expected ${length} values in ${what}, got ${values.length}`,
      allowNull ? 'use null where a value is missing' : 'give one value for each place',
    );
  }
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (value === null ? !allowNull : !Number.isFinite(value)) {
      throw new ArgumentError(
        where,
        `expected a finite number in ${what}[${i}], got ${String(value)}`,
        allowNull ? 'use null where a value is missing or has diverged' : 'leave the series out when it is incomplete',
      );
    }
  }
}
