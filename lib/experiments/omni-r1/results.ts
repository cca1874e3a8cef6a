/** The runs behind Omni-R1's tables, and the tables: 2, 4, intermediate pictures, tau, variation, Zero against the supervised model. */
import path from 'node:path';
import { z } from 'zod';
import { readAllJsonl } from '../../io/jsonl';
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

const gradedSchema = z.looseObject({
  id: z.string(),
  task: z.enum(UNI_TASKS),
  accuracy: z.number(),
  right: z.array(z.boolean()),
});
/** An answer to the benchmark as it was graded: the answer (0 or 1), and each of its intermediate pictures. */
export type R1Graded = z.infer<typeof gradedSchema>;

/** A model's answers to the benchmark, in its order. */
export async function r1Answers(model: R1Model, options: R1Options = {}): Promise<R1Graded[]> {
  const { prefix } = SOURCES[model];
  const { dir } = await r1Run(model, options);
  return readAllJsonl(
    path.join(dir, prefix ? `answers-${prefix.replace('/', '')}.jsonl` : 'answers.jsonl'),
    gradedSchema,
  );
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
    columns: [
      'Model',
      ...ACTIONS.map((a) => `${a} right`),
      'all right',
      'format',
      'well-formed actions',
      'images an answer',
    ],
    rows: models.map((m) => [
      R1_MODELS[m],
      ...[...ACTIONS.map((a) => `right/${a}`), 'right', 'format', 'well_formed', 'images'].map(
        (key) => results[m]?.[key] ?? null,
      ),
    ]),
  };
}

/** What the image tokenizer does to held-out pictures, in words. */
export function tokenizerTable(measures: R1Measures, caption: string): Table {
  const rows: [name: string, key: string][] = [
    ['parameters', 'parameters'],
    ['error of pixels (root mean square; 0 to 1)', 'rmse'],
    ['the same at the start of the training', 'start/rmse'],
    ['codes used', 'codes_used'],
    ['perplexity of codes', 'code_perplexity'],
    ['intermediate pictures still right', 'right'],
    ...ACTIONS.map((action): [string, string] => [`${action} still right`, `right/${action}`]),
  ];
  return {
    caption,
    columns: ['Measure', 'Value'],
    rows: rows.flatMap(([name, key]) => (measures[key] === undefined ? [] : [[name, measures[key]]])),
  };
}

/** Zero's synthetic pictures beside the true ones of the same steps. */
export function syntheticTable(measures: R1Measures, caption: string): Table {
  const value = (key: string): number | null => measures[key] ?? null;
  return {
    caption,
    columns: ['Measure', 'Synthetic', 'True'],
    rows: [
      ['functionally right', value('quality/right'), null],
      ['error of pixels against the true picture (root mean square; 0 to 1)', value('quality/rmse'), null],
      ...(
        [
          ['share of different pictures', 'distinct'],
          ['codes used', 'codes_used'],
          ['share of tokens that differ between pictures of one text', 'same_text_difference'],
          ['two-dimensional total variation', 'variation'],
        ] as const
      ).map(([name, key]) => [name, value(`diversity/${key}`), value(`true/${key}`)]),
    ],
  };
}

/** The perception reward's distribution over pictures for each tau. */
export function tauTable(measures: R1Measures, caption: string): Table {
  const names = ['mean', 'std', 'p10', 'p50', 'p90', 'low', 'high'];
  return {
    caption,
    columns: [
      'tau',
      'mean',
      's.d.',
      '10th percentile',
      'median',
      '90th percentile',
      'share below 0.05',
      'share above 0.95',
    ],
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
