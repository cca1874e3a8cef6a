/**
 * A run that is watched while it is made: charts of what it logs, and the media that it leaves on its way. A run that is
 * there already shows its last state at once.
 */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { galleryBundle } from '../report/display/gallery';
import type { GalleryItem, GalleryRow } from '../report/display/gallery';
import { notebook, show, updatingDisplay } from '../report/display/hook';
import { liveChart } from '../report/display/live-chart';
import type { LiveChart } from '../report/display/live-chart';
import type { AxisOptions } from '../report/figure-style';
import { saveFigure } from '../report/render-figure';
import type { LogRow } from './metrics-log';
import { defaultProgress } from './progress';
import { run } from './run';
import type { RunOptions } from './run';
import type { Run } from './run-result';

/** Metrics of the log in one chart. */
export interface WatchedChart {
  title: string;
  /** Names of metrics; one that ends with "*" stands for all that begin like it. */
  curves: readonly string[];
  /** What metrics are called in the legend; default their names. */
  names?: Readonly<Record<string, string>>;
  y: AxisOptions;
  /** See lineFigure. */
  smoothing?: number;
  /** Also save the last state as a figure: `<dir>/<name>.png`, `.svg`, `.json`. */
  save?: { dir: string; name: string };
}

export interface WatchOptions extends RunOptions {
  charts?: readonly WatchedChart[];
  /**
   * Show the media that the run leaves on its way, in folders named `training/<step>` or `samples/step-<step>`, each with an
   * index.json of {file, caption}. Default: true.
   */
  samples?: boolean;
  /** Steps whose media are shown, at most: the first, the last, and those evenly between. Default 6. */
  moments?: number;
}

/** Points of a curve in the closing chart: what a screen can show, and a notebook of some hundred kilobytes holds. */
const POINTS = 400;

/** The metrics of a row that a chart wants. What a batch had none of is logged as 0, which has no place on a logarithmic axis. */
function chosen(row: LogRow, { curves, names = {}, y }: WatchedChart): Record<string, number> {
  const wanted = (name: string): boolean =>
    curves.some((c) => (c.endsWith('*') ? name.startsWith(c.slice(0, -1)) : name === c));
  const found = Object.entries(row).filter(
    (entry): entry is [string, number] =>
      entry[0] !== 'step' && typeof entry[1] === 'number' && wanted(entry[0]) && !(y.log && entry[1] === 0),
  );
  return Object.fromEntries(found.map(([metric, value]) => [names[metric] ?? metric, value]));
}

/** Evenly chosen, with the first and the last. */
export function evenly<T>(list: readonly T[], count: number): T[] {
  if (list.length <= count) return [...list];
  const at = Array.from({ length: count }, (_, i) => Math.round((i * (list.length - 1)) / Math.max(1, count - 1)));
  return at.map((i) => list[i]);
}

/** The media that a run saved in one folder (`saveSamples`), or null if they are not all there yet. */
export async function readSamples(folder: string): Promise<GalleryItem[] | null> {
  let text: string;
  try {
    text = await fs.readFile(path.join(folder, 'index.json'), 'utf8');
  } catch {
    return null;
  }
  const index = JSON.parse(text) as { file: string; caption: string }[];
  return index.map(({ file, caption }) => ({ file: path.join(folder, file), caption }));
}

/** Each step's samples as a row, in order. */
async function sampleRows(dir: string, moments: number): Promise<GalleryRow[]> {
  const steps: { step: number; folder: string }[] = [];
  for (const [parent, pattern] of [
    ['training', /^(\d+)$/],
    ['samples', /^step-(\d+)$/],
  ] as const)
    for (const name of await fs.readdir(path.join(dir, parent)).catch(() => [] as string[])) {
      const step = pattern.exec(name)?.[1];
      if (step !== undefined) steps.push({ step: Number(step), folder: path.join(dir, parent, name) });
    }
  steps.sort((a, b) => a.step - b.step);
  const rows: GalleryRow[] = [];
  for (const { step, folder } of evenly(steps, moments)) {
    const items = await readSamples(folder);
    if (items) rows.push({ label: `step ${step}`, items });
  }
  return rows;
}

/** Redraws the media when there are new ones; a terminal gets them once, at the end. */
function liveSamples(
  title: string,
  moments: number,
): { look(folder: string): void; finish(folder: string): Promise<void> } {
  const hook = notebook();
  const display = hook ? updatingDisplay(hook) : undefined;
  let shown = '';
  let looking: Promise<void> | undefined;
  const look = async (folder: string, last: boolean): Promise<void> => {
    if (!display && !last) return;
    const rows = await sampleRows(folder, moments);
    const key = rows.map((r) => r.label).join();
    if (!rows.length || (key === shown && !last)) return;
    shown = key;
    const bundle = await galleryBundle(rows, { title, width: 96, maxBytes: 260_000 });
    if (!display) show(bundle);
    // While it goes on, the text stays out of what a terminal that follows the notebook prints.
    else display(last ? bundle : { 'text/html': bundle['text/html'] });
  };
  return {
    look(folder) {
      looking ??= look(folder, false)
        .catch(() => undefined) // Files that are being replaced: the next look finds them.
        .finally(() => (looking = undefined));
    },
    async finish(folder) {
      await looking;
      await look(folder, true);
    },
  };
}

/** Like `run`, with live charts and media. @throws what `run` and the drawing throw */
export async function watch(name: string, options: WatchOptions = {}): Promise<Run> {
  const { charts = [], samples = true, moments = 6, ...rest } = options;
  const live: { chart: LiveChart; watched: WatchedChart }[] = charts.map((watched) => ({
    watched,
    chart: liveChart({
      title: watched.title,
      x: { title: 'step' },
      y: watched.y,
      smoothing: watched.smoothing,
      points: POINTS,
    }),
  }));
  const media = liveSamples(`${name}: samples during training`, moments);
  let dir = '';
  let seen = 0;
  const drawn = new Set<LiveChart>();
  const add = (row: LogRow): void => {
    seen++;
    for (const { chart, watched } of live) {
      const values = chosen(row, watched);
      if (!Object.keys(values).length) continue;
      chart.add(row.step, values);
      drawn.add(chart);
    }
  };
  const onProgress = options.onProgress ?? defaultProgress;
  const result = await run(name, {
    ...rest,
    onProgress: (event) => {
      onProgress(event);
      if (event.experiment !== name) return;
      if (event.kind === 'start') dir = event.dir;
      if (event.kind !== 'log') return;
      add(event.row);
      if (samples) media.look(dir);
    },
  });
  // What was logged before this call, or by another caller's run.
  result.log().slice(seen).forEach(add);
  for (const { chart, watched } of live) {
    if (!drawn.has(chart)) continue;
    const figure = await chart.finish();
    if (watched.save) await saveFigure(watched.save.dir, watched.save.name, figure);
  }
  if (samples) await media.finish(result.dir);
  return result;
}
