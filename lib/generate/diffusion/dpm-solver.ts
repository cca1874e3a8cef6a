/**
 * DPM-Solver++ (Lu et al. 2022, "DPM-Solver++", algorithm 2, multistep), as diffusers' DPMSolverMultistepScheduler
 * computes it: the predicted sample is extrapolated from the last two steps, in half the log signal-to-noise ratio.
 */
import { alphasCumprod } from '../../nn/noise-schedule';
import type { NoiseScheduleConfig } from '../../nn/noise-schedule';
import { predictedSample } from './sampler';
import type { Sampler } from './sampler';
import { checkSteps, samplingTimesteps } from './timesteps';

export interface DpmSolverOptions {
  order?: 1 | 2;
  solverType?: 'midpoint' | 'heun';
  /** The last step is of order 1 where there are fewer than 15. With `finalSigma` zero it is always. */
  lowerOrderFinal?: boolean;
  /** Where the last step ends: without noise, or at the least noise of training. */
  finalSigma?: 'zero' | 'sigma_min';
}

interface Place {
  signal: number;
  rest: number;
  /** log(signal / rest) */
  lambda: number;
}

export function dpmSolver(c: NoiseScheduleConfig, steps: number, options: DpmSolverOptions = {}): Sampler {
  const { order = 2, solverType = 'midpoint', lowerOrderFinal = true, finalSigma = 'zero' } = options;
  checkSteps('dpmSolver', c, steps);
  const timesteps = samplingTimesteps(c, steps, true);
  const alphas = alphasCumprod(c);
  // Without a rest of signal the logarithm would be infinite; the value is the reference's.
  if (c.rescaleBetasZeroSnr) alphas[alphas.length - 1] = 2 ** -24;
  const place = (a: number): Place => {
    // The reference keeps float32 ratios of noise to signal.
    const sigma = Math.fround(Math.sqrt((1 - a) / a));
    const signal = 1 / Math.sqrt(sigma * sigma + 1);
    return { signal, rest: sigma * signal, lambda: -Math.log(sigma) };
  };
  const places = Array.from(timesteps, (t) => place(alphas[t]));
  places.push(finalSigma === 'zero' ? { signal: 1, rest: 0, lambda: Infinity } : place(alphas[0]));

  let before: Float32Array | null = null;
  return {
    timesteps,
    stochastic: false,
    step(i, prediction, sample) {
      const [from, to] = [places[i], places[i + 1]];
      const x0 = sample.map((x, k) => predictedSample(c.predictionType, prediction[k], x, from.signal, from.rest));
      const h = to.lambda - from.lambda;
      // exp(-h) - 1, where h may be infinite.
      const decay = Math.expm1(-h);
      const keep = to.rest / from.rest;
      const last = i === steps - 1 && (finalSigma === 'zero' || (lowerOrderFinal && steps < 15));
      const earlier = before;
      before = x0;
      if (order === 1 || !earlier || last) return sample.map((x, k) => keep * x - to.signal * decay * x0[k]);
      const ratio = (from.lambda - places[i - 1].lambda) / h;
      const slope = solverType === 'midpoint' ? -0.5 * to.signal * decay : to.signal * (decay / h + 1);
      return sample.map((x, k) => keep * x - to.signal * decay * x0[k] + (slope * (x0[k] - earlier[k])) / ratio);
    },
  };
}
