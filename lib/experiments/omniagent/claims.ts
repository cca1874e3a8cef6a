/**
 * The card's claims OA1 to OA6 as conditions on what was measured (decide.ts has the rule). Ratios of perplexities are compared as
 * differences of logarithms.
 *
 * | claim | conditions |
 * |---|---|
 * | OA1 | the highest perplexity of a preference method is below half of the lowest of a reward method ("far more stable": a factor of 2) |
 * | OA2 | MM-DPO's RKP is above every other method's |
 * | OA3 | GRPO++'s perplexity is below GRPO's |
 * | OA4 | SimPO's perplexity is below SFT's; and it is below every other method's |
 * | OA5 | of each reward method: perplexity after one epoch is more than twice that after three ("explodes": a factor of 2) |
 * | OA6 | the lower ACI of DPO and MM-DPO is not below any other method's (a tie is right: all are multiples of 1/60; undecided where all seven are alike) |
 */
import type { Verdict } from '../../eval/direction';
import { paperClaims, paperRkp, paperTable1 } from '../paper/omniagent';
import type { ClaimId } from '../paper/omniagent';
import { decide } from './decide';
import type { Condition, DecidedCondition } from './decide';
import { METHODS, methodsOf } from './methods';
import type { Method } from './methods';
import { methodsIn, resultIntervals, valuesOf } from './results';
import type { Results } from './results';

/** A claim with everything that its verdict rests on. Plain JSON. */
export interface JudgedClaim {
  id: string;
  text: string;
  verdict: Verdict;
  /** How it is decided, in words. */
  rule: string;
  conditions: (Omit<DecidedCondition, 'interval'> & { low: number | null; high: number | null })[];
  /** The figures that it speaks of: the paper's, and ours by seed. */
  figures: { name: string; paper: number | null; ours: number[] }[];
}

type Figures = Partial<Record<Method, Record<string, number>[]>>;
/** A statistic of one seed; undefined where a figure is missing. */
type Statistic = (of: (method: Method, name: string) => number | undefined) => number | undefined;

const log = (x: number | undefined): number | undefined => (x === undefined ? undefined : Math.log(x));
const difference = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a - b;
/** The largest of values that are all there. */
const most = (values: readonly (number | undefined)[]): number | undefined =>
  values.length && values.every((v) => v !== undefined) ? Math.max(...values) : undefined;
const negative = (x: number | undefined): number | undefined => (x === undefined ? undefined : -x);

interface Rule {
  rule: string;
  conditions: { says: string; ties?: boolean; statistic: Statistic }[];
  figures: { method: Method; name: 'ppl' | 'aci' | 'rkp' }[];
}

const preference = methodsOf('preference');
const reward = methodsOf('reward');
const six = methodsOf('preference', 'reward');
const others = (...not: Method[]): Method[] =>
  methodsOf('supervised', 'preference', 'reward').filter((m) => !not.includes(m));
const ppl = (of: Parameters<Statistic>[0], m: Method): number | undefined => log(of(m, 'ppl'));

const RULES: Record<Exclude<ClaimId, 'OA5'>, Rule> = {
  OA1: {
    rule: 'The highest perplexity of DPO, SimPO and MM-DPO is below half of the lowest of GRPO, GRPO++ and Online GRPO.',
    conditions: [
      {
        says: 'ln(lowest perplexity of a reward method) - ln(highest of a preference method) - ln 2 > 0',
        statistic: (of) =>
          difference(
            negative(most(reward.map((m) => negative(ppl(of, m))))),
            difference(most(preference.map((m) => ppl(of, m))), -Math.LN2),
          ),
      },
    ],
    figures: six.map((method) => ({ method, name: 'ppl' })),
  },
  OA2: {
    rule: "MM-DPO's RKP is above that of each of the other five methods.",
    conditions: [
      {
        says: 'RKP of MM-DPO - highest RKP of the others > 0',
        statistic: (of) =>
          difference(of('mm_dpo', 'rkp'), most(six.filter((m) => m !== 'mm_dpo').map((m) => of(m, 'rkp')))),
      },
    ],
    figures: six.map((method) => ({ method, name: 'rkp' })),
  },
  OA3: {
    rule: "GRPO++'s perplexity is below GRPO's.",
    conditions: [
      {
        says: 'ln PPL of GRPO - ln PPL of GRPO++ > 0',
        statistic: (of) => difference(ppl(of, 'grpo'), ppl(of, 'grpo_plus')),
      },
    ],
    figures: [
      { method: 'grpo', name: 'ppl' },
      { method: 'grpo_plus', name: 'ppl' },
    ],
  },
  OA4: {
    rule: "SimPO's perplexity is below SFT's, and below every other method's.",
    conditions: [
      { says: 'ln PPL of SFT - ln PPL of SimPO > 0', statistic: (of) => difference(ppl(of, 'sft'), ppl(of, 'simpo')) },
      {
        says: 'ln(lowest PPL of the other methods) - ln PPL of SimPO > 0',
        statistic: (of) =>
          difference(negative(most(others('simpo').map((m) => negative(ppl(of, m))))), ppl(of, 'simpo')),
      },
    ],
    figures: others().map((method) => ({ method, name: 'ppl' })),
  },
  OA6: {
    rule: 'The lower ACI of DPO and MM-DPO is not below that of any other method (a tie is right, unless all seven are alike).',
    conditions: [
      {
        says: 'min(ACI of DPO, of MM-DPO) - highest ACI of the others >= 0',
        ties: true,
        statistic: (of) => {
          // Where all are alike (all 0, say) there is no highest.
          if (new Set(others().map((m) => of(m, 'aci'))).size < 2) return undefined;
          return difference(
            negative(most([negative(of('dpo', 'aci')), negative(of('mm_dpo', 'aci'))])),
            most(others('dpo', 'mm_dpo').map((m) => of(m, 'aci'))),
          );
        },
      },
    ],
    figures: others().map((method) => ({ method, name: 'aci' })),
  },
};

