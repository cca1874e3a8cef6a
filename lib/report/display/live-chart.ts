/**
 * A chart of curves that grows while a model trains. In a notebook it redraws in place, never more than a tenth of the
 * time; in a terminal it stays silent (the progress line tells the values) and says one line at the end.
 */
import { ArgumentError, MissingPackageError } from '../../errors';
import type { Figure } from '../figure';
import type { AxisOptions } from '../figure-style';
import { lineFigure } from '../figures/line';
import { formatNumber } from '../numbers';
import { renderSvg } from '../render-figure';
import { figureBundle } from './figures';
import { notebook, show, updatingDisplay, type Bundle } from './hook';

export interface LiveChartOptions {
  title: string;
  x: AxisOptions;
  y: AxisOptions;
  /** See lineFigure. */
  smoothing?: number;
  /** Points of each curve in the closing figure, evenly chosen; default all. */
  points?: number;
  /** Least milliseconds between two redraws; default 1000. */
  interval?: number;
  /** Milliseconds of some clock; default performance.now. For tests. */
  now?: () => number;
}

export interface LiveChart {
  /** Adds one point at `x` to each named curve; a new name starts a new curve. */
  add(x: number, values: Record<string, number | null>): void;
  /** The chart as it is now. @throws ArgumentError while it has no point */
  figure(): Figure;
  /** Draws the last state and returns it. Throws what this drawing throws; one that failed on the way is forgotten. */
  finish(): Promise<Figure>;
}

/** Points per curve that are drawn while training goes on; the figure at the end has all. */
const drawnPoints = 400;

/** Starts a live chart. */
export function liveChart(options: LiveChartOptions): LiveChart {
  const { title, x, y, smoothing, points = Infinity, now = () => performance.now() } = options;
  const curves = new Map<string, { x: number[]; y: (number | null)[] }>();
  const hook = notebook();
  const display = hook ? updatingDisplay(hook) : undefined;
  let interval = options.interval ?? 1000;
  let drawn = -Infinity;
  let drawing: Promise<void> | undefined;
  let last = '';

  const build = (limit: number): Figure => {
    const series = [...curves].map(([name, curve]) => {
      const step = Math.max(1, Math.ceil(curve.x.length / limit));
      const kept = (_: unknown, i: number) => i % step === 0 || i === curve.x.length - 1;
      return { name, x: curve.x.filter(kept), y: curve.y.filter(kept) };
    });
    return lineFigure({ title, x, y, smoothing, series });
  };

  const draw = async (figure: Figure, note: string): Promise<Bundle> => {
    const began = now();
    try {
      return figureBundle(figure, { svg: await renderSvg(figure) }, note);
    } catch (error) {
      // Without the packages that draw, a notebook still has the interactive chart.
      if (!(error instanceof MissingPackageError)) throw error;
      return figureBundle(figure, undefined, `${note}; no static picture: ${error.what} (${error.help})`);
    } finally {
      // Drawing shares this thread with the caller: spend at most a tenth of the time on it.
      interval = Math.max(options.interval ?? 1000, 10 * (now() - began));
    }
  };

  /** While training goes on, the text stays out: a terminal that follows the notebook has the progress line. */
  const redraw = async (): Promise<void> => {
    const { 'text/plain': _text, ...picture } = await draw(build(drawnPoints), '');
    display!(picture);
  };

  return {
    add(at, values) {
      if (!Number.isFinite(at)) {
        throw new ArgumentError('liveChart', `expected a finite position, got ${at}`, 'give the step');
      }
      for (const [name, value] of Object.entries(values)) {
        const curve = curves.get(name) ?? { x: [], y: [] };
        curve.x.push(at);
        // A loss that is not a number is a gap in the chart; the trainer is who stops for it.
        curve.y.push(value !== null && Number.isFinite(value) && !(y.log && value <= 0) ? value : null);
        curves.set(name, curve);
      }
      const known = Object.entries(values).map(([k, v]) => `${k} ${v === null ? 'n/a' : formatNumber(v)}`);
      last = `, ${x.title} ${formatNumber(at)}: ${known.join(', ')}`;
      if (!display || drawing || curves.size === 0 || now() - drawn < interval) return;
      drawing = redraw()
        // A busy machine may have been too slow for it; what is wrong with the chart itself comes out at the end.
        .catch(() => undefined)
        .finally(() => {
          drawing = undefined;
          drawn = now();
        });
    },
    figure: () => build(points),
    async finish() {
      await drawing;
      const figure = build(points);
      if (display) display(await draw(figure, last));
      else show(figureBundle(figure, undefined, last));
      return figure;
    },
  };
}
