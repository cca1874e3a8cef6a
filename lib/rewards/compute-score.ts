/**
 * The reward of Omni-R1's PeRPO (Cheng et al. 2026, equation 12), as its released rewards.py weighs it:
 *
 *   with an image score   R = (1 - w) 0.9 Acc + (1 - w) 0.1 Fmt + w Pe,  w = 0.05
 *   without, or w <= 0    R = 0.9 Acc + 0.1 Fmt
 *
 * As there, an error in the perception reward does not end the run: the rollout counts as one without images, and the
 * result says so, for the caller to count.
 */
import { accuracyReward, formatReward } from './accuracy';
import type { TextThresholds } from './answer-text';
import { perceptionReward } from './perception';
import type { PerceptionOptions, StatesForPerception } from './perception';

export interface ScoreOptions {
  /** Without it no image is scored. */
  perception?: PerceptionOptions;
  /** w above. */
  imageWeight?: number;
  thresholds?: TextThresholds;
}

/** What the images are scored by. */
export interface Rollout {
  /** Token ids of the response (without the prompt). */
  responseIds?: ArrayLike<number>;
  hidden?: StatesForPerception;
}

export interface Score {
  /** The reward. */
  score: number;
  /** 0 to 1. */
  acc: number;
  /** 0 or 1. */
  format: number;
  /** 0 to 1; absent if no image was scored or its weight is 0. */
  image?: number;
  /** Why the perception reward failed, if it did. */
  perceptionError?: string;
}

/** The reward of one response: its text with special tokens, the right answer, and what its images are scored by. */
export function computeScore(
  solution: string,
  answer: string,
  rollout: Rollout = {},
  options: ScoreOptions = {},
): Score {
  const { perception, imageWeight = 0.05, thresholds } = options;
  const format = formatReward(solution);
  const acc = accuracyReward(solution, answer, thresholds);
  let image: number | undefined;
  let perceptionError: string | undefined;
  if (rollout.responseIds && perception)
    try {
      image = perceptionReward(rollout.responseIds, perception, rollout.hidden).score;
    } catch (error) {
      perceptionError = (error as Error).message;
    }
  if (image === undefined || imageWeight <= 0)
    return { score: 0.9 * acc + 0.1 * format, acc, format, ...(perceptionError && { perceptionError }) };
  const rest = Math.max(0, 1 - imageWeight);
  return { score: rest * 0.9 * acc + rest * 0.1 * format + imageWeight * image, acc, format, image };
}

/** The released configuration's keys (extra_info.reward_kwargs) as options; the codebook comes from elsewhere. */
export function fromRewardKwargs(
  kwargs: Record<string, unknown>,
  codebook: PerceptionOptions['codebook'],
): ScoreOptions {
  const number = (key: string, standard: number): number => {
    const value = kwargs[key];
    const read = typeof value === 'string' ? Number(value) : value;
    return typeof read === 'number' && !Number.isNaN(read) ? read : standard;
  };
  const text = (key: string, standard: string): string => {
    const { [key]: value = standard } = kwargs;
    return (typeof value === 'string' ? value : 'none of those').toLowerCase();
  };
  const how = text('pl_seg_agg', 'min');
  return {
    imageWeight: number('image_reward_weight', 0.05),
    perception: {
      codebook,
      beginImage: Math.trunc(number('boi_token_id', 8197)),
      endImage: Math.trunc(number('eoi_token_id', 8196)),
      // As released, what is none of the other three is the mean.
      aggregation: how === 'min' || how === 'max' || how === 'median' ? how : 'mean',
      tau: number('pl_tau', 3),
      map: text('pl_map', 'inv') === 'exp' ? 'exp' : 'inv',
      grid: [Math.trunc(number('pl_grid_h', 32)), Math.trunc(number('pl_grid_w', 32))],
      weights: {
        variation: number('pl_tok_wtv', 1),
        first: number('pl_tok_w1', 1),
        second: number('pl_tok_w2', 0.25),
        angle: number('pl_tok_wcos', 0.5),
      },
    },
  };
}
