/**
 * The paper's claims OR1 to OR6 as conditions on what was measured (../omniagent/decide.ts has the rule).
 *
 * | claim | conditions |
 * |---|---|
 * | OR1 | Omni-R1-M is above PeSFT on average; its mean gain on vision-op and diagrammatic is above that on the other two tasks |
 * | OR2 | Zero-M with the perception reward is above Zero-M without, on average |
 * | OR3 | the best of Zero-T, -S, -M is not below the best of Omni-R1-M, -L on average |
 * | OR4 | functionally right pictures with lambda 1 exceed those with lambda 0 |
 * | OR5 | the deviation of the perception reward has its largest value at a tau that is neither the smallest nor the largest |
 * | OR6 | from Zero-T to Zero-M, the mean gain on vision-op and diagrammatic is above that on the other two tasks |
 */
import { bootstrap } from '../../eval/bootstrap';
import type { Interval } from '../../eval/bootstrap';
import { gradedMeasures } from '../../eval/omni-r1';
import { quantiles } from '../../eval/variation';
import type { Run } from '../../pipeline/run-result';
import { decide } from '../omniagent/decide';
import type { Condition } from '../omniagent/decide';
import type { JudgedClaim } from '../omniagent/claims';
import { paperR1, paperR1Claims, R1_MODELS } from '../paper/omni-r1';
import type { R1Model } from '../paper/omni-r1';
import { accuracyOf, r1Answers } from './results';
import type { R1Graded, R1Measures, R1Options, R1Results } from './results';
import { TAUS } from './rewards';
import { readPictureScores } from './show';
import { UNI_TASKS } from '../../world/omni-r1';

/** One seed's results and its rewards on rollouts; for intervals, the answers and pictures that these were computed from. */
export interface R1Seed {
  results: R1Results;
  rewards?: R1Measures;
  answers?: Partial<Record<R1Model, readonly R1Graded[]>>;
  pictures?: readonly { id: string; energy: number }[];
}

/** What the claims rest on: results of models with their answers, and a run of omni-r1/rewards with its pictures. */
export async function r1Seed(results: R1Results, rewards: Run, options: R1Options = {}): Promise<R1Seed> {
  const answers: R1Seed['answers'] = {};
  for (const model of Object.keys(results) as R1Model[]) answers[model] = await r1Answers(model, options);
  const numbers = Object.entries(rewards.metrics).filter((e): e is [string, number] => typeof e[1] === 'number');
  return { results, answers, rewards: Object.fromEntries(numbers), pictures: await readPictureScores(rewards) };
}

type Statistic = (seed: R1Seed) => number | null;

const accuracy = (s: R1Seed, m: R1Model): number | null => accuracyOf(s.results[m], 'average');
const minus = (a: number | null, b: number | null): number | null => (a === null || b === null ? null : a - b);
const best = (values: readonly (number | null)[]): number | null =>
  values.some((v) => v === null) ? null : Math.max(...(values as number[]));

interface ClaimFigure {
  name: string;
  paper: number | null;
  value: Statistic;
}
const average = (m: R1Model): ClaimFigure => ({
  name: `accuracy of ${R1_MODELS[m]}, average`,
  paper: paperR1[m]?.average ?? null,
  value: (s) => accuracy(s, m),
});
const byTask = (m: R1Model): ClaimFigure[] =>
  UNI_TASKS.map((task) => ({
    name: `accuracy of ${R1_MODELS[m]}, ${task}`,
    paper: paperR1[m]?.[task] ?? null,
    value: (s) => accuracyOf(s.results[m], task),
  }));
const rightPictures = (m: R1Model, lambda: number): ClaimFigure => ({
  name: `right intermediate pictures with lambda = ${lambda}`,
  paper: null,
  value: (s) => s.results[m]?.right ?? null,
});

