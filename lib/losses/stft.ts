/**
 * Spectral losses of waveforms.
 *
 * Multi-resolution STFT loss (Yamamoto et al. 2020, "Parallel WaveGAN", equations 3 to 6): the mean over resolutions of
 *   || |S| - |Y| ||_F / || |S| ||_F  +  mean | log |S| - log |Y| |
 * where S belongs to the true waveform and Y to the predicted one.
 * Mel loss (Kong et al. 2020, HiFi-GAN, equation 5): mean | mel(x) - mel(y) | of log-mel spectrograms.
 *
 * Differences: 1. magnitudes are sqrt(power + epsilon) before all else, which bounds logarithm and gradient (the published code
 * cuts the power at 1e-7). A larger epsilon leaves faint noise, which no vocoder can foretell, out of the logarithms.
 */
import { ShapeError } from '../errors';
import { sameShape, showShape } from '../graph/shape';
import { stopGradient } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { logMelSpectrogram } from '../nn/mel';
import type { MelConfig } from '../nn/mel';
import { spectrogram } from '../nn/stft';
import type { StftConfig } from '../nn/stft';

/** The paper's three resolutions at 24 kHz, section 4.1. */
export const stftResolutions: readonly StftConfig[] = [
  { nFft: 1024, hop: 120, windowLength: 600 },
  { nFft: 2048, hop: 240, windowLength: 1200 },
  { nFft: 512, hop: 50, windowLength: 240 },
];

function checkPair(where: string, predicted: Tensor, target: Tensor): void {
  if (predicted.rank !== 2 || !sameShape(predicted.shape, target.shape))
    throw new ShapeError(
      where,
      `expected two waveforms [B, N] of one shape, got ${showShape(predicted.shape)} and ${showShape(target.shape)}`,
      'cut them to one length',
    );
}

export interface StftLoss {
  loss: Tensor;
  metrics: { spectral_convergence: Tensor; log_magnitude: Tensor };
}

/** Waveforms [B, N]; gradients pass to `predicted` alone. Throws ShapeError. */
export function multiResolutionStft(
  predicted: Tensor,
  target: Tensor,
  { resolutions = stftResolutions, epsilon = 1e-7 }: { resolutions?: readonly StftConfig[]; epsilon?: number } = {},
): StftLoss {
  checkPair('multiResolutionStft', predicted, target);
  const parts = resolutions.map((config) => {
    const y = spectrogram(predicted, config, { power: 1, epsilon });
    const s = stopGradient(spectrogram(target, config, { power: 1, epsilon }));
    return {
      convergence: s.sub(y).square().sum().sqrt().div(s.square().sum().sqrt()),
      magnitude: s.log().sub(y.log()).abs().mean(),
    };
  });
  const mean = (list: Tensor[]): Tensor => list.reduce((a, b) => a.add(b)).div(list.length);
  const convergence = mean(parts.map((p) => p.convergence));
  const magnitude = mean(parts.map((p) => p.magnitude));
  return {
    loss: convergence.add(magnitude),
    metrics: { spectral_convergence: convergence, log_magnitude: magnitude },
  };
}

/** Mean distance of log-mel spectrograms of waveforms [B, N]. Throws ShapeError. */
export function melDistance(predicted: Tensor, target: Tensor, config: MelConfig): Tensor {
  checkPair('melDistance', predicted, target);
  return logMelSpectrogram(predicted, config)
    .sub(stopGradient(logMelSpectrogram(target, config)))
    .abs()
    .mean();
}
