/**
 * Waveforms of spectrograms without phases: the inverse transform, and Griffin & Lim's iteration (1984) with the momentum of
 * Perraudin et al. 2013 ("A fast Griffin-Lim algorithm"), as librosa computes them. All are functions of the graph.
 */
import { ArgumentError, ShapeError } from '../errors';
import { fromNumbers } from '../graph/dtype';
import { range, showShape } from '../graph/shape';
import { constant, concat } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { melWeights } from './mel';
import type { MelConfig } from './mel';
import { stft, stftSettings, windowOf } from './stft';
import type { StftConfig } from './stft';

/**
 * The waveform [B, length] of a transform: real and imaginary parts [B, frames, nFft / 2 + 1] -> overlapping frames added and
 * divided by the sum of their squared windows, the least-squares inverse. Throws ShapeError and ArgumentError.
 */
export function istft(real: Tensor, imag: Tensor, config: StftConfig, length: number): Tensor {
  const c = stftSettings('istft', config);
  const { nFft, hop } = c;
  const bins = nFft / 2 + 1;
  if (c.windowAt !== 'centre' || c.removeMean || c.preEmphasis)
    throw new ArgumentError(
      'istft',
      "expected a transform with the window in the centre and nothing taken off, got another's",
      'such transforms are for features, not for synthesis',
    );
  if (real.rank !== 3 || real.shape[2] !== bins)
    throw new ShapeError(
      'istft',
      `expected parts [B, frames, ${bins}], got ${showShape(real.shape)}`,
      'use the configuration of the transform',
    );
  const [batch, frames] = real.shape;
  const parts = Math.ceil(nFft / hop);
  const width = parts * hop;

  // Rows: cosine parts, then sine parts; frequencies between the ends count twice, for their mirror images.
  const window = new Float64Array(nFft);
  window.set(windowOf(c.window, c.windowLength, c.periodic), Math.floor((nFft - c.windowLength) / 2));
  const table = new Float64Array(2 * bins * width);
  for (let k = 0; k < bins; k++)
    for (let n = 0; n < nFft; n++) {
      const angle = (2 * Math.PI * ((k * n) % nFft)) / nFft;
      const share = ((k === 0 || k === bins - 1 ? 1 : 2) * window[n]) / nFft;
      table[k * width + n] = share * Math.cos(angle);
      table[(bins + k) * width + n] = -share * Math.sin(angle);
    }
  const squares = new Float64Array((frames + parts - 1) * hop);
  for (let f = 0; f < frames; f++) for (let n = 0; n < nFft; n++) squares[f * hop + n] += window[n] ** 2;
  const inverse = squares.map((s) => (s > 1e-8 ? 1 / s : 1));

  const { dtype } = real;
  const tensorOf = (data: Float64Array, shape: number[]): Tensor =>
    constant({ dtype, shape, data: fromNumbers('istft', dtype, data) });
  const cut = concat([real, imag], 2)
    .matMul(tensorOf(table, [2 * bins, width]))
    .reshape([batch, frames, parts, hop]);
  // Piece j of frame f stands at piece f + j of the waveform.
  const sum = range(parts)
    .map((j) => cut.slice(null, null, j).pad([0, j, 0], [0, parts - 1 - j, 0]))
    .reduce((a, b) => a.add(b))
    .reshape([batch, squares.length])
    .mul(tensorOf(inverse, [1, squares.length]));
  const end = c.padding + length;
  const long = end > squares.length ? sum.pad([0, 0], [0, end - squares.length]) : sum;
  return long.slice(null, [c.padding, end]);
}

export interface GriffinLimOptions {
  /** Default 32. */
  iterations?: number;
  /** Default 0.99; 0 is the original algorithm. */
  momentum?: number;
  /**
   * Phases at the start: all zero (librosa's init=None), or 'advancing' (default): each frequency's phase grows by what its
   * own sine turns in a hop.
   */
  start?: 'zero' | 'advancing';
}

/**
 * A waveform [B, length] whose magnitudes come close to the given ones [B, frames, nFft / 2 + 1]. Deterministic: nothing is
 * drawn. Throws ShapeError and ArgumentError.
 */
