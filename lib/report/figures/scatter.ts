/** Points that weigh two measures against each other, with the Pareto front and a label beside each point. */
import type { Figure } from '../figure';
import {
  axisLayout,
  baseLayout,
  checkNames,
  checkValues,
  legendWidth,
  seriesStyle,
  wrapText,
  type AxisOptions,
  type FigureOptions,
} from '../figure-style';
import { placeLabels } from './place-labels';

export interface ScatterPoint {
  name: string;
  x: number;
  y: number;
  /** Points of one group share colour and mark, and stand in the legend. */
  group?: string;
  /** Half lengths of error bars. */
  xError?: number;
  yError?: number;
}

export interface ScatterFigureOptions extends FigureOptions {
  x: AxisOptions;
  y: AxisOptions;
  points: ScatterPoint[];
  /** Draw the Pareto front, and say for each axis which way is better. */
  front?: { x: 'higher' | 'lower'; y: 'higher' | 'lower' };
  /** Write the name beside each point. Default true. */
  pointLabels?: boolean;
}

const where = 'scatterFigure';

/** Indices of the points that no other point beats on both axes (equal on one and better on the other also beats). */
export function paretoFront(
  points: { x: number; y: number }[],
  better: { x: 'higher' | 'lower'; y: 'higher' | 'lower' },
): number[] {
  const sign = { higher: 1, lower: -1 };
  const at = points.map(({ x, y }) => [x * sign[better.x], y * sign[better.y]]);
  return at.flatMap(([x, y], i) => (at.some(([u, v]) => u >= x && v >= y && (u > x || v > y)) ? [] : [i]));
}

/** Range of values with room at both ends for marks, error bars and labels. */
function roomyRange(values: number[], errors: number[], log: boolean, share: number): [number, number] {
  const ends = values.flatMap((v, i) => [v - errors[i], v + errors[i]]).filter((v) => !log || v > 0);
  const scaled = log ? ends.map(Math.log10) : ends;
  const [low, high] = [Math.min(...scaled), Math.max(...scaled)];
  const room = (high - low || Math.abs(high) || 1) * share;
  return log ? [10 ** (low - room), 10 ** (high + room)] : [low - room, high + room];
}

/** How an annotation stands on that side of its point, 9 pixels off. */
function besidePoint(position: string): { xanchor: string; yanchor: string; xshift: number; yshift: number } {
  const [vertical, horizontal] = position.split(' ');
  return {
    xanchor: { left: 'right', right: 'left', center: 'center' }[horizontal]!,
    yanchor: { top: 'bottom', bottom: 'top', middle: 'middle' }[vertical]!,
    xshift: { left: -9, right: 9, center: 0 }[horizontal]!,
    yshift: { top: 8, bottom: -8, middle: 0 }[vertical]!,
  };
}

/** A scatter chart. @throws ArgumentError for non-finite values, values not above 0 on a log axis, repeated names. */
export function scatterFigure(options: ScatterFigureOptions): Figure {
  const { points, front } = options;
  checkNames(where, 'points', points.map((p) => p.name)); // prettier-ignore
  for (const [key, axis] of [['x', options.x], ['y', options.y]] as const) { // prettier-ignore
    checkValues(where, `${key} of points`, points.map((p) => p[key]), points.length, false); // prettier-ignore
    if (axis.log) checkValues(where, `the logarithm of ${key}`, points.map((p) => Math.log10(p[key])), points.length, false); // prettier-ignore
  }
  const groups = [...new Set(points.map((p) => p.group ?? ''))];
  const legend = groups.length > 1 || groups[0] !== '' ? groups.map((g) => g || 'other') : [];
  const layout = baseLayout(options, [...legend, ...(front ? ['Pareto front', ''] : [])]);
  const xRange = options.x.range ?? roomyRange(points.map((p) => p.x), points.map((p) => p.xError ?? 0), !!options.x.log, 0.14); // prettier-ignore
  const yRange = options.y.range ?? roomyRange(points.map((p) => p.y), points.map((p) => p.yError ?? 0), !!options.y.log, 0.1); // prettier-ignore
  const size = {
    width: (layout.width as number) - 130 - (layout.showlegend ? 210 : 0),
    height: (layout.height as number) - 130,
  };
  const share = (v: number, [low, high]: [number, number], log?: boolean) =>
    log ? Math.log(v / low) / Math.log(high / low) : (v - low) / (high - low);
  const xAt = (v: number): number => share(v, xRange, options.x.log) * size.width;
  const yAt = (v: number): number => (1 - share(v, yRange, options.y.log)) * size.height;
  const positions = placeLabels(
    points.map(({ name, x, y, xError = 0, yError = 0 }) => ({
      text: name,
      x: xAt(x),
      y: yAt(y),
      xError: xAt(x + xError) - xAt(x),
      yError: yAt(y) - yAt(y + yError),
    })),
    size,
  );
  const data: object[] = groups.map((group, i) => {
    const { color, marker } = seriesStyle(i);
    const mine = points.flatMap((p, k) => ((p.group ?? '') === group ? [k] : []));
    const errors = (key: 'xError' | 'yError') =>
      mine.some((k) => points[k][key] !== undefined)
        ? { type: 'data', array: mine.map((k) => points[k][key] ?? 0), visible: true, thickness: 1.2, width: 4 }
        : undefined;
    return {
      type: 'scatter',
      name: wrapText(group || 'other', legendWidth),
      showlegend: legend.length > 0,
      x: mine.map((k) => points[k].x),
      y: mine.map((k) => points[k].y),
      error_x: errors('xError'),
      error_y: errors('yError'),
      mode: 'markers',
      cliponaxis: false,
      marker: { color, symbol: marker, size: 11, line: { color: '#222222', width: 0.8 } },
    };
  });
  if (front) {
    const best = paretoFront(points, front)
      .map((k) => points[k])
      .sort((a, b) => a.x - b.x);
    data.unshift({
      type: 'scatter',
      name: 'Pareto front',
      x: best.map((p) => p.x),
      y: best.map((p) => p.y),
      // Rings: a front of one point is no line.
      mode: 'lines+markers',
      line: { color: '#555555', dash: 'dash', width: 1.5 },
      marker: { color: '#555555', symbol: 'circle-open', size: 20, line: { color: '#555555', width: 1.5 } },
    });
  }
  // Labels on a white ground, so that an error bar behind one does not strike it out.
  const annotations =
    options.pointLabels === false
      ? []
      : points.map(({ name, x, y }, k) => ({
          text: wrapText(name, 200),
          x: options.x.log ? Math.log10(x) : x,
          y: options.y.log ? Math.log10(y) : y,
          showarrow: false,
          font: { size: 12 },
          bgcolor: 'rgba(255,255,255,0.8)',
          borderpad: 0,
          ...besidePoint(positions[k]),
        }));
  const arrow = (way?: 'higher' | 'lower') => (way ? ` (${way} is better)` : '');
  return {
    data,
    layout: {
      ...layout,
      showlegend: legend.length > 0 || front !== undefined,
      annotations,
      xaxis: axisLayout({ ...options.x, title: options.x.title + arrow(front?.x), range: xRange }, size.width, where, options.x.log ? xRange : undefined),
      yaxis: axisLayout({ ...options.y, title: options.y.title + arrow(front?.y), range: yRange }, size.height, where, options.y.log ? yRange : undefined),
    },
  };
}
