/**
 * Mel filter banks and log-mel spectrograms. Scales: 'htk' (Young et al., The HTK Book), 'slaney' (Auditory Toolbox 1998,
 * librosa's default), 'kaldi' (HTK's formula with triangles drawn on the mel axis). Values agree with
 * transformers.audio_utils and librosa.
 */
import { z } from 'zod';
import { ArgumentError } from '../errors';
import { fromNumbers } from '../graph/dtype';
import { constant } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { spectrogram, stftFrames, stftSettings } from './stft';

const count = z.number().int().positive();

export const melSchema = z.strictObject({
  sampleRate: count,
  // The transform, as in StftConfig.
  nFft: count,
  hop: count,
  window: z.enum(['hann', 'hamming', 'povey', 'rectangular']).optional(),
  windowLength: count.optional(),
  periodic: z.boolean().optional(),
  windowAt: z.enum(['centre', 'start']).optional(),
  padding: z.number().int().min(0).optional(),
  padMode: z.enum(['reflect', 'zeros']).optional(),
  removeMean: z.boolean().optional(),
  preEmphasis: z.number().optional(),
  /** Number of filters. */
  mels: count,
  /** Hz; default 0. */
  fMin: z.number().min(0).optional(),
  /** Hz; default half the sample rate. */
  fMax: z.number().positive().optional(),
  /** Default 'slaney'. */
  scale: z.enum(['htk', 'slaney', 'kaldi']).optional(),
  /** 'slaney' divides each filter by its width in Hz (half of it), so that filters have like areas; default 'slaney'. */
  norm: z.enum(['slaney', 'none']).optional(),
  /** The filters take magnitudes (1, default) or powers (2). */
  power: z.union([z.literal(1), z.literal(2)]).optional(),
  /** Values are cut from below before the logarithm; default 1e-5. */
  floor: z.number().positive().optional(),
  /** Default 'ln'. */
  log: z.enum(['ln', 'log10']).optional(),
  /** Results are (log-mel - mean) / deviation; defaults 0 and 1. */
  mean: z.number().optional(),
  deviation: z.number().positive().optional(),
});
export type MelConfig = z.infer<typeof melSchema>;

type Scale = 'htk' | 'slaney' | 'kaldi';

// Slaney: linear below 1000 Hz (15 mel), then 27 steps for each factor 6.4.
const BREAK_HZ = 1000;
const BREAK_MEL = 15;
const STEP = Math.log(6.4) / 27;

/** Hz to mel. */
export function hertzToMel(hertz: number, scale: Scale): number {
  if (scale === 'htk') return 2595 * Math.log10(1 + hertz / 700);
  if (scale === 'kaldi') return 1127 * Math.log(1 + hertz / 700);
  return hertz < BREAK_HZ ? (3 * hertz) / 200 : BREAK_MEL + Math.log(hertz / BREAK_HZ) / STEP;
}

/** Mel to Hz. */
export function melToHertz(mel: number, scale: Scale): number {
  if (scale === 'htk') return 700 * (10 ** (mel / 2595) - 1);
  if (scale === 'kaldi') return 700 * (Math.exp(mel / 1127) - 1);
  return mel < BREAK_MEL ? (200 * mel) / 3 : BREAK_HZ * Math.exp(STEP * (mel - BREAK_MEL));
}

function checkMel(where: string, c: MelConfig): void {
  const fMax = c.fMax ?? c.sampleRate / 2;
  if (!((c.fMin ?? 0) >= 0 && (c.fMin ?? 0) < fMax && fMax <= c.sampleRate / 2))
    throw new ArgumentError(
      where,
      `expected 0 <= fMin < fMax <= ${c.sampleRate / 2} Hz, got ${c.fMin ?? 0} and ${fMax}`,
      'no frequency above half the sample rate can be told',
    );
  if (!Number.isInteger(c.mels) || c.mels < 1)
    throw new ArgumentError(where, `expected at least one filter, got ${c.mels}`, 'change the option mels');
}

