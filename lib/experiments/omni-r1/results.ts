/** The runs behind Omni-R1's tables, and the tables: 2, 4, intermediate pictures, tau, variation, Zero against the supervised model. */
import { paperTable } from '../../report/paper-table';
import type { Table } from '../../report/table';
import type { RunRequest } from '../../pipeline/requests';
import { run } from '../../pipeline/run';
import type { RunOptions } from '../../pipeline/run';
import type { Run } from '../../pipeline/run-result';
import { ACTIONS, UNI_TASKS } from '../../world/omni-r1';
import type { UniTask } from '../../world/omni-r1';
import { paperR1, R1_MODELS } from '../paper/omni-r1';
import type { R1Model } from '../paper/omni-r1';
import { TAUS } from './rewards';

export type R1Options = Pick<RunOptions, 'profile' | 'seed' | 'device'>;
/** A model's measures, by name. */
export type R1Measures = Record<string, number>;

const METRICS = [...UNI_TASKS, 'average'] as const;

/** Where each model's measures are: an experiment, changes of its configuration, and the names' beginning. */
const SOURCES: Record<R1Model, { experiment: string; config?: Record<string, unknown>; prefix?: string }> = {
  base: { experiment: 'omni-r1/base' },
  sft: { experiment: 'omni-r1/pesft', config: { lambda: 0 } },
  pesft: { experiment: 'omni-r1/pesft' },
  m: { experiment: 'omni-r1/perpo', prefix: 'm/' },
  l: { experiment: 'omni-r1/perpo', prefix: 'l/' },
  zero_t: { experiment: 'omni-r1/zero-perpo', prefix: 't/' },
  zero_s: { experiment: 'omni-r1/zero-perpo', prefix: 's/' },
  zero_m: { experiment: 'omni-r1/zero-perpo', prefix: 'm/' },
  zero_sft: { experiment: 'omni-r1/zero-sft' },
  zero_plain: { experiment: 'omni-r1/zero-perpo', config: { imageWeight: 0 }, prefix: 'm/' },
};

/** The run that `r1Run` asks for. */
export const r1Request = (model: R1Model, seed = 0): RunRequest => ({
  name: SOURCES[model].experiment,
  seed,
  config: SOURCES[model].config,
});

export const r1Run = (model: R1Model, options: R1Options = {}): Promise<Run> => {
  const { name, ...request } = r1Request(model, options.seed);
  return run(name, { ...options, ...request });
};

/** A model's measures, made first where they are missing. */
export async function r1Measures(model: R1Model, options: R1Options = {}): Promise<R1Measures> {
  const { prefix = '' } = SOURCES[model];
  const { metrics } = await r1Run(model, options);
  return Object.fromEntries(
    Object.entries(metrics).flatMap(([key, value]) =>
      key.startsWith(prefix) && typeof value === 'number' ? [[key.slice(prefix.length), value]] : [],
    ),
  );
}

export type R1Results = Partial<Record<R1Model, R1Measures>>;

export async function collectR1(models: readonly R1Model[], options: R1Options = {}): Promise<R1Results> {
  const results: R1Results = {};
  for (const model of models) results[model] = await r1Measures(model, options);
  return results;
}

/** Accuracy on a task, or the benchmark's weighted average. */
export const accuracyOf = (m: R1Measures | undefined, metric: UniTask | 'average'): number | null =>
  m?.[metric === 'average' ? 'accuracy' : `accuracy/${metric}`] ?? null;

/** "paper / ours" by task. */
export function accuracyTable(results: R1Results, caption: string): Table {
  const models = Object.keys(results) as R1Model[];
  const named = <T>(of: (model: R1Model) => T | undefined): Record<string, T> =>
    Object.fromEntries(
      models.flatMap((m) => {
        const value = of(m);
        return value === undefined ? [] : [[R1_MODELS[m], value]];
      }),
    );
  return paperTable({
    caption,
    methods: models.map((m) => R1_MODELS[m]),
    metrics: METRICS.map((name) => ({ name, better: 'higher', digits: 3 })),
    paper: named((m) => paperR1[m]),
    ours: named((m) => Object.fromEntries(METRICS.map((name) => [name, accuracyOf(results[m], name)]))),
  });
}

/** Functionally right intermediate pictures by action, format, well-formed actions. */
export function pictureTable(results: R1Results, caption: string): Table {
  const models = Object.keys(results) as R1Model[];
  return {
    caption,
    columns: ['Model', ...ACTIONS, 'all', 'format', 'well-formed actions', 'images an answer'],
    rows: models.map((m) => [
      R1_MODELS[m],
      ...[...ACTIONS.map((a) => `right/${a}`), 'right', 'format', 'well_formed', 'images'].map(
        (key) => results[m]?.[key] ?? null,
      ),
    ]),
  };
}

/** The perception reward's distribution for each tau; `low` and `high` are the shares below 0.05 and above 0.95. */
export function tauTable(measures: R1Measures, caption: string): Table {
  const names = ['mean', 'std', 'p10', 'p50', 'p90', 'low', 'high'];
  return {
    caption,
    columns: ['tau', ...names],
    rows: TAUS.map((tau) => [String(tau), ...names.map((n) => measures[`tau/${tau}/${n}`] ?? null)]),
  };
}

/** Whether less variation means a right picture: correlation, and the chance that a right one has less than a wrong one. */
export function variationTable(measures: R1Measures, caption: string): Table {
  const names = ['pictures', 'right', 'correlation', 'auc'];
  return {
    caption,
    columns: ['Action', 'pictures', 'functionally right', 'correlation with -E_2D', 'AUC'],
    rows: ['all', ...ACTIONS].map((action) => [
      action,
      ...names.map((n) => measures[`variation/${action}/${n}`] ?? null),
    ]),
  };
}
