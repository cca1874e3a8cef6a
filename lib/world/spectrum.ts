/** Magnitude spectra of short windows of a sound, for the oracle of sounds. */

/** In-place Fourier transform of 2^k complex numbers (Cooley & Tukey 1965, radix 2). */
function transform(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let half = 1; half < n; half *= 2)
    for (let k = 0; k < half; k++) {
      const wr = Math.cos((-Math.PI * k) / half);
      const wi = Math.sin((-Math.PI * k) / half);
      for (let i = k; i < n; i += 2 * half) {
        const j = i + half;
        const xr = re[j] * wr - im[j] * wi;
        const xi = re[j] * wi + im[j] * wr;
        re[j] = re[i] - xr;
        im[j] = im[i] - xi;
        re[i] += xr;
        im[i] += xi;
      }
    }
}

/**
 * Magnitudes [frames, window / 2] of Hann windows (`window` a power of two) whose middles are at begin, begin + hop, ...;
 * beyond the sound there is silence. Scaled so that a steady sine of amplitude a has its peak at a.
 */
export function magnitudes(
  samples: Float32Array | Float64Array,
  { begin, hop, frames, window }: { begin: number; hop: number; frames: number; window: number },
): Float32Array {
  const bins = window / 2;
  const out = new Float32Array(frames * bins);
  const [re, im] = [new Float64Array(window), new Float64Array(window)];
  for (let f = 0; f < frames; f++) {
    const start = begin + f * hop - bins;
    im.fill(0);
    for (let i = 0; i < window; i++)
      re[i] = (samples[start + i] ?? 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / window)) * (4 / window);
    transform(re, im);
    for (let b = 0; b < bins; b++) out[f * bins + b] = Math.hypot(re[b], im[b]);
  }
  return out;
}
