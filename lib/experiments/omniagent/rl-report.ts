/** What the notebook on the reward-based methods shows: rewards before and after, curves over seeds, completions, a text of the numbers. */
import { bootstrap } from '../../eval/bootstrap';
import type { Interval } from '../../eval/bootstrap';
import type { Run } from '../../pipeline/run-result';
import type { LineSeries } from '../../report/figures/line';
import { formatNumber, meanSpread } from '../../report/numbers';
import type { Table } from '../../report/table';
import { readCompletions } from '../../trainers/completion-log';
import type { Completion } from '../../trainers/completion-log';

/** The reward-based methods by name, each with its runs, one a seed. */
export type RlRuns = Readonly<Record<string, readonly Run[]>>;

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** The log of a run as numbers by name: rows that have it, in order of steps. */
function column(run: Run, name: string): { step: number; value: number }[] {
  return run.log().flatMap((row) => (typeof row[name] === 'number' ? [{ step: row.step, value: row[name] }] : []));
}

/**
 * One curve a method: means over the seeds at each step, with a band from the lowest to the highest seed where there are several (which
 * never leaves the values that there can be, as a standard deviation does); or the `largest` value of all seeds.
 */
export function seedCurves(runs: RlRuns, metric: string, show: 'mean' | 'largest' = 'mean'): LineSeries[] {
  return Object.entries(runs).map(([name, seeds]) => {
    const columns = seeds.map((run) => new Map(column(run, metric).map(({ step, value }) => [step, value])));
    const x = [...columns[0].keys()].filter((step) => columns.every((c) => c.has(step)));
    const values = x.map((step) => columns.map((c) => c.get(step)!));
    if (show === 'largest') return { name, x, y: values.map((v) => Math.max(...v)) };
    const band = seeds.length > 1;
    return {
      name,
      x,
      y: values.map(mean),
      ...(band ? { lower: values.map((v) => Math.min(...v)), upper: values.map((v) => Math.max(...v)) } : {}),
    };
  });
}

/** Greedy answers to held-out prompts before the first and after the last step. */
export function heldOutAnswers(run: Run): { before: Completion; after: Completion }[] {
  const held = readCompletions(run.file('completions.jsonl')).filter((c) => c.split === 'heldOut');
  const last = Math.max(...held.map((c) => c.step));
  const after = new Map(held.filter((c) => c.step === last).map((c) => [c.id, c]));
  return held.filter((c) => c.step === 0).map((before) => ({ before, after: after.get(before.id)! }));
}

export interface HeldOutResult {
  /** Means over prompts, one a seed. */
  before: number[];
  after: number[];
  /** Of the mean over seeds of the gain: bootstrap over prompts, within categories. */
  gain: Interval;
}

export function heldOutResult(seeds: readonly Run[]): HeldOutResult {
  const answers = seeds.map(heldOutAnswers);
  // A prompt's gain is the mean over seeds: prompts are what is drawn again.
  const gains = answers[0].map((_, i) => mean(answers.map((a) => a[i].after.reward - a[i].before.reward)));
  const strata = answers[0].map((a) => a.before.category);
  const { gain } = bootstrap(gains.length, (rows) => ({ gain: mean(rows.map((r) => gains[r])) }), { strata });
  return {
    before: answers.map((a) => mean(a.map((p) => p.before.reward))),
    after: answers.map((a) => mean(a.map((p) => p.after.reward))),
    gain,
  };
}

/** Held-out reward before and after, by method. */
export function heldOutTable(runs: RlRuns, caption: string): Table {
  return {
    caption,
    columns: ['method', 'reward before', 'reward after', 'gain', '95 % low', '95 % high', 'seeds that gain'],
    rows: Object.entries(runs).map(([name, seeds]) => {
      const { before, after, gain } = heldOutResult(seeds);
      const rising = after.filter((a, i) => a > before[i]).length;
      return [
        name,
        meanSpread(before),
        meanSpread(after),
        gain.value,
        gain.low,
        gain.high,
        `${rising} of ${seeds.length}`,
      ];
    }),
  };
}

/** The parts of the held-out reward after the last step, less those before the first: means over seeds. */
export function partsTable(runs: RlRuns, caption: string): Table {
  const parts = ['text', 'img', 'aud', 'vid', 'task'];
  return {
    caption,
    columns: ['method', ...parts],
    rows: Object.entries(runs).map(([name, seeds]) => [
      name,
      ...parts.map((part) => {
        const gains = seeds.flatMap((run) => {
          const values = column(run, `eval_rewards/${part}/mean`);
          return values.length > 1 ? [values.at(-1)!.value - values[0].value] : [];
        });
        return gains.length ? meanSpread(gains) : null;
      }),
    ]),
  };
}

