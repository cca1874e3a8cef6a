/** OmniAgent's tables, the paper's values beside ours: mean and spread over seeds. What was not measured stays empty. */
import { directionVerdict } from '../../eval/direction';
import { INDICES } from '../../eval/novel-indices';
import { nonDominated } from '../../eval/pareto';
import { meanSpread } from '../../report/numbers';
import type { MeanSpread } from '../../report/numbers';
import { paperTable } from '../../report/paper-table';
import type { Cell, Table } from '../../report/table';
import { CATEGORIES, MODALITIES } from '../../world';
import { paperRkp, paperTable1, paperTable2, paperTable3, relatedWork, TABLE1_METRICS } from '../paper/omniagent';
import { METHODS } from './methods';
import type { Method } from './methods';
import { meanOf, methodsIn, valuesOf } from './results';
import type { Difference, Results } from './results';

const label = (m: Method): string => METHODS[m].label;

/** Mean and spread over seeds; a number where there is one seed; null for nothing. */
export function seedCell(results: Results, method: Method, name: string): Cell {
  const values = valuesOf(results, method, name);
  if (!values.length) return null;
  return values.length === 1 ? values[0] : (meanSpread(values) satisfies MeanSpread);
}

/**
 * Table 1. Verdict: does the overall perplexity differ from SFT's in the direction that the paper reports (eval/direction.ts)?
 */
export function table1(results: Results, caption?: string): Table {
  const methods = methodsIn(results);
  const sft = valuesOf(results, 'sft', 'ppl')[0];
  return paperTable({
    caption,
    methods: methods.map(label),
    metrics: TABLE1_METRICS.map(({ name, better }) => ({ name, better })),
    paper: Object.fromEntries(
      methods.map((m) => [
        label(m),
        Object.fromEntries(TABLE1_METRICS.map(({ key, name }) => [name, paperTable1[m][key]])),
      ]),
    ),
    ours: Object.fromEntries(
      methods.map((m) => [
        label(m),
        Object.fromEntries(TABLE1_METRICS.map(({ key, name }) => [name, valuesOf(results, m, key)])),
      ]),
    ),
    verdicts: Object.fromEntries(
      methods.map((m) => [
        label(m),
        m === 'sft'
          ? 'the baseline'
          : directionVerdict({
              paper: { method: paperTable1[m].ppl, baseline: paperTable1.sft.ppl },
              // A seed that diverged counts: with it nothing is decided.
              ours: {
                method: results.seeds[m]!.map(({ metrics: { ppl } }) => (Number.isFinite(ppl) ? ppl : NaN)),
                baseline: sft,
              },
            }),
      ]),
    ),
  });
}

/** What the paper's tables lack: whether the answers do what was asked. The accuracies of media are of the seeds that decoded some. */
export function generationTable(results: Results, caption?: string): Table {
  const columns: [string, string][] = [
    ['Reward', 'reward'],
    ['Win rate against SFT', 'winRate'],
    ['Tool calls right', 'task/tool_success'],
    ['Answers right', 'task/answer'],
    ['Plans valid', 'task/plan_valid'],
    ['Media as asked', 'task/modalities'],
    ...MODALITIES.flatMap((m): [string, string][] => [
      [`${m}: shape`, `${m}/shape`],
      [`${m}: colour`, `${m}/colour`],
    ]),
  ];
  return {
    caption,
    columns: ['Method', ...columns.map(([name]) => name)],
    rows: methodsIn(results).map((m) => [label(m), ...columns.map(([, key]) => seedCell(results, m, key))]),
  };
}

/** Heads for the figures of differences. */
const FIGURES: Record<string, string> = {
  ...Object.fromEntries(TABLE1_METRICS.map(({ key, name }) => [key, name])),
  reward: 'Reward',
};

/** Differences between methods with their 95 % intervals, one row a pair and figure. */
export function differenceTable(differences: readonly Difference[], caption?: string): Table {
  return {
    caption,
    columns: ['Method', 'Against', 'Figure', 'Difference', '95 % from', 'to', 'Beyond chance'],
    rows: differences.map(({ method, baseline, name, value, low, high }) => [
      label(method),
      label(baseline),
      FIGURES[name] ?? name,
      value,
      low,
      high,
      low > 0 || high < 0,
    ]),
  };
}

/**
 * Table 2: the best of each index. Methods whose means differ by less than half of the last printed digit share the place; where one of the
 * paper's best shares it with others, that decides nothing.
 */
