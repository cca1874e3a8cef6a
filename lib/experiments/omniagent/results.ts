/**
 * The evaluations of all methods and seeds, with what is a comparison: win rate and RKP against SFT, and paired bootstrap intervals.
 * Every figure is a function of stored samples, so an interval recomputes the very figure that a table shows.
 */
import { ArgumentError } from '../../errors';
import { bootstrap } from '../../eval/bootstrap';
import type { Interval } from '../../eval/bootstrap';
import type { EvaluatedSample } from '../../eval/evaluated';
import { indexFigures } from '../../eval/novel-indices';
import { rewardKlPareto, winRate } from '../../eval/pareto';
import { perplexities } from '../../eval/perplexity';
import type { RunRequest } from '../../pipeline/requests';
import { run } from '../../pipeline/run';
import type { RunOptions } from '../../pipeline/run';
import type { Run } from '../../pipeline/run-result';
import { METHOD_NAMES } from './methods';
import type { Method } from './methods';

/** One seed of a method: figures, and the samples that they were computed from. */
export interface SeedResult {
  seed: number;
  run?: Run;
  samples: EvaluatedSample[];
  /** What the run measured, and `winRate` and `rkp` against SFT. */
  metrics: Record<string, number>;
}

export interface Results {
  vocabulary: number;
  seeds: Partial<Record<Method, SeedResult[]>>;
}

const answered = (samples: readonly EvaluatedSample[]) => samples.flatMap((s) => (s.answer ? [s.answer] : []));

/** Every figure of these samples; `sft` are SFT's on the same rows. Figures of which there is nothing are left out. */
export function figuresOf(
  samples: readonly EvaluatedSample[],
  sft: readonly EvaluatedSample[],
  vocabulary: number,
): Record<string, number> {
  const own = { ...perplexities(samples), ...indexFigures(samples, vocabulary) };
  const [ours, theirs] = [answered(samples), answered(sft)];
  if (!ours.length || ours.length !== theirs.length) return own;
  const rewards = theirs.map((a) => a.reward);
  const baseline = { reward: rewards.reduce((a, b) => a + b, 0) / rewards.length };
  const { reward, drift } = own as Record<string, number>;
  return {
    ...own,
    rewardGain: reward - baseline.reward,
    winRate: winRate(ours.map((a) => a.reward), rewards), // prettier-ignore
    ...(drift === undefined ? {} : { rkp: rewardKlPareto({ reward, drift }, baseline) }),
  };
}

/** Puts evaluations together. Throws ArgumentError where SFT's is missing or samples differ. */
export function joinResults(
  vocabulary: number,
  parts: Partial<
    Record<Method, { seed: number; run?: Run; samples: EvaluatedSample[]; metrics?: Record<string, number> }[]>
  >,
): Results {
  const sft = parts.sft?.[0];
  if (!sft)
    throw new ArgumentError(
      'joinResults',
      'expected an evaluation of SFT, got none',
      'all methods are compared with it',
    );
  const seeds: Results['seeds'] = {};
  for (const method of METHOD_NAMES) {
    if (!parts[method]) continue;
    seeds[method] = parts[method].map((part) => {
      if (part.samples.map((s) => s.id).join() !== sft.samples.map((s) => s.id).join())
        throw new ArgumentError(
          'joinResults',
          `expected ${method} on the samples of SFT, got others`,
          'evaluate all methods with one configuration',
        );
      return { ...part, metrics: { ...part.metrics, ...figuresOf(part.samples, sft.samples, vocabulary) } };
    });
  }
  // SFT against itself: no gain, no drift, nothing won.
  for (const s of seeds.sft!) for (const name of ['rkp', 'rewardGain', 'winRate', 'drift']) delete s.metrics[name];
  return { vocabulary, seeds };
}

type Changes = Record<string, unknown>;

const DATA: RunRequest = { name: 'omniagent/data', seed: 0 };
const withSft = (methods: readonly Method[]): Method[] =>
  METHOD_NAMES.filter((m) => m === 'sft' || methods.includes(m));
const evaluationsOf = (method: Method, seeds: readonly number[], config: Changes): RunRequest[] =>
  (method === 'sft' ? [0] : seeds).map((seed) => ({
    name: 'omniagent/evaluation',
    seed,
    config: { ...config, method },
  }));