/** One seed's figures as a lookup; SFT has one seed for all. */
const lookup =
  (figures: Figures, seed: number) =>
  (method: Method, name: string): number | undefined => {
    const list = figures[method];
    return list?.[method === 'sft' ? 0 : seed]?.[name];
  };

/** Perplexities after one epoch and after three, one value a seed, by method (experiment omniagent/epochs). */
export type EpochResults = Partial<Record<Method, { one: number[]; three: number[] }>>;

const paperOf = (method: Method, name: 'ppl' | 'aci' | 'rkp'): number | null =>
  name === 'rkp' ? (paperRkp[method] ?? null) : paperTable1[method][name];

/** Judges all six. `draws`: of the bootstrap. */
export function judgeClaims(
  results: Results,
  epochs: EpochResults,
  { draws = 300 }: { draws?: number } = {},
): JudgedClaim[] {
  const seedCount = Math.min(...methodsIn(results).filter((m) => m !== 'sft').map((m) => results.seeds[m]!.length), Infinity); // prettier-ignore
  const seeds = Array.from({ length: Number.isFinite(seedCount) ? seedCount : 0 }, (_, i) => i);
  const statistics = Object.entries(RULES).flatMap(([id, { conditions }]) =>
    conditions.map((c, i) => ({ key: `${id}/${i}`, ...c })),
  );
  const perSeed = (figures: Figures, statistic: Statistic): number[] =>
    seeds.flatMap((s) => statistic(lookup(figures, s)) ?? []);
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const measured: Figures = Object.fromEntries(
    methodsIn(results).map((m) => [m, results.seeds[m]!.map((s) => s.metrics)]),
  );
  const known = statistics.filter((s) => perSeed(measured, s.statistic).length);
  const intervals = known.length
    ? resultIntervals(
        results,
        (figures) => Object.fromEntries(known.map((s) => [s.key, mean(perSeed(figures, s.statistic))])),
        { draws },
      )
    : {};
  return (Object.keys(paperClaims) as ClaimId[]).map((id) =>
    id === 'OA5'
      ? judgeEpochs(epochs)
      : toClaim(
          id,
          RULES[id].rule,
          RULES[id].conditions.map(({ says, ties, statistic }, i) => ({
            says,
            ties,
            perSeed: perSeed(measured, statistic),
            interval: intervals[`${id}/${i}`],
          })),
          RULES[id].figures.map(({ method, name }) => ({
            name: `${name === 'ppl' ? 'PPL' : name.toUpperCase()} of ${METHODS[method].label}`,
            paper: paperOf(method, name),
            ours: valuesOf(results, method, name),
          })),
        ),
  );
}

function judgeEpochs(epochs: EpochResults): JudgedClaim {
  const measured = reward.filter((m) => epochs[m]?.one.length);
  return toClaim(
    'OA5',
    'Of each reward method, the perplexity after one epoch is more than twice that after three. (The samples are the same; only seeds vary.)',
    measured.map((m) => ({
      says: `${METHODS[m].label}: ln PPL after one epoch - ln PPL after three - ln 2 > 0`,
      perSeed: epochs[m]!.one.map((one, i) => Math.log(one) - Math.log(epochs[m]!.three[i]) - Math.LN2),
    })),
    six.flatMap((m) =>
      epochs[m]
        ? [
            { name: `PPL of ${METHODS[m].label} after one epoch`, paper: null, ours: epochs[m].one },
            { name: `PPL of ${METHODS[m].label} after three`, paper: paperTable1[m].ppl, ours: epochs[m].three },
          ]
        : [],
    ),
  );
}

function toClaim(id: ClaimId, rule: string, conditions: Condition[], figures: JudgedClaim['figures']): JudgedClaim {
  const decided = decide(conditions);
  return {
    id,
    text: paperClaims[id],
    verdict: decided.verdict,
    rule,
    conditions: decided.conditions.map(({ interval, ...c }) => ({
      ...c,
      low: interval?.low ?? null,
      high: interval?.high ?? null,
    })),
    figures,
  };
}
