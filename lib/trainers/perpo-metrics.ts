/** What PeRPO computes of rewards on the host: advantages within a group, and the statistics that are watched. */
import type { TrainMetrics } from './context';
import type { ScoredRollout } from './perpo-rollout';

const mean = (values: readonly number[]): number =>
  values.length ? values.reduce((a, b) => a + b, 0) / values.length : 0;

/** Standard deviation over n: the paper's sigma_G; a rounding error is no variance. */
function deviation(values: readonly number[]): number {
  const m = mean(values);
  const std = Math.sqrt(mean(values.map((v) => (v - m) ** 2)));
  return std < 1e-9 ? 0 : std;
}

/** (r - mean) / (std + delta) (eq. 13); zeros for a group without variance. */
export function groupRelative(rewards: readonly number[], delta: number): number[] {
  const [m, std] = [mean(rewards), deviation(rewards)];
  return rewards.map((r) => (std === 0 ? 0 : (r - m) / (std + delta)));
}

/** The value below which the share `q` lies (nearest rank). */
function quantile(sorted: readonly number[], q: number): number {
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] : 0;
}

/** Statistics of all groups that were drawn in a step; see perpo.ts for the names. */
export function rolloutMetrics(
  groups: readonly { rollouts: readonly ScoredRollout[] }[],
  used: number,
  maxLength: number,
): TrainMetrics {
  const all = groups.flatMap((g) => g.rollouts);
  const rewards = all.map((r) => r.score.score);
  const sorted = [...rewards].sort((a, b) => a - b);
  const images = all.flatMap((r) => (r.score.image === undefined ? [] : [r.score.image]));
  const stds = groups.map((g) => deviation(g.rollouts.map((r) => r.score.score)));
  const distinct = groups.map((g) => new Set(g.rollouts.map((r) => r.tokens.join())).size / g.rollouts.length);
  return {
    reward: mean(rewards),
    reward_std: mean(stds),
    'reward/p10': quantile(sorted, 0.1),
    'reward/p50': quantile(sorted, 0.5),
    'reward/p90': quantile(sorted, 0.9),
    'rewards/accuracy': mean(all.map((r) => r.score.acc)),
    'rewards/format': mean(all.map((r) => r.score.format)),
    'rewards/image': mean(images),
    frac_reward_zero_std: mean(stds.map((s) => Number(s === 0))),
    groups_drawn: groups.length,
    groups_used: used,
    format_errors: mean(all.map((r) => 1 - r.score.format)),
    action_errors: mean(all.map((r) => Number(r.actionError))),
    perception_errors: mean(all.map((r) => Number(r.score.perceptionError !== undefined))),
    distinct: mean(distinct),
    'completions/mean_length': mean(all.map((r) => r.tokens.length)),
    'completions/images': mean(all.map((r) => r.images)),
    'completions/clipped_ratio': mean(
      all.map((r) => Number(r.finish !== 'stop' || r.prompt.ids.length + r.tokens.length >= maxLength)),
    ),
  };
}