export function table2(results: Results, caption?: string): Table {
  const methods = methodsIn(results);
  return {
    caption,
    columns: ['Index', 'Best in the paper', 'Score in the paper', 'Best of ours', 'Our score', 'Same best'],
    digits: [undefined, undefined, 'published'],
    rows: INDICES.map((index) => {
      const paper = paperTable2[index];
      const means = methods.flatMap((m) => {
        const value = meanOf(results, m, index);
        return value === null ? [] : [{ m, value }];
      });
      const top = Math.max(...means.map((x) => x.value));
      const best = means.filter((x) => x.value > top - 5e-4).map((x) => x.m);
      return [
        index.toUpperCase(),
        paper.best.map(label).join(', '),
        paper.score,
        best.length ? best.map(label).join(', ') : null,
        best.length ? seedCell(results, best[0], index) : null,
        sameBest(best, paper.best),
      ];
    }),
  };
}

function sameBest(ours: readonly Method[], paper: readonly Method[]): string | null {
  if (!ours.length) return null;
  if (ours.every((m) => paper.includes(m))) return 'yes';
  return ours.some((m) => paper.includes(m)) ? 'undecided: a tie' : 'no';
}

/** All five indices of each method, and the parts of HRS. */
export function indicesTable(results: Results, caption?: string): Table {
  const names = [...INDICES, 'novelAvg', 'hrs/relevance', 'hrs/format', 'hrs/length', 'hrs/freshness', 'hrs/task'];
  return {
    caption,
    columns: [
      'Method',
      ...names.map((n) =>
        n === 'novelAvg' ? 'Mean of five' : n.startsWith('hrs/') ? `HRS: ${n.slice(4)}` : n.toUpperCase(),
      ),
    ],
    rows: methodsIn(results).map((m) => [label(m), ...names.map((n) => seedCell(results, m, n))]),
  };
}

/** Table 3: perplexities by category. */
export function table3(results: Results, caption?: string): Table {
  const methods = methodsIn(results);
  return {
    caption,
    columns: ['Category', ...methods.flatMap((m) => [`${label(m)} paper`, `${label(m)} ours`])],
    digits: [undefined, ...methods.flatMap(() => ['published' as const, undefined])],
    rows: [...CATEGORIES]
      .sort()
      .map((category) => [
        category,
        ...methods.flatMap((m) => [paperTable3[category]?.[m] ?? null, seedCell(results, m, `ppl/${category}`)]),
      ]),
  };
}

/** What counts on the Pareto front of table 1. */
const FRONT = Object.fromEntries(TABLE1_METRICS.map(({ key, better }) => [key, better]));

/** RKP, and which methods no other one dominates in table 1 (perplexities down, indices up). */
export function rkpTable(results: Results, caption?: string): Table {
  const methods = methodsIn(results);
  const ours = Object.fromEntries(
    methods.flatMap((m) => {
      const values = TABLE1_METRICS.map(({ key }) => [key, meanOf(results, m, key)] as const);
      return values.every(([, v]) => v !== null) ? [[m, Object.fromEntries(values) as Record<string, number>]] : [];
    }),
  );
  const front = { paper: nonDominated(paperTable1, FRONT), ours: nonDominated(ours, FRONT) };
  return {
    caption,
    columns: [
      'Method',
      'RKP paper',
      'RKP ours',
      'Reward gained',
      'Drift [nats/token]',
      'Not dominated, paper',
      'Not dominated, ours',
    ],
    digits: [undefined, 'published'],
    rows: methods.map((m) => [
      label(m),
      paperRkp[m] ?? null,
      seedCell(results, m, 'rkp'),
      seedCell(results, m, 'rewardGain'),
      seedCell(results, m, 'drift'),
      front.paper.includes(m),
      m in ours ? front.ours.includes(m) : null,
    ]),
  };
}

/** The comparison with related work: the card's facts, and this project's. */
export function relatedWorkTable(ours: { params: string; profile: string }, caption?: string): Table {
  const own = {
    system: `OmniLab's reproduction (${ours.profile})`,
    params: ours.params,
    anyToAny: true,
    toolUse: true,
    rlMethods: '6',
    openWeights: true,
  };
  return {
    caption,
    columns: ['System', 'Parameters', 'Any to any', 'Tool use', 'RL methods', 'Open weights'],
    rows: [...relatedWork, own].map((r) => [r.system, r.params, r.anyToAny, r.toolUse, r.rlMethods, r.openWeights]),
  };
}