export function griffinLim(
  magnitudes: Tensor,
  config: StftConfig,
  length: number,
  { iterations = 32, momentum = 0.99, start = 'advancing' }: GriffinLimOptions = {},
): Tensor {
  const [, frames, bins] = magnitudes.shape;
  const { dtype } = magnitudes;
  const phase = (f: (angle: number) => number): Tensor => {
    const data = new Float64Array(frames * bins);
    if (start === 'advancing')
      for (let t = 0; t < frames; t++)
        for (let k = 0; k < bins; k++)
          data[t * bins + k] = (2 * Math.PI * ((k * t * config.hop) % config.nFft)) / config.nFft;
    return constant({ dtype, shape: [1, frames, bins], data: fromNumbers('griffinLim', dtype, data.map(f)) });
  };
  let [re, im] = [phase(Math.cos).mul(magnitudes), phase(Math.sin).mul(magnitudes)];
  let last: { real: Tensor; imag: Tensor } | null = null;
  const share = momentum / (1 + momentum);
  for (let i = 0; i < iterations; i++) {
    const next = stft(istft(re, im, config, length), config);
    const real = last ? next.real.sub(last.real.mul(share)) : next.real;
    const imag = last ? next.imag.sub(last.imag.mul(share)) : next.imag;
    const scale = magnitudes.div(real.square().add(imag.square()).sqrt().add(1e-16));
    [re, im] = [real.mul(scale), imag.mul(scale)];
    last = next;
  }
  return istft(re, im, config, length);
}

/**
 * The pseudo-inverse of the mel filters [mels, nFft / 2 + 1], row by row: the least-norm magnitudes that have given bands.
 * Throws ArgumentError where a filter is empty.
 */
export function inverseMelWeights(config: MelConfig): Float64Array {
  const { mels } = config;
  const f = melWeights(config);
  const bins = f.length / mels;
  // (F' F) X = F' by elimination; F' F is well conditioned, as filters overlap with their neighbours alone.
  const width = mels + bins;
  const rows = range(mels).map((a) => {
    const row = new Float64Array(width);
    for (let b = 0; b < mels; b++) for (let k = 0; k < bins; k++) row[b] += f[k * mels + a] * f[k * mels + b];
    for (let k = 0; k < bins; k++) row[mels + k] = f[k * mels + a];
    return row;
  });
  for (let i = 0; i < mels; i++) {
    const pivot = rows[i][i];
    if (!(pivot > 1e-20))
      throw new ArgumentError(
        'inverseMelWeights',
        `expected filters that each hold a frequency of the transform, filter ${i} holds none`,
        'use fewer mels, or a larger nFft',
      );
    for (let j = i; j < width; j++) rows[i][j] /= pivot;
    rows.forEach((row, r) => {
      const factor = row[i];
      if (r === i || factor === 0) return;
      for (let j = i; j < width; j++) row[j] -= factor * rows[i][j];
    });
  }
  const out = new Float64Array(mels * bins);
  rows.forEach((row, m) => out.set(row.subarray(mels), m * bins));
  return out;
}

/**
 * Log-mel frames [B, frames, mels] (of `logMelSpectrogram`) -> magnitudes [B, frames, nFft / 2 + 1] by the pseudo-inverse,
 * negative ones set to 0. The floor is taken off first: a band at the floor is silent.
 */
export function melToMagnitudes(mel: Tensor, config: MelConfig): Tensor {
  const { mean = 0, deviation = 1, log = 'ln', power = 1, floor = 1e-5, mels } = config;
  const bins = config.nFft / 2 + 1;
  const logs = mean === 0 && deviation === 1 ? mel : mel.mul(deviation).add(mean);
  const bands = (log === 'log10' ? logs.mul(Math.LN10) : logs).exp().sub(floor).maximum(0);
  const { dtype } = mel;
  const inverse = constant({
    dtype,
    shape: [mels, bins],
    data: fromNumbers('melToMagnitudes', dtype, inverseMelWeights(config)),
  });
  const found = bands.matMul(inverse).maximum(0);
  return power === 2 ? found.sqrt() : found;
}
