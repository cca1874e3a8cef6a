/**
 * Short-time Fourier transform as a function of the graph: frames are cut by strided reshapes and multiplied by a table of
 * windowed sines and cosines, so every engine computes it and gradients pass. Conventions follow torch.stft and, with
 * `windowAt: 'start'`, Kaldi's filter banks (Povey et al. 2011) as transformers.audio_utils computes them. Results have the
 * frames before the frequencies, the transpose of torch's.
 */
import { ArgumentError, ShapeError } from '../errors';
import { range, showShape } from '../graph/shape';
import { concat, constant } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { fromNumbers } from '../graph/dtype';

export type WindowKind = 'hann' | 'hamming' | 'povey' | 'rectangular';

export interface StftConfig {
  /** Samples of the Fourier transform; there are nFft / 2 + 1 frequencies. Even. */
  nFft: number;
  /** Samples from one frame to the next. */
  hop: number;
  /** Default 'hann'. 'povey' is Hann's to the power 0.85. */
  window?: WindowKind;
  /** Samples of the window; default nFft. */
  windowLength?: number;
  /** Whether the window is one period of its function (torch's default, and ours) or symmetrical (Kaldi's). */
  periodic?: boolean;
  /**
   * Where a window shorter than nFft stands. 'centre' (default, torch): in the middle of nFft samples. 'start' (Kaldi,
   * transformers): frames have the window's length, zeros follow.
   */
  windowAt?: 'centre' | 'start';
  /** Samples added at both ends; default nFft / 2, torch's `center=True`. 0 for none. */
  padding?: number;
  /** Default 'reflect', without repeating the end. */
  padMode?: 'reflect' | 'zeros';
  /** Takes the mean off each frame; default false. */
  removeMean?: boolean;
  /** x[t] - a x[t - 1] within each frame (after `removeMean`), its first sample times 1 - a; default 0, Kaldi's is 0.97. */
  preEmphasis?: number;
}

type Complete = Required<StftConfig>;

/** The configuration with its defaults filled in. Throws ArgumentError. */
export function stftSettings(where: string, c: StftConfig): Complete {
  const { nFft, hop } = c;
  const whole = (name: string, value: number, least: number): void => {
    if (!Number.isInteger(value) || value < least)
      throw new ArgumentError(
        where,
        `expected ${name} of at least ${least}, got ${value}`,
        'count samples in whole numbers',
      );
  };
  whole('nFft', nFft, 2);
  whole('hop', hop, 1);
  if (nFft % 2)
    throw new ArgumentError(where, `expected an even nFft, got ${nFft}`, 'powers of two are usual: 256, 512, 1024');
  const windowLength = c.windowLength ?? nFft;
  whole('windowLength', windowLength, 1);
  if (windowLength > nFft)
    throw new ArgumentError(
      where,
      `expected a window of at most nFft = ${nFft} samples, got ${windowLength}`,
      'raise nFft, or shorten the window',
    );
  const padding = c.padding ?? nFft / 2;
  whole('padding', padding, 0);
  return {
    nFft,
    hop,
    windowLength,
    padding,
    window: c.window ?? 'hann',
    periodic: c.periodic ?? true,
    windowAt: c.windowAt ?? 'centre',
    padMode: c.padMode ?? 'reflect',
    removeMean: c.removeMean ?? false,
    preEmphasis: c.preEmphasis ?? 0,
  };
}

/** The values of a window. */
export function windowOf(kind: WindowKind, length: number, periodic = true): Float64Array {
  const period = periodic ? length : length - 1;
  return Float64Array.from({ length }, (_, n) => {
    const c = length === 1 ? -1 : Math.cos((2 * Math.PI * n) / period);
    switch (kind) {
      case 'hann':
        return 0.5 - 0.5 * c;
      case 'hamming':
        return 0.54 - 0.46 * c;
      case 'povey':
        return (0.5 - 0.5 * c) ** 0.85;
      case 'rectangular':
        return 1;
      default:
        throw new ArgumentError(
          'windowOf',
          `expected hann, hamming, povey or rectangular, got "${String(kind)}"`,
          'change the option window',
        );
    }
  });
}

/** Samples of one frame. */
const frameLength = (c: Complete): number => (c.windowAt === 'start' ? c.windowLength : c.nFft);

/** The number of frames of `samples` samples; 0 where they are too few. */
export function stftFrames(config: StftConfig, samples: number): number {
  const c = stftSettings('stftFrames', config);
  return Math.max(0, Math.floor((samples + 2 * c.padding - frameLength(c)) / c.hop) + 1);
}

/**
 * The table [rows, 2 (nFft / 2 + 1)] that a frame is multiplied by: cosines, then negative sines, both windowed. Taking the
 * mean off and pre-emphasis are linear in the frame, so they are part of it. Rows past the frame are zero.
 */