/** The largest gap between what sampling saw and what training computes, over all steps and seeds; nats a token. */
export const largestGap = (seeds: readonly Run[]): number =>
  Math.max(...seeds.flatMap((run) => column(run, 'sampling/sampling_logp_difference/max').map((c) => c.value)));

/** How stable training was: means over the last quarter of the steps, over all seeds. */
export function stabilityTable(runs: RlRuns, caption: string): Table {
  const shown = [
    ['KL to the supervised model, nats a token', 'kl'],
    ['entropy, nats', 'entropy'],
    ['tokens of a response', 'completions/mean_length'],
    ['responses cut off', 'completions/clipped_ratio'],
    ['groups without variance', 'frac_reward_zero_std'],
    ['tokens clipped', 'clip_ratio/region_mean'],
  ] as const;
  return {
    caption,
    columns: ['method', ...shown.map(([title]) => title), 'largest sampling gap, nats'],
    rows: Object.entries(runs).map(([name, seeds]) => [
      name,
      ...shown.map(([, metric]) =>
        meanSpread(
          seeds.map((run) => {
            const values = column(run, metric).map((c) => c.value);
            return mean(values.slice(-Math.ceil(values.length / 4)));
          }),
        ),
      ),
      largestGap(seeds),
    ]),
  };
}

/** The verdict on one method by a fixed rule, and its numbers in words. */
export function readMethod(name: string, seeds: readonly Run[]): string {
  const { before, after, gain } = heldOutResult(seeds);
  const rising = after.filter((a, i) => a > before[i]).length;
  const verdict =
    gain.low > 0 ? 'rises' : gain.high < 0 ? 'falls' : `is undecided (the interval of its change holds 0)`;
  const drawn = seeds.map((run) => column(run, 'reward').map((c) => c.value));
  const quarter = Math.ceil(drawn[0].length / 4);
  const first = mean(drawn.map((values) => mean(values.slice(0, quarter))));
  const last = mean(drawn.map((values) => mean(values.slice(-quarter))));
  const kl = mean(seeds.map((run) => column(run, 'kl').at(-1)!.value));
  const n = (value: number): string => formatNumber(value, 3);
  return (
    `**${name}**: the reward on held-out prompts, answered greedily, ${verdict}: ${n(mean(before))} before, ` +
    `${n(mean(after))} after, a change of ${n(gain.value)} with 95 % of bootstrap draws in [${n(gain.low)}, ${n(gain.high)}]; ` +
    `it rose in ${rising} of ${seeds.length} seed${seeds.length > 1 ? 's' : ''}. On the prompts of training, by drawn responses: ` +
    `${n(first)} in the first quarter of the steps, ${n(last)} in the last. At the end the policy is ${n(kl)} nats a token from ` +
    `the supervised model, and sampling and training never differed by more than ${largestGap(seeds).toExponential(1)} nats.`
  );
}

/** Held-out prompts whose rewards changed most, up and down by turns, as a table of texts. */
export function changedAnswers(run: Run, count: number, caption: string): Table {
  const change = ({ before, after }: { before: Completion; after: Completion }): number => after.reward - before.reward;
  const sorted = heldOutAnswers(run)
    .filter((p) => p.before.completion !== p.after.completion)
    .sort((a, b) => change(b) - change(a) || a.before.id.localeCompare(b.before.id));
  const chosen: typeof sorted = [];
  while (chosen.length < count && sorted.length) chosen.push((chosen.length % 2 ? sorted.pop() : sorted.shift())!);
  return {
    caption,
    columns: ['prompt', 'before', 'reward before', 'after', 'reward after'],
    rows: chosen.map(({ before, after }) => [
      before.prompt,
      before.completion,
      before.reward,
      after.completion,
      after.reward,
    ]),
  };
}

/** A group of responses to one prompt of training: what the advantages compare. The one whose rewards differ most, of a step. */
export function exampleGroup(run: Run, step: number, caption: string): Table {
  const drawn = readCompletions(run.file('completions.jsonl')).filter((c) => c.split === 'train' && c.step === step);
  const groups = [...new Set(drawn.map((c) => c.id))].map((id) => drawn.filter((c) => c.id === id));
  const range = (group: Completion[]): number =>
    Math.max(...group.map((c) => c.reward)) - Math.min(...group.map((c) => c.reward));
  const group = groups.reduce((a, b) => (range(b) > range(a) ? b : a));
  return {
    caption: `${caption}: ${group[0].prompt}`,
    columns: ['response', 'reward', 'advantage'],
    rows: [...group].sort((a, b) => b.reward - a.reward).map((c) => [c.completion, c.reward, c.advantage]),
  };
}
