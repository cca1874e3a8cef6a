/** Grouped bars with error bars: one group of bars for each category, one bar in it for each method. */
import type { Figure } from '../figure';
import {
  axisLayout,
  baseLayout,
  checkNames,
  checkValues,
  extentOf,
  legendWidth,
  seriesStyle,
  wrapText,
  type AxisOptions,
  type FigureOptions,
} from '../figure-style';
import { formatNumber } from '../numbers';
import { tickLabels } from './tick-labels';

export interface BarGroup {
  /** Legend entry, for instance a method. */
  name: string;
  /** One value for each category; null (missing) is written "n/a" in the bar's place. */
  values: (number | null)[];
  /** Half length of each error bar, in the unit of the values. */
  errors?: (number | null)[];
}

export interface BarFigureOptions extends FigureOptions {
  categories: string[];
  groups: BarGroup[];
  y: AxisOptions;
  /** What the categories are. */
  xTitle?: string;
  /** Write each value above its bar. Default: when there are at most 16 bars. */
  valueLabels?: boolean;
}

const where = 'barFigure';

/** A grouped bar chart. @throws ArgumentError for ragged or non-finite values and repeated names. */
export function barFigure(options: BarFigureOptions): Figure {
  const { categories, groups } = options;
  checkNames(where, 'categories', categories);
  checkNames(where, 'groups', groups.map((g) => g.name)); // prettier-ignore
  for (const { name, values, errors } of groups) {
    checkValues(where, `group "${name}"`, values, categories.length);
    if (errors) checkValues(where, `errors of group "${name}"`, errors, categories.length);
  }
  const labelled = options.valueLabels ?? categories.length * groups.length <= 16;
  const layout = baseLayout(options, groups.map((g) => g.name)); // prettier-ignore
  const width = layout.width as number;
  const margin = layout.margin as { l: number };
  const perCategory = (width - (groups.length > 1 ? 320 : 130)) / categories.length;
  const { ticktext, tickangle, extraHeight, left } = tickLabels(categories, perCategory);
  const height = options.height ?? (layout.height as number) + extraHeight;
  const data = groups.map((group, i) => {
    const { color, hatching } = seriesStyle(i);
    const labels = group.values.map((value) => (value === null ? 'n/a' : labelled ? formatNumber(value) : ''));
    return {
      type: 'bar',
      name: wrapText(group.name, legendWidth),
      x: categories.map((_, k) => k),
      // A missing bar has height 0 so that its "n/a" has a place.
      y: group.values.map((value) => value ?? (options.y.log ? null : 0)),
      text: group.errors ? labels.map((label) => (label === 'n/a' ? label : '')) : labels,
      textposition: 'outside',
      cliponaxis: false,
      marker: {
        color,
        line: { color: '#222222', width: 0.8 },
        ...(hatching ? { pattern: { shape: hatching, fgcolor: '#222222', fillmode: 'overlay', size: 7, fgopacity: 0.55 } } : {}),
      },
      ...(group.errors
        ? { error_y: { type: 'data', array: group.errors.map((e) => e ?? 0), visible: true, color: '#222222', thickness: 1.5, width: 4 } }
        : {}),
    };
  });
  return {
    data,
    layout: {
      ...layout,
      height,
      margin: { ...margin, l: Math.max(margin.l, left) },
      barmode: 'group',
      bargap: 0.25,
      bargroupgap: 0.04,
      xaxis: {
        ...axisLayout({ title: options.xTitle ?? '' }, width - 160, where),
        tickmode: 'array',
        tickvals: categories.map((_, k) => k),
        ticktext,
        tickangle,
        ticklabeloverflow: 'allow',
        showgrid: false,
      },
      yaxis: axisLayout(options.y, height - extraHeight - 140, where, extentOf(groups.map((g) => g.values))),
    },
  };
}
