/**
 * Advantages relative to a group: n responses to one prompt, rewards r_1 ... r_n, no critic.
 *
 * Of responses (GRPO: Shao et al. 2024, "DeepSeekMath", section 4.1.2, outcome supervision):
 *
 *   A_i = (r_i - mean(r)) / (std(r) + epsilon)
 *
 * | form     | options                                                                               |
 * |----------|---------------------------------------------------------------------------------------|
 * | TRL      | epsilon 1e-4, unbiased std; a group of one has advantage 0 (the defaults)              |
 * | verl     | epsilon 1e-6, unbiased std; a group of one keeps its reward (mean 0, std 1)            |
 * | Dr. GRPO | scale 'none' (Liu et al. 2025, section 3.2)                                            |
 * | TRL      | scale 'batch': the mean of the group, the std of all rewards                           |
 *
 * Of tokens (GRPO++, of this project: the OmniAgent card names token-level advantages and does not define them; the form
 * follows DeepSeekMath's process supervision, section 4.1.3, with a discount and returns normalised instead of rewards):
 *
 *   G_it = sum over k >= t of gamma^(k - t) r_ik,   A_it = (G_it - mean) / (std + epsilon)
 *
 * with mean and std over all valid tokens of the group. Tokens that the policy did not write (a tool's result inside a
 * response) neither end a return nor count as a step. The returns are verl's of REINFORCE++; it normalises over the batch
 * instead of the group, with epsilon under the root.
 *
 * The papers do not say which std; `correction` takes either.
 */
import { ShapeError } from '../errors';
import { sameShape, showShape } from '../graph/shape';
import { tril, where } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { checkNumber } from './sequence';

export interface StandardizeOptions {
  /** Added to the std. Default 1e-4 (TRL); verl 1e-6. */
  epsilon?: number;
  /** 1: the unbiased std, over n - 1 (TRL, verl); 0: over n. Default 1. */
  correction?: 0 | 1;
}

export interface GroupAdvantageOptions extends StandardizeOptions {
  /** What the centred rewards are divided by: the group's std, that of all rewards, or nothing. Default group. */
  scale?: 'group' | 'batch' | 'none';
  /** The advantage of a group's only reward: 0 (TRL) or the reward itself (verl, divided by 1 + epsilon). Default zero. */
  single?: 'zero' | 'reward';
  /** bool or float32 [groups, n]: rewards that count; the others get advantage 0. Default: all. */
  mask?: Tensor;
}

const total = (x: Tensor, axes: number[]): Tensor => x.sum(axes, true);

/** Mean, std and count over axes of what the mask (float32) names; kept as axes of size 1. Without entries 0, 0, 0. */
function moments(
  x: Tensor,
  mask: Tensor,
  axes: number[],
  correction: number,
): Record<'mean' | 'std' | 'count', Tensor> {
  const count = total(mask, axes);
  const mean = total(x.mul(mask), axes).div(count.maximum(1));
  const squares = total(x.sub(mean).square().mul(mask), axes);
  return { mean, std: squares.div(count.sub(correction).maximum(1)).sqrt(), count };
}

/** Of a mean, what a deviation is at least, if it is no rounding error of the mean. */
const ROUNDING = 1e-6;

/** (x - mean) / (std + epsilon); without epsilon 0 where x has no variance but that of rounding. */
function standardized(x: Tensor, { mean, std }: Record<'mean' | 'std', Tensor>, epsilon: number): Tensor {
  const centred = x.sub(mean);
  if (epsilon) return centred.div(std.add(epsilon));
  const varied = std.greater(mean.abs().mul(ROUNDING));
  return where(varied, centred.div(where(varied, std, 1)), 0);
}

function checkEpsilon(where: string, epsilon: number): void {
  checkNumber(where, 'epsilon', epsilon, epsilon >= 0, '>= 0');
}

