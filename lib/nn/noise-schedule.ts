/**
 * The noise of a diffusion process: x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise, where a_t is the cumulative product of
 * 1 - beta (Ho et al. 2020, section 2). Betas and their configuration are those of diffusers' schedulers, rounded to
 * float32 where theirs are.
 */
import { z } from 'zod';
import { ArgumentError } from '../errors';

export const noiseScheduleSchema = z.strictObject({
  numTrainTimesteps: z.number().int().min(2).default(1000),
  betaStart: z.number().positive().lt(1).default(0.00085),
  betaEnd: z.number().positive().lt(1).default(0.012),
  /** scaled_linear: linear in sqrt(beta) (latent diffusion); squaredcos_cap_v2: cosine (Nichol & Dhariwal 2021). */
  betaSchedule: z.enum(['linear', 'scaled_linear', 'squaredcos_cap_v2']).default('scaled_linear'),
  /** Shifts sqrt(a) so that nothing of the sample is left at the last step (Lin et al. 2024, algorithm 1). */
  rescaleBetasZeroSnr: z.boolean().default(false),
  /** What the model predicts: the noise, the sample, or v = sqrt(a) noise - sqrt(1 - a) x_0 (Salimans & Ho 2022). */
  predictionType: z.enum(['epsilon', 'sample', 'v_prediction']).default('epsilon'),
  /** How the steps of sampling lie among those of training (Lin et al. 2024, table 2). */
  timestepSpacing: z.enum(['leading', 'trailing', 'linspace']).default('leading'),
  /** Added to the steps of spacing `leading`. */
  stepsOffset: z.number().int().min(0).default(0),
  /** DDIM: the last step ends at a = 1, not at a_0. */
  setAlphaToOne: z.boolean().default(true),
  /** DDIM: predictions of the sample are cut to [-1, 1]; not for latents. */
  clipSample: z.boolean().default(false),
});
export type NoiseScheduleConfig = z.infer<typeof noiseScheduleSchema>;
export type PredictionType = NoiseScheduleConfig['predictionType'];

/** Stable Diffusion 1.5's. */
export const noiseSchedule = (c: z.input<typeof noiseScheduleSchema> = {}): NoiseScheduleConfig =>
  noiseScheduleSchema.parse(c);

/** beta_t of each step, float32 values. */
export function noiseBetas(c: NoiseScheduleConfig): Float32Array {
  const n = c.numTrainTimesteps;
  const line = (from: number, to: number): Float32Array =>
    Float32Array.from({ length: n }, (_, i) => from + ((to - from) * i) / (n - 1));
  let betas: Float32Array;
  if (c.betaSchedule === 'linear') betas = line(c.betaStart, c.betaEnd);
  else if (c.betaSchedule === 'scaled_linear')
    betas = line(Math.sqrt(c.betaStart), Math.sqrt(c.betaEnd)).map((root) => root * root);
  else {
    const bar = (t: number): number => Math.cos((((t + 0.008) / 1.008) * Math.PI) / 2) ** 2;
    betas = Float32Array.from({ length: n }, (_, i) => Math.min(1 - bar((i + 1) / n) / bar(i / n), 0.999));
  }
  return c.rescaleBetasZeroSnr ? zeroTerminalSnr(betas) : betas;
}

function products(betas: Float32Array): Float32Array {
  let product = 1;
  return betas.map((beta) => (product *= Math.fround(1 - beta)));
}

function zeroTerminalSnr(betas: Float32Array): Float32Array {
  const roots = products(betas).map(Math.sqrt);
  const [first, last] = [roots[0], roots[roots.length - 1]];
  const shifted = roots.map((r) => ((r - last) * first) / (first - last)).map((r) => r * r);
  return shifted.map((a, i) => 1 - (i ? a / shifted[i - 1] : a));
}

/** a_t of each step: from nearly 1 (little noise) to nearly 0. */
export function alphasCumprod(c: NoiseScheduleConfig): Float32Array {
  if (c.betaStart > c.betaEnd)
    throw new ArgumentError(
      'alphasCumprod',
      `expected betas that grow, got ${c.betaStart} to ${c.betaEnd}`,
      'betaStart is the smaller one',
    );
  return products(noiseBetas(c));
}
