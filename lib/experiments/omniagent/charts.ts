/** OmniAgent's figures, under the card's names. */
import { INDICES } from '../../eval/novel-indices';
import type { Run } from '../../pipeline/run-result';
import type { Figure } from '../../report/figure';
import type { AxisOptions } from '../../report/figure-style';
import { barFigure } from '../../report/figures/bar';
import type { BarGroup } from '../../report/figures/bar';
import { lineFigure } from '../../report/figures/line';
import type { LineSeries } from '../../report/figures/line';
import { radarFigure } from '../../report/figures/radar';
import { scatterFigure } from '../../report/figures/scatter';
import { CATEGORIES } from '../../world';
import { paperTable1, paperTable3 } from '../paper/omniagent';
import { METHODS } from './methods';
import type { Method } from './methods';
import { meanOf, methodsIn, valuesOf } from './results';
import type { Results } from './results';

/** Sample standard deviation over seeds; 0 for one. */
function spreadOf(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return values.length > 1 ? Math.sqrt(values.reduce((n, v) => n + (v - mean) ** 2, 0) / (values.length - 1)) : 0;
}
const errorsOf = (results: Results, method: Method, names: readonly string[]): { errors?: number[] } => {
  const lists = names.map((n) => valuesOf(results, method, n));
  return lists.some((l) => l.length > 1) ? { errors: lists.map((l) => (l.length ? spreadOf(l) : 0)) } : {};
};
const seedNote = (results: Results): string => {
  const n = Math.max(...methodsIn(results).map((m) => results.seeds[m]!.length));
  return n > 1 ? `; ${n} seeds, mean ± s.d.` : '';
};

/** A logarithmic axis of perplexities from 1, the least that there is, so that bars of two figures can be compared. */
function perplexityAxis(values: readonly (number | null)[]): AxisOptions {
  const top = Math.max(1.1, ...values.filter((v): v is number => v !== null));
  return { title: 'perplexity of a response token', log: true, range: [1, top ** 1.12] };
}

/** `rl_comparison`: perplexity of the seven methods, the paper's and ours. */
export function rlComparison(results: Results, profile: string): Figure {
  const methods = methodsIn(results);
  const own = methods.map((m) => valuesOf(results, m, 'ppl'));
  return barFigure({
    title: `Perplexity on the 300 samples (${profile}${seedNote(results)})`,
    categories: methods.map((m) => METHODS[m].label),
    groups: [
      { name: 'paper', values: methods.map((m) => paperTable1[m].ppl), published: true },
      {
        name: 'ours',
        values: methods.map((m) => meanOf(results, m, 'ppl')),
        ...(own.some((v) => v.length > 1) ? { errors: own.map((v) => (v.length ? spreadOf(v) : 0)) } : {}),
      },
    ],
    y: perplexityAxis([...methods.map((m) => paperTable1[m].ppl), ...own.flat()]),
    valueLabels: true,
  });
}

/** `radar_chart`: the five indices of each method, from 0; where all are high, from the tenth below them, which the figure says. */
export function radarChart(results: Results, profile: string): Figure {
  const complete = methodsIn(results).filter((m) => INDICES.every((i) => meanOf(results, m, i) !== null));
  const lowest = Math.min(1, ...complete.flatMap((m) => INDICES.map((i) => meanOf(results, m, i)!)));
  const from = lowest < 0.8 ? 0 : Math.floor(10 * (lowest - 0.01)) / 10;
  return radarFigure({
    title: `The five indices by method (${profile}${seedNote(results).replace(' ± s.d.', '')})`,
    axes: INDICES.map((i) => i.toUpperCase()),
    series: complete.map((m) => ({ name: METHODS[m].label, values: INDICES.map((i) => meanOf(results, m, i)!) })),
    range: [from, 1],
    unit: 'index',
  });
}

/** `novel_indices_comparison`: the same as bars, with their spread. */
export function novelIndicesComparison(results: Results, profile: string): Figure {
  const names = [...INDICES, 'novelAvg'];
  return barFigure({
    title: `The five indices and their mean (${profile}${seedNote(results)})`,
    categories: [...INDICES.map((i) => i.toUpperCase()), 'mean'],
    groups: methodsIn(results).map((m) => ({
      name: METHODS[m].label,
      values: names.map((n) => meanOf(results, m, n)),
      ...errorsOf(results, m, names),
    })),
    y: { title: 'index, 0 to 1', range: [0, 1.05] },
    width: 1100,
  });
}