/** Rewards float32 [groups, n] to advantages [groups, n]. No gradient is meant to flow. Throws ArgumentError, ShapeError. */
export function groupAdvantages(rewards: Tensor, options: GroupAdvantageOptions = {}): Tensor {
  const { epsilon = 1e-4, correction = 1, scale = 'group', single = 'zero' } = options;
  checkEpsilon('groupAdvantages', epsilon);
  if (rewards.rank !== 2 || (options.mask && !sameShape(rewards.shape, options.mask.shape)))
    throw new ShapeError(
      'groupAdvantages',
      `expected rewards [groups, n]${options.mask ? ' and a mask of their shape' : ''}, got ${[rewards, options.mask].flatMap((t) => (t ? [showShape(t.shape)] : [])).join(' and ')}`,
      'reshape rewards [groups * n] to one row a prompt',
    );
  const valid = (options.mask ?? rewards.isNaN().not()).cast('bool');
  const r = where(valid, rewards, 0);
  const mask = valid.cast('float32');
  const group = moments(r, mask, [1], correction);
  const { mean } = group;
  const std = scale === 'batch' ? moments(r, mask, [0, 1], correction).std : group.std;
  let advantages = scale === 'none' ? r.sub(mean) : standardized(r, { mean, std }, epsilon);
  if (single === 'reward')
    advantages = where(group.count.equal(1), scale === 'none' ? r : r.div(1 + epsilon), advantages);
  return where(valid, advantages, 0);
}

/**
 * G above: rewards float32 [..., T] and a mask of valid tokens (bool or float32) to returns [..., T], 0 where the mask is.
 * Rewards at masked tokens are ignored. gamma in (0, 1]. Throws ArgumentError, ShapeError.
 */
export function discountedReturns(rewards: Tensor, mask: Tensor, gamma = 1): Tensor {
  checkNumber('discountedReturns', 'gamma', gamma, gamma > 0 && gamma <= 1, 'in (0, 1]');
  if (!sameShape(rewards.shape, mask.shape))
    throw new ShapeError(
      'discountedReturns',
      `expected rewards and a mask of one shape [..., T], got ${showShape(rewards.shape)} and ${showShape(mask.shape)}`,
      'give each token a reward, most of them 0',
    );
  const valid = mask.cast('bool');
  const m = valid.cast('float32');
  const r = where(valid, rewards, 0);
  if (gamma === 1) return r.cumSum(-1, { reverse: true }).mul(m);
  // Steps between t and k: how many valid tokens lie from t up to before k.
  const steps = m.cumSum(-1, { exclusive: true });
  const time = steps.shape[steps.rank - 1];
  const distance = steps.unsqueeze(-2).sub(steps.unsqueeze(-1));
  const later = tril(time, time).transpose();
  const weights = where(later, distance.maximum(0).mul(Math.log(gamma)).exp(), 0);
  return weights.matMul(r.unsqueeze(-1)).squeeze(-1).mul(m);
}

export interface TokenAdvantageOptions extends StandardizeOptions {
  /** Discount a token, in (0, 1]. Default 1. */
  gamma?: number;
}

/**
 * Advantages of GRPO++ of rewards [groups, n, T] and a mask of valid tokens; 0 at tokens that are not. Throws
 * ArgumentError, ShapeError.
 */
export function tokenAdvantages(rewards: Tensor, mask: Tensor, options: TokenAdvantageOptions = {}): Tensor {
  const { gamma = 1, epsilon = 1e-4, correction = 1 } = options;
  checkEpsilon('tokenAdvantages', epsilon);
  if (rewards.rank !== 3)
    throw new ShapeError(
      'tokenAdvantages',
      `expected rewards [groups, n, T], got ${showShape(rewards.shape)}`,
      'reshape rewards [groups * n, T] to one matrix a prompt',
    );
  const returns = discountedReturns(rewards, mask, gamma);
  const m = mask.cast('bool').cast('float32');
  return standardized(returns, moments(returns, m, [1, 2], correction), epsilon).mul(m);
}