/** Mean gain on vision-op and diagrammatic less that on natural and structured. */
function concentration(s: R1Seed, from: R1Model, to: R1Model): number | null {
  const gain = (task: 'natural' | 'structured' | 'diagrammatic' | 'vision-op'): number | null =>
    minus(accuracyOf(s.results[to], task), accuracyOf(s.results[from], task));
  const [n, t, d, v] = [gain('natural'), gain('structured'), gain('diagrammatic'), gain('vision-op')];
  return n === null || t === null || d === null || v === null ? null : (d + v) / 2 - (n + t) / 2;
}

interface Rule {
  rule: string;
  conditions: { says: string; ties?: boolean; statistic: Statistic }[];
  figures: readonly ClaimFigure[];
}

const RULES: Record<keyof typeof paperR1Claims, Rule> = {
  OR1: {
    rule: 'Omni-R1-M is above PeSFT on average, and gains more on vision-op and diagrammatic than on the other two tasks.',
    conditions: [
      { says: 'average of M - average of PeSFT > 0', statistic: (s) => minus(accuracy(s, 'm'), accuracy(s, 'pesft')) },
      {
        says: 'gain on vision-op, diagrammatic - gain on the others > 0',
        statistic: (s) => concentration(s, 'pesft', 'm'),
      },
    ],
    figures: [average('pesft'), average('m'), ...byTask('pesft'), ...byTask('m')],
  },
  OR2: {
    rule: 'Zero-M with the perception reward is above Zero-M without it, on average.',
    conditions: [
      { says: 'with - without > 0', statistic: (s) => minus(accuracy(s, 'zero_m'), accuracy(s, 'zero_plain')) },
    ],
    figures: [average('zero_m'), average('zero_plain')],
  },
  OR3: {
    rule: 'The best of Zero-T, -S and -M is not below the best of Omni-R1-M and -L, on average.',
    conditions: [
      {
        says: 'best Zero - best Omni-R1 >= 0',
        ties: true,
        statistic: (s) =>
          minus(
            best((['zero_t', 'zero_s', 'zero_m'] as const).map((m) => accuracy(s, m))),
            best((['m', 'l'] as const).map((m) => accuracy(s, m))),
          ),
      },
    ],
    figures: (['m', 'l', 'zero_t', 'zero_s', 'zero_m'] as const).map(average),
  },
  OR4: {
    rule: 'The share of functionally right intermediate pictures is higher with lambda = 1 than with lambda = 0.',
    conditions: [
      {
        says: 'right pictures with lambda 1 - with lambda 0 > 0',
        statistic: (s) => minus(s.results.pesft?.right ?? null, s.results.sft?.right ?? null),
      },
    ],
    figures: [rightPictures('sft', 0), rightPictures('pesft', 1)],
  },
  OR5: {
    rule: "The deviation of the perception reward over rollouts' pictures is largest at a tau that is neither the smallest nor the largest.",
    conditions: [
      {
        says: 'largest deviation at tau 0.1 or 1 - larger of those at 0.01 and 3 > 0',
        statistic: ({ rewards }) => {
          const std = TAUS.map((tau) => rewards?.[`tau/${tau}/std`] ?? null);
          return minus(best(std.slice(1, -1)), best([std[0], std.at(-1)!]));
        },
      },
    ],
    figures: TAUS.map((tau) => ({
      name: `deviation of the reward at tau = ${tau}`,
      paper: null,
      value: ({ rewards }) => rewards?.[`tau/${tau}/std`] ?? null,
    })),
  },
  OR6: {
    rule: 'From 10 to 30 steps Zero gains more on vision-op and diagrammatic than on the other two tasks.',
    conditions: [
      {
        says: 'gain on vision-op, diagrammatic - gain on the others > 0',
        statistic: (s) => concentration(s, 'zero_t', 'zero_m'),
      },
    ],
    figures: [...byTask('zero_t'), ...byTask('zero_m')],
  },
};