/** `category_breakdown`: perplexity by category, the paper's and ours, of the methods of table 3. */
export function categoryBreakdown(results: Results, profile: string): Figure {
  const categories = [...CATEGORIES].sort();
  const names = categories.map((c) => `ppl/${c}`);
  const groups = methodsIn(results).flatMap((m): BarGroup[] => [
    ...(categories.some((c) => paperTable3[c]?.[m] !== undefined)
      ? [
          {
            name: `${METHODS[m].label}, paper`,
            values: categories.map((c) => paperTable3[c]?.[m] ?? null),
            published: true,
          },
        ]
      : []),
    {
      name: `${METHODS[m].label}, ours`,
      values: names.map((n) => meanOf(results, m, n)),
      ...errorsOf(results, m, names),
    },
  ]);
  return barFigure({
    title: `Perplexity by category (${profile}${seedNote(results)})`,
    categories: categories.map((c) => c.replaceAll('_', ' ')),
    groups,
    y: { title: 'perplexity of a response token' },
    width: 1100,
    valueLabels: false,
  });
}

/** `pareto`: reward gained against drift, with the front. */
export function paretoPlot(results: Results, profile: string): Figure {
  const methods = methodsIn(results).filter(
    (m) => m !== 'sft' && meanOf(results, m, 'drift') !== null && meanOf(results, m, 'rewardGain') !== null,
  );
  const families = { preference: 'learns from pairs', reward: 'learns from rewards', supervised: 'supervised' };
  return scatterFigure({
    title: `Reward gained against divergence (${profile}${seedNote(results)})`,
    x: { title: 'KL(policy || SFT) on its own answers', unit: 'nats/token' },
    y: { title: 'mean reward above SFT' },
    points: [
      { name: 'SFT', x: 0, y: 0, group: families.supervised },
      ...methods.map((m) => ({
        name: METHODS[m].label,
        x: meanOf(results, m, 'drift')!,
        y: meanOf(results, m, 'rewardGain')!,
        group: families[METHODS[m].family],
        ...(valuesOf(results, m, 'drift').length > 1
          ? { xError: spreadOf(valuesOf(results, m, 'drift')), yError: spreadOf(valuesOf(results, m, 'rewardGain')) }
          : {}),
      })),
    ],
    front: { x: 'lower', y: 'higher' },
  });
}

/** A curve of a run's log, over the part of the run that is done [%]. Null if it logs no such figure. */
export function runCurve(name: string, run: Pick<Run, 'log'>, key: string, points = 300): LineSeries | null {
  const rows = run.log().filter((row) => typeof row[key] === 'number' && Number.isFinite(row[key]));
  if (rows.length < 2) return null;
  const last = rows[rows.length - 1].step;
  const step = Math.max(1, Math.ceil(rows.length / points));
  const kept = rows.filter((_, i) => i % step === 0 || i === rows.length - 1);
  return { name, x: kept.map((r) => (100 * r.step) / last), y: kept.map((r) => r[key] as number) };
}

/** `epochs`: perplexity of each method, a bar for each number of epochs. */
export function epochComparison(
  labels: string[],
  groups: { name: string; values: number[] }[],
  profile: string,
): Figure {
  return barFigure({
    title: `Perplexity after one epoch and after three (${profile}, one seed)`,
    categories: labels,
    groups,
    y: perplexityAxis(groups.flatMap((g) => g.values)),
  });
}

/** `training_curves`: losses over the course of the runs. Values that a logarithmic axis cannot show become gaps. */
export function trainingCurves(series: readonly (LineSeries | null)[], profile: string): Figure {
  const shown = series.filter((s): s is LineSeries => s !== null);
  return lineFigure({
    title: `Training losses (${profile}, the first seed)`,
    x: { title: 'part of the run', unit: '%' },
    y: { title: 'loss', unit: 'nats', log: true },
    series: shown.map((s) => ({ ...s, y: Array.from(s.y, (v) => (v !== null && v > 0 ? v : null)) })),
    smoothing: 0.9,
  });
}

/** `ablation_study`: perplexities after each stage. */
export function ablationStudy(
  stages: readonly { name: string; metrics: Readonly<Record<string, number>> }[],
  profile: string,
): Figure {
  const pools = { ppl: 'overall', genPpl: 'generation', toolPpl: 'tools', planPpl: 'plans' };
  const valueOf = (metrics: Readonly<Record<string, number>>, key: string): number | null =>
    Number.isFinite(metrics[key]) ? metrics[key] : null;
  return barFigure({
    title: `Perplexity after each stage (${profile})`,
    categories: stages.map((s) => s.name),
    groups: Object.entries(pools).map(([key, name]) => ({ name, values: stages.map((s) => valueOf(s.metrics, key)) })),
    y: perplexityAxis(stages.flatMap((s) => Object.keys(pools).map((key) => valueOf(s.metrics, key)))),
    width: 1100,
    valueLabels: false,
  });
}