/** The runs that `collectResults` asks for. */
export const resultRequests = (
  methods: readonly Method[],
  seeds: readonly number[],
  config: Changes = {},
): RunRequest[] => [DATA, ...withSft(methods).flatMap((method) => evaluationsOf(method, seeds, config))];

/** Evaluates (or loads) methods; SFT with seed 0, the others with each seed. `config` replaces values of the evaluation's. */
export async function collectResults(
  methods: readonly Method[],
  seeds: readonly number[],
  { config = {}, ...options }: RunOptions = {},
): Promise<Results> {
  const parts: Parameters<typeof joinResults>[1] = {};
  for (const method of withSft(methods)) {
    parts[method] = [];
    for (const request of evaluationsOf(method, seeds, config)) {
      const made = await run(request.name, { ...options, ...request });
      const numbers = Object.entries(made.metrics).filter((e): e is [string, number] => typeof e[1] === 'number');
      parts[method].push({
        seed: request.seed,
        run: made,
        samples: await made.loadJson<EvaluatedSample[]>('samples'),
        metrics: Object.fromEntries(numbers),
      });
    }
  }
  const data = await run(DATA.name, { profile: options.profile, seed: DATA.seed });
  return joinResults(data.metric('vocabulary'), parts);
}

/** The methods that there are results of, in the paper's order. */
export const methodsIn = (results: Results): Method[] => METHOD_NAMES.filter((m) => results.seeds[m]);

/** A figure of a method, one value a seed; empty if it was not measured. */
export const valuesOf = (results: Results, method: Method, name: string): number[] =>
  (results.seeds[method] ?? []).flatMap((s) => (Number.isFinite(s.metrics[name]) ? [s.metrics[name]] : []));

/** The mean over seeds, or null. */
export function meanOf(results: Results, method: Method, name: string): number | null {
  const values = valuesOf(results, method, name);
  return values.length ? values.reduce((a, b) => a + b, 0) / values.length : null;
}

/**
 * 95 % intervals of statistics of the methods' figures. `statistics` gets the figures of each method, one record a seed, all on the same
 * drawn samples (paired), the categories drawn apart.
 */
export function resultIntervals(
  results: Results,
  statistics: (figures: Partial<Record<Method, Record<string, number>[]>>) => Record<string, number>,
  { draws = 300, seed = 0 }: { draws?: number; seed?: number } = {},
): Record<string, Interval> {
  const { vocabulary, seeds } = results;
  const sft = seeds.sft![0].samples;
  const methods = methodsIn(results);
  return bootstrap(
    sft.length,
    (rows) => {
      const drawn = rows.map((i) => sft[i]);
      return statistics(
        Object.fromEntries(
          methods.map((m) => [m, seeds[m]!.map((s) => figuresOf(rows.map((i) => s.samples[i]), drawn, vocabulary))]), // prettier-ignore
        ),
      );
    },
    { draws, seed, strata: sft.map((s) => s.category) },
  );
}

/** A difference between two methods in one figure, averaged over seeds, with its 95 % interval. */
export interface Difference extends Interval {
  method: Method;
  baseline: Method;
  name: string;
}

/**
 * The differences of the other methods from a baseline in these figures. Seeds are paired by their order (a baseline with one seed serves
 * all); what is missing on either side is left out.
 */
export function differencesFrom(
  results: Results,
  baseline: Method,
  names: readonly string[],
  options: { methods?: readonly Method[]; draws?: number; seed?: number } = {},
): Difference[] {
  const methods = (options.methods ?? methodsIn(results)).filter((m) => m !== baseline && results.seeds[m]);
  if (!results.seeds[baseline] || !methods.length) return [];
  const intervals = resultIntervals(
    results,
    (figures) => {
      const base = figures[baseline]!;
      return Object.fromEntries(
        methods.flatMap((method) =>
          names.flatMap((name): [string, number][] => {
            const values = figures[method]!.map((f, s) => f[name] - base[Math.min(s, base.length - 1)][name]);
            const known = values.filter(Number.isFinite);
            return known.length ? [[`${method}/${name}`, known.reduce((a, b) => a + b, 0) / known.length]] : [];
          }),
        ),
      );
    },
    options,
  );
  return Object.entries(intervals).map(([key, interval]) => {
    const at = key.indexOf('/');
    return { method: key.slice(0, at) as Method, baseline, name: key.slice(at + 1), ...interval };
  });
}
