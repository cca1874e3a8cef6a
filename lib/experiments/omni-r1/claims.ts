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
import { decide } from '../omniagent/decide';
import type { Condition } from '../omniagent/decide';
import type { JudgedClaim } from '../omniagent/claims';
import { paperR1, paperR1Claims, R1_MODELS } from '../paper/omni-r1';
import type { R1Model } from '../paper/omni-r1';
import { accuracyOf } from './results';
import type { R1Measures, R1Results } from './results';
import { TAUS } from './rewards';

/** One seed's results and its rewards on rollouts. */
export interface R1Seed {
  results: R1Results;
  rewards?: R1Measures;
}

type Statistic = (seed: R1Seed) => number | null;

const accuracy = (s: R1Seed, m: R1Model): number | null => accuracyOf(s.results[m], 'average');
const minus = (a: number | null, b: number | null): number | null => (a === null || b === null ? null : a - b);
const best = (values: readonly (number | null)[]): number | null =>
  values.some((v) => v === null) ? null : Math.max(...(values as number[]));

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
  figures: readonly R1Model[];
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
    figures: ['pesft', 'm'],
  },
  OR2: {
    rule: 'Zero-M with the perception reward is above Zero-M without it, on average.',
    conditions: [
      { says: 'with - without > 0', statistic: (s) => minus(accuracy(s, 'zero_m'), accuracy(s, 'zero_plain')) },
    ],
    figures: ['zero_m', 'zero_plain'],
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
    figures: ['m', 'l', 'zero_t', 'zero_s', 'zero_m'],
  },
  OR4: {
    rule: 'The share of functionally right intermediate pictures is higher with lambda = 1 than with lambda = 0.',
    conditions: [
      {
        says: 'right pictures with lambda 1 - with lambda 0 > 0',
        statistic: (s) => minus(s.results.pesft?.right ?? null, s.results.sft?.right ?? null),
      },
    ],
    figures: ['sft', 'pesft'],
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
    figures: [],
  },
  OR6: {
    rule: 'From 10 to 30 steps Zero gains more on vision-op and diagrammatic than on the other two tasks.',
    conditions: [
      {
        says: 'gain on vision-op, diagrammatic - gain on the others > 0',
        statistic: (s) => concentration(s, 'zero_t', 'zero_m'),
      },
    ],
    figures: ['zero_t', 'zero_m'],
  },
};

/** The claims with their verdicts. What was not measured is undecided. */
export function judgeR1Claims(seeds: readonly R1Seed[]): JudgedClaim[] {
  return (Object.keys(RULES) as (keyof typeof RULES)[]).map((id) => {
    const { rule, conditions, figures } = RULES[id];
    const measured = conditions.map(({ statistic, ...rest }): Condition => {
      const values = seeds.map(statistic);
      return { ...rest, perSeed: values.some((v) => v === null) ? [] : (values as number[]) };
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
      figures: figures.map((m) => ({
        name: `accuracy of ${R1_MODELS[m]}`,
        paper: paperR1[m]?.average ?? null,
        ours: seeds.flatMap((s) => accuracy(s, m) ?? []),
      })),
    };
  });
}
