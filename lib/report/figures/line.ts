/** Curves over steps or sizes: training curves of several runs, smoothed on request, with bands of spread. */
import { ArgumentError } from '../../errors';
import type { Figure } from '../figure';
import {
  axisLayout,
  baseLayout,
  checkNames,
  checkValues,
  extentOf,
  legendWidth,
  seriesStyle,
  withAlpha,
  wrapText,
  type AxisOptions,
  type FigureOptions,
} from '../figure-style';

type Numbers = ArrayLike<number | null>;

export interface LineSeries {
  name: string;
  /** Positions; default 0, 1, 2, ... */
  x?: ArrayLike<number>;
  /** Values; null is a gap. */
  y: Numbers;
  /** Edges of a band around the curve (for instance mean ± standard deviation over seeds), as long as `y`. */
  lower?: Numbers;
  upper?: Numbers;
}

export interface LineFigureOptions extends FigureOptions {
  x: AxisOptions;
  y: AxisOptions;
  series: LineSeries[];
  /** Weight of the past in an exponential moving average, in [0, 1); 0 (default) draws the values as they are. The raw
   * values stay visible as a thin line behind. */
  smoothing?: number;
  /** What the bands are, for the line under the title: "lowest to highest of 3 seeds". */
  band?: string;
}

const where = 'lineFigure';

/** Exponential moving average without the bias towards its start; gaps stay gaps. */
export function smooth(values: Numbers, weight: number): (number | null)[] {
  let sum = 0;
  let norm = 0;
  return Array.from(values, (value) => {
    if (value === null) return null;
    sum = weight * sum + (1 - weight) * value;
    norm = weight * norm + (1 - weight);
    return sum / norm;
  });
}

function checkSeries(options: LineFigureOptions): void {
  checkNames(where, 'series', options.series.map((s) => s.name)); // prettier-ignore
  for (const { name, x, y, lower, upper } of options.series) {
    if (y.length === 0) throw new ArgumentError(where, `expected values in series "${name}", got none`, 'leave it out');
    checkValues(where, `series "${name}"`, y, y.length);
    if (x) checkValues(where, `x of series "${name}"`, x, y.length, false);
    if (!lower !== !upper) {
      throw new ArgumentError(where, `expected both lower and upper in series "${name}", got one`, 'give both or none');
    }
    if (lower) checkValues(where, `lower of series "${name}"`, lower, y.length);
    if (upper) checkValues(where, `upper of series "${name}"`, upper, y.length);
    const logs: [AxisOptions, Numbers | undefined][] = [
      [options.x, x],
      [options.y, y],
      [options.y, lower],
    ];
    for (const [axis, values] of logs) {
      const bad = axis.log && values ? Array.from(values).findIndex((v) => v !== null && v <= 0) : -1;
      if (bad >= 0) {
        throw new ArgumentError(
          where,
          `expected values above 0 on the log axis "${axis.title}", got ${values![bad]} in series "${name}"`,
          'use a linear axis, or null for that value',
        );
      }
    }
  }
}

/** A line chart. @throws ArgumentError for ragged, empty, non-finite or (on a log axis) non-positive values. */
export function lineFigure(options: LineFigureOptions): Figure {
  const { series, smoothing = 0 } = options;
  if (!(smoothing >= 0 && smoothing < 1)) {
    throw new ArgumentError(where, `expected smoothing in [0, 1), got ${smoothing}`, 'use for instance 0.9, or 0 for none');
  }
  checkSeries(options);
  const background: object[] = [];
  const curves: object[] = [];
  series.forEach((one, i) => {
    const { color, dash, marker } = seriesStyle(i);
    const x = one.x ? Array.from(one.x) : Array.from({ length: one.y.length }, (_, k) => k);
    const y = Array.from(one.y);
    const quiet = { type: 'scatter', x, hoverinfo: 'skip', showlegend: false, mode: 'lines' };
    if (one.lower && one.upper) {
      background.push({ ...quiet, y: Array.from(one.lower), line: { width: 0 } });
      background.push({ ...quiet, y: Array.from(one.upper), line: { width: 0 }, fill: 'tonexty', fillcolor: withAlpha(color, 0.18) });
    }
    if (smoothing > 0) background.push({ ...quiet, y, line: { color: withAlpha(color, 0.3), width: 1 } });
    curves.push({
      type: 'scatter',
      name: wrapText(one.name, legendWidth),
      x,
      y: smoothing > 0 ? smooth(y, smoothing) : y,
      mode: 'lines+markers',
      line: { color, dash, width: 2 },
      // A few marks along the line tell the curves apart in print; a mark on each of 1,000 points would hide it.
      marker: { color, symbol: marker, size: 7, maxdisplayed: 12 },
    });
  });
  const note = [
    ...(options.note ? [options.note] : []),
    ...(smoothing > 0 ? [`thick: moving average (weight of the past ${smoothing}); thin: as measured`] : []),
    ...(options.band && series.some((s) => s.lower) ? [`band: ${options.band}`] : []),
  ].join('; ');
  const layout = baseLayout({ ...options, note }, series.map((s) => s.name)); // prettier-ignore
  const drawn = series.flatMap((s) => [s.y, ...(s.lower && s.upper ? [s.lower, s.upper] : [])]);
  const [width, height] = [layout.width as number, layout.height as number];
  return {
    data: [...background, ...curves],
    layout: {
      ...layout,
      xaxis: axisLayout(options.x, width - 160, where, extentOf(series.flatMap((s) => (s.x ? [s.x] : [])))),
      yaxis: axisLayout(options.y, height - 140, where, extentOf(drawn), true),
    },
  };
}
