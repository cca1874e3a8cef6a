/** A radar chart: several methods on several indices that share one scale. */
import { ArgumentError } from '../../errors';
import type { Figure } from '../figure';
import {
  baseLayout,
  checkNames,
  checkValues,
  legendWidth,
  seriesStyle,
  withAlpha,
  wrapText,
  type FigureOptions,
} from '../figure-style';
import { formatNumber } from '../numbers';

export interface RadarFigureOptions extends FigureOptions {
  /** Names of the indices, three or more. */
  axes: string[];
  series: { name: string; values: number[] }[];
  /** Scale of all axes; default from 0 to the highest value. */
  range?: [number, number];
  /** What the scale is, written under the title with where it begins and ends. */
  unit?: string;
}

const where = 'radarFigure';

/** A radar chart. @throws ArgumentError for fewer than three axes, missing values or a range that cuts values off. */
export function radarFigure(options: RadarFigureOptions): Figure {
  const { axes, series } = options;
  checkNames(where, 'axes', axes);
  checkNames(where, 'series', series.map((s) => s.name)); // prettier-ignore
  if (axes.length < 3) {
    throw new ArgumentError(where, `expected three axes or more, got ${axes.length}`, 'use barFigure for one or two');
  }
  for (const { name, values } of series) checkValues(where, `series "${name}"`, values, axes.length, false);
  const all = series.flatMap((s) => s.values);
  const range = options.range ?? [Math.min(0, ...all), Math.max(...all, 1e-9) * 1.05];
  const outside = all.find((value) => value < range[0] || value > range[1]);
  if (!(range[0] < range[1]) || outside !== undefined) {
    throw new ArgumentError(
      where,
      `expected a rising range that holds all values, got [${range.join(', ')}]${outside === undefined ? '' : ` and the value ${outside}`}`,
      'widen the range, or leave it out',
    );
  }
  const theta = axes.map((axis) => wrapText(axis, 18));
  const data = series.map(({ name, values }, i) => {
    const { color, dash, marker } = seriesStyle(i);
    return {
      type: 'scatterpolar',
      name: wrapText(name, legendWidth),
      // The first point once more closes the polygon.
      r: [...values, values[0]],
      theta: [...theta, theta[0]],
      mode: 'lines+markers',
      line: { color, dash, width: 2 },
      marker: { color, symbol: marker, size: 7 },
      fill: 'toself',
      // Many filled polygons would hide each other.
      fillcolor: withAlpha(color, series.length <= 3 ? 0.12 : 0),
    };
  });
  const [from, to] = range.map((end) => formatNumber(end));
  const scale = `${options.unit ?? 'scale'}: ${from} at the centre, ${to} at the rim`;
  const note = options.note ? `${scale}; ${options.note}` : scale;
  const layout = baseLayout({ ...options, note }, series.map((s) => s.name)); // prettier-ignore
  const angle = 90 - 180 / axes.length;
  const labelLines = Math.max(...theta.map((label) => label.split('<br>').length));
  return {
    data,
    layout: {
      ...layout,
      margin: { l: 130, r: 130, t: (layout.margin as { t: number }).t + 18 * labelLines, b: 30 + 18 * labelLines },
      legend: { ...(layout.legend as object), x: 1.22 },
      polar: {
        angularaxis: { type: 'category', direction: 'clockwise', rotation: 90, gridcolor: '#D5D5D5', linecolor: '#444444' },
        radialaxis: { range, gridcolor: '#D5D5D5', angle,
          // plotly turns the labels with their axis; this turns them back.
          tickangle: angle, tickfont: { size: 11 }, nticks: 8 },
      },
    },
  };
}
