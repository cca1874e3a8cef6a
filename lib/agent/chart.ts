/**
 * `chart`: a figure from data. The result is a plotly description, which notebooks, browsers and `omnilab/report` draw;
 * the model is told what was made. (Drawing itself is a matter of reports, which stand above the agent.)
 */
import { z } from 'zod';
import { defineTool } from './tool';

/** A plotly figure, as omnilab/report's `renderFigure` and plotly.js take it. */
export interface ChartFigure {
  data: object[];
  layout: object;
}

const label = z.union([z.string(), z.number()]);
const parameters = z
  .strictObject({
    kind: z.enum(['bar', 'line', 'scatter', 'pie']),
    /** Categories, or positions along x. */
    x: z.array(label).min(1).max(1000),
    /** One series, or several with names; null is a gap. */
    y: z.union([
      z.array(z.number().nullable()).min(1),
      z
        .array(z.strictObject({ name: z.string(), values: z.array(z.number().nullable()).min(1) }))
        .min(1)
        .max(20),
    ]),
    title: z.string().optional(),
    x_title: z.string().optional(),
    y_title: z.string().optional(),
  })
  .superRefine(({ kind, x, y }, context) => {
    const series = seriesOf(y);
    for (const { name, values } of series)
      if (values.length !== x.length)
        context.addIssue({
          code: 'custom',
          path: ['y'],
          message: `expected ${x.length} values${name ? ` in ${name}` : ''}, got ${values.length}`,
        });
    if (kind === 'pie' && (series.length > 1 || series[0].values.some((v) => v === null || v < 0)))
      context.addIssue({ code: 'custom', path: ['y'], message: 'a pie takes one series of numbers of 0 or more' });
  });

type Values = (number | null)[];
const seriesOf = (y: Values | { name: string; values: Values }[]): { name: string; values: Values }[] =>
  y.every((v) => typeof v === 'object' && v !== null) ? y : [{ name: '', values: y }];

/** The tool. The value of its result is a ChartFigure. */
export const chart = () =>
  defineTool({
    name: 'chart',
    description: 'Draws a bar, line, scatter or pie chart of numbers.',
    parameters,
    run({ kind, x, y, title, x_title, y_title }) {
      const series = seriesOf(y);
      const data = series.map(({ name, values }) => {
        if (kind === 'pie') return { type: 'pie', labels: x, values, sort: false };
        const named = name ? { name } : {};
        if (kind === 'bar') return { type: 'bar', x, y: values, ...named };
        return { type: 'scatter', mode: kind === 'line' ? 'lines+markers' : 'markers', x, y: values, ...named };
      });
      const axis = (text: string | undefined) => (text === undefined ? {} : { title: { text } });
      const figure: ChartFigure = {
        data,
        layout: {
          ...axis(title),
          xaxis: axis(x_title),
          yaxis: axis(y_title),
          showlegend: kind === 'pie' || series.length > 1,
        },
      };
      const size = `${series.length > 1 ? `${series.length} series of ` : ''}${x.length} values`;
      return { text: `made a ${kind} chart of ${size}${title ? `: ${title}` : ''}`, value: figure };
    },
  });
