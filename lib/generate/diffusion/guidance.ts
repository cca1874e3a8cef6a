/**
 * Classifier-free guidance (Ho & Salimans 2022, equation 6): the model is asked with the caption and with the empty one,
 * and the difference is stretched.
 */
import { ArgumentError } from '../../errors';
import { concat } from '../../graph/tensor';
import type { Tensor } from '../../graph/tensor';

/** unconditional + scale (conditional - unconditional); scale 1 is the conditional prediction. */
export const guided = (conditional: Tensor, unconditional: Tensor, scale: Tensor | number): Tensor =>
  unconditional.add(conditional.sub(unconditional).mul(scale));

/**
 * A model's prediction with guidance, both halves in one batch: `model` maps (sample, timesteps, context) to a
 * prediction; `empty` is the empty caption's context [1, L, D].
 */
export function withGuidance(
  model: (sample: Tensor, timesteps: Tensor, context: Tensor) => Tensor,
  empty: Tensor,
  scale: Tensor | number,
): (sample: Tensor, timesteps: Tensor, context: Tensor) => Tensor {
  return (sample, timesteps, context) => {
    const [batch] = sample.shape;
    const both = model(
      concat([sample, sample], 0),
      concat([timesteps, timesteps], 0),
      concat([context, empty.expand(context.shape)], 0),
    );
    const [conditional, unconditional] = both.split([batch, batch], 0);
    return guided(conditional, unconditional, scale);
  };
}

/** Throws ArgumentError unless the scale can be used. */
export function checkGuidance(where: string, scale: number): void {
  if (!(scale >= 0) || !Number.isFinite(scale))
    throw new ArgumentError(where, `expected a guidance scale of 0 or more, got ${scale}`, '1 is no guidance');
}