function basis(c: Complete, rows: number): Float64Array {
  const { nFft, windowLength } = c;
  const bins = nFft / 2 + 1;
  const width = 2 * bins;
  const length = frameLength(c);
  const table = new Float64Array(rows * width);
  const window = windowOf(c.window, windowLength, c.periodic);
  const offset = Math.floor((length - windowLength) / 2);
  const cosines = Float64Array.from({ length: nFft }, (_, i) => Math.cos((2 * Math.PI * i) / nFft));
  for (let n = 0; n < windowLength; n++)
    for (let k = 0; k < bins; k++) {
      const at = (k * (n + offset)) % nFft;
      table[(n + offset) * width + k] = window[n] * cosines[at];
      // -sin(a) = cos(a + pi / 2); written so that multiples of pi give an exact 0.
      table[(n + offset) * width + bins + k] =
        (2 * at) % nFft === 0 ? 0 : -window[n] * Math.sin((2 * Math.PI * at) / nFft);
    }
  for (let k = 0; k < width; k++) {
    // Row n of the table of x from those of y[n] = x[n] - a x[n - 1], y[0] = (1 - a) x[0].
    if (c.preEmphasis)
      for (let n = 0; n < length; n++)
        table[n * width + k] =
          (n === 0 ? 1 - c.preEmphasis : 1) * table[n * width + k] -
          (n + 1 < length ? c.preEmphasis * table[(n + 1) * width + k] : 0);
    if (c.removeMean) {
      let sum = 0;
      for (let n = 0; n < length; n++) sum += table[n * width + k];
      for (let n = 0; n < length; n++) table[n * width + k] -= sum / length;
    }
  }
  return table;
}

/** Samples at both ends: their mirror image, or zeros. */
function padEnds(x: Tensor, n: number, mode: 'reflect' | 'zeros'): Tensor {
  if (n === 0) return x;
  if (mode === 'zeros') return x.pad([0, n], [0, n]);
  const length = x.shape[1];
  if (n >= length)
    throw new ShapeError(
      'stft',
      `expected more than ${n} samples to reflect ${n} of them, got ${length}`,
      "use longer sounds, a shorter nFft, or padMode 'zeros'",
    );
  return concat([x.slice(null, [1, n + 1]).flip(1), x, x.slice(null, [length - n - 1, length - 1]).flip(1)], 1);
}

/** Overlapping frames [B, frames, size]: size / hop shifted views of the samples cut into pieces of `hop`. */
function framesOf(x: Tensor, count: number, parts: number, hop: number): Tensor {
  const [batch, length] = x.shape;
  const pieces = count + parts - 1;
  const wanted = pieces * hop;
  const whole = wanted > length ? x.pad([0, 0], [0, wanted - length]) : x.slice(null, [0, wanted]);
  const cut = whole.reshape([batch, pieces, hop]);
  return concat(
    range(parts).map((j) => cut.slice(null, [j, j + count])),
    2,
  );
}

/**
 * samples [B, N] -> real and imaginary parts [B, frames, nFft / 2 + 1] of each frame's transform. Throws ArgumentError and
 * ShapeError.
 */
export function stft(samples: Tensor, config: StftConfig): { real: Tensor; imag: Tensor } {
  const c = stftSettings('stft', config);
  if (samples.rank !== 2)
    throw new ShapeError('stft', `expected samples [B, N], got ${showShape(samples.shape)}`, 'add the batch axis');
  const count = stftFrames(config, samples.shape[1]);
  if (count < 1)
    throw new ShapeError(
      'stft',
      `expected at least one frame of ${frameLength(c)} samples, got ${samples.shape[1]} samples`,
      'use longer sounds, a shorter nFft, or padding',
    );
  const parts = Math.ceil(frameLength(c) / c.hop);
  const bins = c.nFft / 2 + 1;
  const rows = parts * c.hop;
  const { dtype } = samples;
  const table = constant({ dtype, shape: [rows, 2 * bins], data: fromNumbers('stft', dtype, basis(c, rows)) });
  const padded = padEnds(samples, c.padding, c.padMode);
  const [real, imag] = framesOf(padded, count, parts, c.hop).matMul(table).split([bins, bins], 2);
  return { real, imag };
}

export interface SpectrogramOptions {
  /** 1: magnitudes; 2 (default): their squares. */
  power?: 1 | 2;
  /** Under the root of a magnitude, whose gradient at 0 is infinite without; default 1e-9, as HiFi-GAN (Kong et al. 2020). */
  epsilon?: number;
}

/** Magnitudes or powers [B, frames, nFft / 2 + 1] of samples [B, N]. */
export function spectrogram(samples: Tensor, config: StftConfig, options: SpectrogramOptions = {}): Tensor {
  const { power = 2, epsilon = 1e-9 } = options;
  const { real, imag } = stft(samples, config);
  const squares = real.square().add(imag.square());
  return power === 2 ? squares : (epsilon ? squares.add(epsilon) : squares).sqrt();
}
