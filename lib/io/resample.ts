/** Sounds at another sample rate. */
import { ArgumentError } from '../errors';
import type { Sound } from './media';

/** Zero crossings of the sinc on each side. */
const CROSSINGS = 24;
/** Of the lower Nyquist frequency, what passes: the window's transition band takes the rest. */
const PASS = 0.95;

/** Modified Bessel function of the first kind, order 0, by its power series. */
function bessel(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > 1e-12 * sum; k++) sum += term *= (x / (2 * k)) ** 2;
  return sum;
}

/** Kaiser window, beta 9: what folds back is about 90 dB down. */
const BETA = 9;
const kaiser = (t: number): number => (Math.abs(t) >= 1 ? 0 : bessel(BETA * Math.sqrt(1 - t * t)) / bessel(BETA));

const divisor = (a: number, b: number): number => (b ? divisor(b, a % b) : a);

/** Tables of filters beyond this many numbers are not made: the rates have too little in common. */
const LARGEST = 1 << 24;

/**
 * The sound at `sampleRate`, by a sinc low-pass under a Kaiser window (Smith, "Digital audio resampling", 2002), which cuts
 * below the lower of the two Nyquist frequencies. Its length is rounded up, so that no end is lost.
 * @throws ArgumentError for rates that are not whole numbers from 1000 to 384000
 */
export function resample(sound: Sound, sampleRate: number): Sound {
  for (const rate of [sound.sampleRate, sampleRate])
    if (!(Number.isInteger(rate) && rate >= 1000 && rate <= 384_000))
      throw new ArgumentError('resample', `expected a rate from 1000 to 384000 Hz, got ${rate}`, 'for instance 8000');
  if (sound.sampleRate === sampleRate) return sound;
  const common = divisor(sound.sampleRate, sampleRate);
  // Sample k of the result is at k * down / up samples of the source: `up` phases, one filter each.
  const [up, down] = [sampleRate / common, sound.sampleRate / common];
  const cut = PASS * Math.min(1, up / down);
  const reach = Math.ceil(CROSSINGS / cut);
  const width = 2 * reach + 1;
  if (up * width > LARGEST)
    throw new ArgumentError(
      'resample',
      `expected rates with a common divisor, got ${sound.sampleRate} and ${sampleRate}`,
      'convert the file to a usual rate first, such as 8000, 16000, 44100 or 48000',
    );
  const filters = new Float64Array(up * width);
  for (let phase = 0; phase < up; phase++)
    for (let i = 0; i < width; i++) {
      const t = i - reach - phase / up;
      const sinc = t === 0 ? 1 : Math.sin(Math.PI * cut * t) / (Math.PI * cut * t);
      filters[phase * width + i] = cut * sinc * kaiser(t / (reach + 1));
    }
  const { samples } = sound;
  const out = new Float32Array(Math.ceil((samples.length * up) / down));
  for (let k = 0; k < out.length; k++) {
    const middle = Math.floor((k * down) / up);
    const phase = (k * down) % up;
    let sum = 0;
    for (let i = Math.max(0, reach - middle); i < width && middle + i - reach < samples.length; i++)
      sum += filters[phase * width + i] * samples[middle + i - reach];
    out[k] = sum;
  }
  return { sampleRate, samples: out };
}
