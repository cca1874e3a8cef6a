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
import { formatNumber, formatPublished } from '../numbers';
import { tickLabels } from './tick-labels';

export interface BarGroup {
  /** Legend entry, for instance a method. */
  name: string;
  /** One value for each category; null (missing) is written "n/a" in the bar's place. */
  values: (number | null)[];
  /** Half length of each error bar, in the unit of the values. */
  errors?: (number | null)[];
  /** The values are a paper's: their labels keep every digit. */
  published?: boolean;
}

export interface BarFigureOptions extends FigureOptions {
  categories: string[];
  groups: BarGroup[];
  y: AxisOptions;
  /** What the categories are. */
  xTitle?: string;
  /** Write each value above its bar. Default: when there are at most 16 bars; 0, whose bar cannot be seen, up to 40. */
  valueLabels?: boolean;
  /** Values that each group is compared with, one a bar, drawn as black diamonds under the legend entry `name`. */
  marks?: { name: string; values: (number | null)[][] };
}

const where = 'barFigure';

/** Shares of a category's width that are left free, and of a bar's. */
const [bargap, bargroupgap] = [0.25, 0.04];

/** Dark colours hide the hatching and the error bar on them; bars, which have outlines, take light ones in their place. */
const barColor = (color: string): string => ({ '#000000': '#DDDDDD', '#882255': '#F0E442' })[color] ?? color;

/** A size of letters, 9 to 13 pixels, at which labels are at most a quarter wider than their bars. */
function labelSize(labels: string[], width: number): number {
  const longest = Math.max(...labels.map((text) => text.length));
  return Math.min(13, Math.max(9, Math.floor((1.25 * width) / (0.62 * longest))));
}

/** A grouped bar chart. @throws ArgumentError for ragged or non-finite values and repeated names. */
export function barFigure(options: BarFigureOptions): Figure {
  const { categories, groups, marks } = options;
  checkNames(where, 'categories', categories);
  checkNames(where, 'groups', groups.map((g) => g.name)); // prettier-ignore
  for (const { name, values, errors } of groups) {
    checkValues(where, `group "${name}"`, values, categories.length);
    if (errors) checkValues(where, `errors of group "${name}"`, errors, categories.length);
  }
  const bars = categories.length * groups.length;
  const labelled = options.valueLabels ?? bars <= 16;
  const zeros = options.valueLabels ?? bars <= 40;
  marks?.values.forEach((values, i) => checkValues(where, `marks of group ${i}`, values, categories.length));
  const layout = baseLayout(options, [...groups.map((g) => g.name), ...(marks ? [marks.name] : [])]);
  const width = layout.width as number;
  const margin = layout.margin as { l: number };
  const perCategory = (width - (groups.length > 1 ? 320 : 130)) / categories.length;
  const { ticktext, tickangle, extraHeight, left } = tickLabels(categories, perCategory);
  const height = options.height ?? (layout.height as number) + extraHeight;
  /** Where bar `i` of category `k` has its middle. */
  const middle = (i: number, k: number): number => k + (1 - bargap) * ((i + 0.5) / groups.length - 0.5);
  const data: object[] = groups.map((group, i) => {
    const { color, hatching } = seriesStyle(i);
    return {
      type: 'bar',
      name: wrapText(group.name, legendWidth),
      x: categories.map((_, k) => k),
      // A missing bar has height 0 so that its "n/a" has a place.
      y: group.values.map((value) => value ?? (options.y.log ? null : 0)),
      marker: {
        color: barColor(color),
        line: { color: '#222222', width: 0.8 },
        ...(hatching ? { pattern: { shape: hatching, fgcolor: '#222222', fillmode: 'overlay', size: 7, fgopacity: 0.55 } } : {}),
      },
      ...(group.errors
        ? { error_y: { type: 'data', array: group.errors.map((e) => e ?? 0), visible: true, color: '#222222', thickness: 1.5, width: 4 } }
        : {}),
    };
  });
  // Labels stand above the error bars, where plotly's own would be crossed by them.
  const extent = extentOf(groups.map((g) => g.values));
  const low = options.y.range?.[0] ?? (options.y.log && Number.isFinite(extent[0]) ? extent[0] : options.y.log ? 1 : 0);
  const labels = groups.flatMap((group, i) =>
    group.values.flatMap((value, k) => {
      const text =
        value === null ? 'n/a' : labelled ? (group.published ? formatPublished(value) : formatNumber(value)) : value === 0 && zeros ? '0' : '';
      if (!text) return [];
      const error = group.errors?.[k] ?? 0;
      const [y, side] = value === null ? [low, 'top'] : value < 0 ? [value - error, 'bottom'] : [value + error, 'top'];
      return [{ text, x: middle(i, k), y, side: `${side} center` }];
    }),
  );
  const quiet = { type: 'scatter', hoverinfo: 'skip', cliponaxis: false };
  if (marks) {
    const at = marks.values.flatMap((values, i) => values.flatMap((value, k) => (value === null ? [] : [{ x: middle(i, k), y: value }])));
    data.push({
      ...quiet,
      name: wrapText(marks.name, legendWidth),
      x: at.map((p) => p.x),
      y: at.map((p) => p.y),
      mode: 'markers',
      marker: { color: '#000000', symbol: 'diamond', size: 9, line: { color: '#FFFFFF', width: 1.5 } },
    });
  }
  if (labels.length)
    data.push({
      ...quiet,
      showlegend: false,
      x: labels.map((l) => l.x),
      y: labels.map((l) => l.y),
      text: labels.map((l) => l.text),
      mode: 'text',
      textposition: labels.map((l) => l.side),
      textfont: { size: labelSize(labels.map((l) => l.text), (perCategory * (1 - bargap)) / groups.length) }, // prettier-ignore
    });
  return {
    data,
    layout: {
      ...layout,
      height,
      margin: { ...margin, l: Math.max(margin.l, left) },
      barmode: 'group',
      bargap,
      bargroupgap,
      xaxis: {
        // Labels and marks are points: without a range, plotly would give them room at the sides.
        ...axisLayout({ title: options.xTitle ?? '', range: [-0.5, categories.length - 0.5] }, width - 160, where),
        tickmode: 'array',
        tickvals: categories.map((_, k) => k),
        ticktext,
        tickangle,
        ticklabeloverflow: 'allow',
        showgrid: false,
      },
      yaxis: axisLayout(options.y, height - extraHeight - 140, where, extent),
    },
  };
}