/** 95 % intervals of the conditions, by "claim/number": the mean over seeds on drawn questions, and for tau on drawn rollouts. */
function intervalsOf(seeds: readonly R1Seed[], draws: number): Record<string, Interval> {
  const conditions = Object.entries(RULES).flatMap(([id, rule]) =>
    rule.conditions.map(({ statistic }, i) => ({ key: `${id}/${i}`, id, statistic })),
  );
  const means = (drawn: readonly R1Seed[], wanted: (id: string) => boolean): Record<string, number> =>
    Object.fromEntries(
      conditions
        .filter((c) => wanted(c.id))
        .flatMap(({ key, statistic }) => {
          const values = drawn.map(statistic);
          if (!values.length || values.some((v) => v === null)) return [];
          return [[key, (values as number[]).reduce((a, b) => a + b, 0) / values.length]];
        }),
    );
  const found: Record<string, Interval> = {};
  const questions = Object.values(seeds[0]?.answers ?? {})[0] ?? [];
  const ids = questions.map((q) => q.id).join();
  // All models have answered the same questions: drawn together, and each task's apart.
  const paired = seeds.every((s) =>
    Object.values(s.answers ?? {}).every((list) => list.map((a) => a.id).join() === ids),
  );
  if (questions.length && paired)
    Object.assign(
      found,
      bootstrap(
        questions.length,
        (rows) =>
          means(
            seeds.map(({ answers = {} }) => ({
              results: Object.fromEntries(
                Object.entries(answers).map(([m, list]) => [m, gradedMeasures(rows.map((i) => list[i]))]),
              ),
            })),
            (id) => id !== 'OR5',
          ),
        { draws, strata: questions.map((q) => q.task) },
      ),
    );
  const pictures = seeds.map((s) => {
    const byRollout = new Map<string, { energy: number }[]>();
    for (const p of s.pictures ?? []) byRollout.set(p.id, [...(byRollout.get(p.id) ?? []), p]);
    return byRollout;
  });
  const rollouts = [...(pictures[0]?.keys() ?? [])].filter((id) => pictures.every((p) => p.has(id)));
  if (rollouts.length)
    Object.assign(
      found,
      bootstrap(
        rollouts.length,
        (rows) =>
          means(
            pictures.map((of) => {
              const energies = rows.flatMap((i) => of.get(rollouts[i])!.map((p) => p.energy));
              const std = (tau: number): number => quantiles(energies.map((e) => 1 / (1 + e / tau))).std;
              return { results: {}, rewards: Object.fromEntries(TAUS.map((tau) => [`tau/${tau}/std`, std(tau)])) };
            }),
            (id) => id === 'OR5',
          ),
        { draws },
      ),
    );
  return found;
}

/** The claims with their verdicts. What was not measured is undecided. `draws`: of the bootstrap. */
export function judgeR1Claims(seeds: readonly R1Seed[], { draws = 1000 }: { draws?: number } = {}): JudgedClaim[] {
  const intervals = intervalsOf(seeds, draws);
  return (Object.keys(RULES) as (keyof typeof RULES)[]).map((id) => {
    const { rule, conditions, figures } = RULES[id];
    const measured = conditions.map(({ statistic, ...rest }, i): Condition => {
      const values = seeds.map(statistic);
      if (values.some((v) => v === null)) return { ...rest, perSeed: [] };
      return { ...rest, perSeed: values as number[], interval: intervals[`${id}/${i}`] };
    });
    const decided = decide(measured);
    return {
      id,
      text: paperR1Claims[id],
      rule,
      verdict: decided.verdict,
      conditions: decided.conditions.map(({ interval, ...c }) => ({
        ...c,
        low: interval?.low ?? null,
        high: interval?.high ?? null,
      })),
      figures: figures.map(({ name, paper, value }) => ({
        name,
        paper,
        ours: seeds.flatMap((s) => value(s) ?? []),
      })),
    };
  });
}
