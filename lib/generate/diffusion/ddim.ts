/**
 * DDIM (Song et al. 2021, equation 12), as diffusers' DDIMScheduler computes it: deterministic with eta 0, the ancestral
 * sampler of Ho et al. 2020 with eta 1.
 */
import { ArgumentError } from '../../errors';
import { alphasCumprod } from '../../nn/noise-schedule';
import type { NoiseScheduleConfig } from '../../nn/noise-schedule';
import { predictedSample } from './sampler';
import type { Sampler } from './sampler';
import { checkSteps, samplingTimesteps } from './timesteps';

export function ddim(c: NoiseScheduleConfig, steps: number, { eta = 0 }: { eta?: number } = {}): Sampler {
  checkSteps('ddim', c, steps);
  if (!(eta >= 0 && eta <= 1))
    throw new ArgumentError('ddim', `expected eta from 0 to 1, got ${eta}`, '0 adds no noise, 1 as much as DDPM');
  const alphas = alphasCumprod(c);
  const timesteps = samplingTimesteps(c, steps, false);
  const stride = Math.floor(c.numTrainTimesteps / steps);
  const final = c.setAlphaToOne ? 1 : alphas[0];
  return {
    timesteps,
    stochastic: eta > 0,
    step(i, prediction, sample, noise) {
      if (eta > 0 && noise?.length !== sample.length)
        throw new ArgumentError('ddim', 'expected noise for eta above 0, got none', 'give one normal value an entry');
      const t = timesteps[i];
      const a = alphas[t];
      const before = t - stride >= 0 ? alphas[t - stride] : final;
      const [signal, rest] = [Math.sqrt(a), Math.sqrt(1 - a)];
      const variance = ((1 - before) / (1 - a)) * (1 - a / before);
      const deviation = eta * Math.sqrt(Math.max(variance, 0));
      const [signalBefore, direction] = [Math.sqrt(before), Math.sqrt(Math.max(1 - before - deviation ** 2, 0))];
      return sample.map((x, k) => {
        const raw = predictedSample(c.predictionType, prediction[k], x, signal, rest);
        const epsilon =
          c.predictionType === 'epsilon'
            ? prediction[k]
            : c.predictionType === 'sample'
              ? (x - signal * raw) / rest
              : signal * prediction[k] + rest * x;
        const x0 = c.clipSample ? Math.min(Math.max(raw, -1), 1) : raw;
        return signalBefore * x0 + direction * epsilon + (deviation ? deviation * noise![k] : 0);
      });
    },
  };
}
