/**
 * What a figure is to this package: a plotly description that survives JSON. The type is our own, so that the
 * declarations need no plotly types; the attributes are those of plotly's reference.
 */
import { ArgumentError } from '../errors';

/** A plotly figure. Typed arrays are allowed in `data`; they become plain arrays when the figure is drawn or saved. */
export interface Figure {
  data: object[];
  layout?: object;
  config?: object;
}

/** Trace types that plotly draws with WebGL or from map tiles: there is no picture of them without a browser. */
const needsBrowser = new Set(
  (
    'scattergl scatterpolargl heatmapgl pointcloud splom parcoords scatter3d surface mesh3d isosurface volume cone ' +
    'streamtube densitymap scattermap choroplethmap densitymapbox scattermapbox choroplethmapbox scattergeo choropleth'
  ).split(' '),
);

/**
 * A copy of the figure in plain JSON: typed arrays become arrays, NaN and infinities become null (a gap).
 * @throws ArgumentError when it is not a figure or holds something that JSON cannot.
 */
export function plainFigure(figure: Figure, where = 'figure'): Figure & { layout: Record<string, unknown> } {
  if (!figure || typeof figure !== 'object' || !Array.isArray(figure.data)) {
    throw new ArgumentError(
      where,
      `expected a figure {data: [...], layout?, config?}, got ${figure === null ? 'null' : typeof figure}`,
      'give the traces as an array under "data"',
    );
  }
  figure.data.forEach((trace, i) => {
    if (!trace || typeof trace !== 'object' || Array.isArray(trace)) {
      throw new ArgumentError(
        where,
        `expected data[${i}] to be a trace object, got ${typeof trace}`,
        'see plotly traces',
      );
    }
  });
  try {
    const { data, layout, config } = figure;
    const text = JSON.stringify({ data, layout: layout ?? {}, config }, (_key, value: unknown) =>
      ArrayBuffer.isView(value) && !(value instanceof DataView) ? Array.from(value as Float32Array) : value,
    );
    return JSON.parse(text) as Figure & { layout: Record<string, unknown> };
  } catch (error) {
    throw new ArgumentError(
      where,
      `expected a figure that can be written as JSON, got "${(error as Error).message}"`,
      'use numbers, strings, booleans, null, arrays and plain objects; no bigint and no circle',
      { cause: error },
    );
  }
}

/** @throws ArgumentError when a trace cannot be drawn without a browser. */
export function requireDrawable(figure: Figure, where: string): void {
  figure.data.forEach((trace, i) => {
    const { type = 'scatter' } = trace as { type?: string };
    if (needsBrowser.has(type)) {
      throw new ArgumentError(
        where,
        `expected a trace that can be drawn without a browser, got data[${i}] of type "${type}" (WebGL or map)`,
        `use a flat type such as ${type === 'scattergl' ? '"scatter"' : '"scatter", "bar" or "heatmap"'}, or show the figure interactively in a notebook`,
      );
    }
  });
}

/** The title of a figure as plain text on one line, or `otherwise`. */
export function figureTitle(figure: Figure, otherwise = 'untitled'): string {
  const title = (figure.layout as { title?: string | { text?: string } } | undefined)?.title;
  const text = typeof title === 'string' ? title : title?.text;
  const plain = text
    ?.replace(/<br><span/g, '; <span')
    .replace(/<br>/g, ' ')
    .replace(/<[^>]+>/g, '')
    .trim();
  return plain ? plain : otherwise;
}