/** The filters' weights [nFft / 2 + 1, mels], row by row. Throws ArgumentError. */
export function melWeights(config: MelConfig): Float64Array {
  checkMel('melWeights', config);
  const { sampleRate, mels, scale = 'slaney', norm = 'slaney', fMin = 0, fMax = sampleRate / 2 } = config;
  const { nFft } = stftSettings('melWeights', config);
  const bins = nFft / 2 + 1;
  const low = hertzToMel(fMin, scale);
  const high = hertzToMel(fMax, scale);
  const points = Array.from({ length: mels + 2 }, (_, i) => low + ((high - low) * i) / (mels + 1));
  // Kaldi draws the triangles on the mel axis, the others on the axis of Hz.
  const onMel = scale === 'kaldi';
  const corners = onMel ? points : points.map((m) => melToHertz(m, scale));
  const weights = new Float64Array(bins * mels);
  for (let k = 0; k < bins; k++) {
    const hertz = (k * sampleRate) / nFft;
    const at = onMel ? hertzToMel(hertz, scale) : hertz;
    for (let m = 0; m < mels; m++) {
      const [left, centre, right] = corners.slice(m, m + 3);
      const height = Math.max(0, Math.min((at - left) / (centre - left), (right - at) / (right - centre)));
      weights[k * mels + m] = height * (norm === 'slaney' ? 2 / (right - left) : 1);
    }
  }
  return weights;
}

/** The filters as a tensor [nFft / 2 + 1, mels] of the graph. */
export function melFilterBank(config: MelConfig): Tensor {
  const shape = [config.nFft / 2 + 1, config.mels];
  return constant({
    dtype: 'float32',
    shape,
    data: fromNumbers('melFilterBank', 'float32', melWeights(config)),
  });
}

/** Frames of a sound of `samples` samples. */
export const melFrames = (config: MelConfig, samples: number): number => stftFrames(config, samples);

/**
 * samples [B, N], -1..1 at `sampleRate` -> logarithms of the mel spectrogram [B, frames, mels]. Throws ArgumentError and
 * ShapeError.
 */
export function logMelSpectrogram(samples: Tensor, config: MelConfig): Tensor {
  const { power = 1, floor = 1e-5, log = 'ln', mean = 0, deviation = 1 } = config;
  const filters = melFilterBank(config);
  const bands = spectrogram(samples, config, { power }).matMul(filters).maximum(floor).log();
  const logs = log === 'log10' ? bands.mul(Math.LOG10E) : bands;
  return mean === 0 && deviation === 1 ? logs : logs.sub(mean).div(deviation);
}

/**
 * Settings by name. `omniworld`: one second at 8 kHz gives 64 frames of 32 mels, one for each 125 samples. `omniworldFine`, for
 * the sound decoder: 64 mels on HTK's scale above 200 Hz, narrow enough at the bottom (28 Hz) for a vocoder to tell OmniWorld's
 * pitches apart; the floor lies above the backgrounds' noise, and values are about 0 (silence, 19 of 20 are) to 6. `audioldm2`: what
 * AudioLDM 2's autoencoder and vocoder were trained on (Liu et al. 2023; 16 kHz, 64 mels, 100 frames a second). `imagebind`:
 * Girdhar et al. 2023, section 3.3, as their data.py computes it (Kaldi's filter banks of 2 s clips at 16 kHz, 128 mels,
 * their mean and deviation; subtract each clip's mean and cut or pad to 204 frames).
 */
export const melConfigs = {
  omniworld: { sampleRate: 8000, nFft: 512, hop: 125, padding: 194, mels: 32, fMin: 0, fMax: 4000 },
  omniworldFine: {
    sampleRate: 8000,
    nFft: 400,
    hop: 125,
    padding: 138,
    mels: 64,
    fMin: 200,
    fMax: 4000,
    scale: 'htk',
    floor: 0.004,
    mean: -5.5,
    deviation: 1,
  },
  audioldm2: { sampleRate: 16000, nFft: 1024, hop: 160, mels: 64, fMin: 0, fMax: 8000 },
  imagebind: {
    sampleRate: 16000,
    nFft: 512,
    hop: 160,
    windowLength: 400,
    windowAt: 'start',
    window: 'hann',
    periodic: false,
    padding: 0,
    removeMean: true,
    preEmphasis: 0.97,
    mels: 128,
    fMin: 20,
    fMax: 8000,
    scale: 'kaldi',
    norm: 'none',
    power: 2,
    floor: 1.1920928955078125e-7,
    mean: -4.268,
    deviation: 9.138,
  },
} as const satisfies Record<string, MelConfig>;
