/** What is logged about responses, by TRL's names. Names for which there is nothing are left out. */
import type { Rollout } from '../generate/rollouts';
import type { TrainMetrics } from './context';
import type { Judgement } from './rl-environment';

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
/** Over n - 1, as torch.std. */
const std = (values: readonly number[]): number => {
  const m = mean(values);
  return values.length < 2 ? 0 : Math.sqrt(values.reduce((a, b) => a + (b - m) ** 2, 0) / (values.length - 1));
};

export interface Judged {
  category: string;
  rollout: Rollout;
  judgement: Judgement;
  /** The reward that is learnt from: the judgement's, and what shaping adds. */
  reward: number;
}

/** The model's own tokens of a response. */
export const ownTokens = ({ own }: Rollout): number => own.filter(Boolean).length;

/** Lengths (own tokens) and ends of responses. */
export function completionMetrics(responses: readonly Rollout[]): TrainMetrics {
  const lengths = responses.map(ownTokens);
  const ended = responses.flatMap((r, i) => (r.finish === 'stop' ? [lengths[i]] : []));
  const metrics: TrainMetrics = {
    'completions/mean_length': mean(lengths),
    'completions/min_length': Math.min(...lengths),
    'completions/max_length': Math.max(...lengths),
    'completions/clipped_ratio': 1 - ended.length / responses.length,
  };
  if (ended.length) {
    metrics['completions/mean_terminated_length'] = mean(ended);
    metrics['completions/min_terminated_length'] = Math.min(...ended);
    metrics['completions/max_terminated_length'] = Math.max(...ended);
  }
  return metrics;
}

/** Rewards, whole and by part, and calls of tools. */
export function rewardMetrics(judged: readonly Judged[]): TrainMetrics {
  const rewards = judged.map((j) => j.reward);
  const metrics: TrainMetrics = { reward: mean(rewards), reward_std: std(rewards) };
  for (const name of [...new Set(judged.flatMap((j) => Object.keys(j.judgement.rewards)))].sort()) {
    const values = judged.flatMap(({ judgement: { rewards: r } }) => (name in r ? [r[name]] : []));
    metrics[`rewards/${name}/mean`] = mean(values);
    metrics[`rewards/${name}/std`] = std(values);
  }
  const calls = judged.reduce((n, j) => n + j.judgement.calls, 0);
  metrics['tools/call_frequency'] = calls / judged.length;
  if (calls) metrics['tools/failure_frequency'] = judged.reduce((n, j) => n + j.judgement.failedCalls, 0) / calls;
  return metrics;
}

/** Rewards by category. */
export function categoryMetrics(judged: readonly Judged[]): TrainMetrics {
  const names = [...new Set(judged.map((j) => j.category))].sort();
  return Object.fromEntries(
    names.map((name) => [
      `reward/${name}`,
      mean(judged.flatMap(({ category, reward }) => (category === name ? [reward] : []))),
    ]),
  );
}

/** What is no variance but a rounding error: six times 0.2 has a mean of 0.19999999999999998. As torch.isclose, which TRL asks. */
const NO_STD = 1e-8;

/** Standard deviations of the rewards of groups of `n` neighbours; 0 where they are equal up to rounding. */
export const groupStds = (rewards: readonly number[], n: number): number[] =>
  Array.from({ length: rewards.length / n }, (_, g) => {
    const found = std(rewards.slice(g * n, (g + 1) * n));
    return found <= NO_STD ? 0 : found;
  });

/** Means of metrics that several updates report. */
export const averaged = (all: readonly TrainMetrics[]): TrainMetrics =>
  Object.fromEntries(Object.keys(all[0]).map((name) => [name, mean(all.map((m) => m[name]))]));

/** The distance of log-probabilities seen in sampling from those of the training graph, over own tokens. */
export function samplingGap(
  responses: readonly Rollout[],
  logProbs: readonly Float32Array[],
): Record<'sampling/sampling_logp_difference/mean' | 'sampling/sampling_logp_difference/max', number> {
  const gaps = responses.flatMap(({ own, logProbs: seen }, i) =>
    own.flatMap((mine, t) => (mine ? [Math.abs(seen[t] - logProbs[i][t])] : [])),
  );
  return {
    'sampling/sampling_logp_difference/mean': mean(gaps),
    'sampling/sampling_logp_difference/max': gaps.reduce((a, b) => Math.max(a, b), 0),
  };
}
