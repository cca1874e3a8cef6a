/** A heat map: a matrix of values as colours (Cividis, which colour-blind readers see as others do) and numbers. */
import type { Figure } from '../figure';
import { axisLayout, baseLayout, checkNames, checkValues, wrapText, type FigureOptions } from '../figure-style';
import { formatNumber } from '../numbers';
import { tickLabels } from './tick-labels';

export interface HeatmapFigureOptions extends FigureOptions {
  /** Names of the columns and rows; rows are drawn from the top. */
  columns: string[];
  rows: string[];
  /** One row of values for each name in `rows`; null (missing) is grey and says "n/a". */
  values: (number | null)[][];
  /** What the values are, written at the colour bar. */
  valueTitle: string;
  xTitle?: string;
  yTitle?: string;
  /** Values at the ends of the colour scale. */
  range?: [number, number];
  /** Write the value into each cell. Default: when there are at most 200 cells. */
  valueLabels?: boolean;
}

const where = 'heatmapFigure';

/** A heat map. @throws ArgumentError for ragged or non-finite values and repeated names. */
export function heatmapFigure(options: HeatmapFigureOptions): Figure {
  const { columns, rows, values, range } = options;
  checkNames(where, 'columns', columns);
  checkNames(where, 'rows', rows);
  if (values.length !== rows.length) checkValues(where, 'values (rows)', new Array<null>(values.length), rows.length);
  values.forEach((row, i) => checkValues(where, `row "${rows[i]}"`, row, columns.length));
  const labelled = options.valueLabels ?? rows.length * columns.length <= 200;
  const layout = baseLayout(options, []);
  const width = layout.width as number;
  const margin = layout.margin as { l: number };
  const { ticktext, tickangle, extraHeight, left } = tickLabels(columns, (width - 300) / columns.length);
  const known = values.flat().filter((v): v is number => v !== null);
  const [low, high] = range ?? [Math.min(...known), Math.max(...known)];
  const annotations = values.flatMap((row, i) =>
    row.flatMap((value, k) => {
      if (value !== null && !labelled) return [];
      // Cividis is dark below its middle.
      const dark = value !== null && (value - low) / (high - low || 1) < 0.55;
      return {
        x: k,
        y: i,
        text: value === null ? 'n/a' : formatNumber(value),
        showarrow: false,
        font: { size: 11, color: dark ? '#FFFFFF' : '#000000' },
      };
    }),
  );
  const axis = (title: string, length: number, labels: string[]) => ({
    ...axisLayout({ title }, length, where),
    tickmode: 'array',
    tickvals: labels.map((_, k) => k),
    ticktext: labels,
    showgrid: false,
  });
  const height = options.height ?? Math.max(420, rows.length * 30 + 220) + extraHeight;
  return {
    data: [
      {
        type: 'heatmap',
        x: columns.map((_, k) => k),
        y: rows.map((_, k) => k),
        z: values,
        colorscale: 'Cividis',
        zmin: low,
        zmax: high === low ? low + 1 : high,
        xgap: 1,
        ygap: 1,
        colorbar: { title: { text: wrapText(options.valueTitle, Math.floor((height - extraHeight - 160) / 8)), side: 'right' }, thickness: 16, outlinewidth: 0 },
      },
    ],
    layout: {
      ...layout,
      height,
      margin: { ...margin, l: Math.max(margin.l, left) },
      plot_bgcolor: '#D9D9D9',
      annotations,
      xaxis: {
        ...axis(options.xTitle ?? '', width - 260, ticktext),
        tickangle,
        ticklabeloverflow: 'allow',
      },
      yaxis: {
        ...axis(options.yTitle ?? '', height - 160, rows.map((name) => wrapText(name, 30))), // prettier-ignore
        autorange: 'reversed',
      },
    },
  };
}
