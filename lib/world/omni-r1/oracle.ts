/**
 * Whether an intermediate picture is functionally right: whether one who looks at it would learn what the true one shows. By
 * analysis through synthesis: the picture is compared with the true one and with all that it might be taken for (the action
 * done elsewhere, another state, nothing done); right is what is nearest to the true one and near enough to be one of them
 * at all.
 */
import type { Picture } from '../../io/media';
import type { R1Sample } from './sample';

/**
 * Root mean squared distance of a picture's values that still counts as the same figure. A blank ground is at about 0.1 to 0.4; where it
 * is near it is among the other pictures.
 */
export const NEAR = 0.16;

export interface StepVerdict {
  /** Functionally right. */
  right: boolean;
  /** Root mean squared distances from the true picture, and from the nearest other one. */
  distance: number;
  nearest: number;
}

export function pictureDistance(a: Picture, b: Picture): number {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += (a.data[i] - b.data[i]) ** 2;
  return Math.sqrt(sum / a.data.length);
}

/** The verdict on the picture of step `step` (from 0) of the sample's trajectory. */
export function judgeStep(sample: R1Sample, step: number, picture: Picture): StepVerdict {
  const truth = sample.steps[step].image;
  // A move that changes nothing looks like the picture before: that is no other picture.
  const others = sample.alternatives(step).filter((other) => pictureDistance(truth, other) > 1e-6);
  const nearest = Math.min(...others.map((other) => pictureDistance(picture, other)));
  const distance = pictureDistance(picture, truth);
  return { right: distance < nearest && distance < NEAR, distance, nearest };
}
