/**
 * An autoencoder that begins as the principal components of its samples' patches, instead of at random (data-dependent initial
 * values, Krähenbühl et al. 2016, section 3): a short training then only has to improve on the best linear one.
 *
 * Group normalisation takes the scale of a sample away and SiLU bends what is left, so half of the channels are references:
 * they stand at -BETA, those that carry components at +BETA plus the component. The groups' deviation is then BETA for all
 * samples, normalised values lie about 1, and there SiLU is nearly straight.
 */
import { ArgumentError } from '../errors';
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import type { Random } from '../nn/random';
import { autoencoderInit } from './vae';
import type { AutoencoderConfig, AutoencoderParams } from './vae';

const BETA = 6;
/** SiLU at 1, and its slope there. */
const LEVEL = 1 / (1 + Math.exp(-1));
const SLOPE = LEVEL * (2 - LEVEL);
/** Rounds of subspace iteration: the space of the largest components is wanted, not each one exactly. */
const ROUNDS = 20;

/**
 * Initial parameters from samples [inChannels, H, W], flat (`side`: H and W, or one number for both). The configuration has one resolution, at least twice as many
 * channels as latents, and no quantisation convolutions. Component i is divided by d_i^e d^(1 - e), where d_i is its own
 * deviation, d that of all, and e `equalize`: 0 keeps their ratios, 1 makes them equal, so that a diffusion model's noise
 * drowns none before the others. Throws ArgumentError.
 */
export function principalAutoencoder(
  rng: Random,
  c: AutoencoderConfig,
  samples: readonly Float32Array[],
  side: number | readonly [number, number],
  { equalize = 0 }: { equalize?: number } = {},
): AutoencoderParams {
  const [width] = c.blockOutChannels;
  const k = c.latentChannels;
  if (c.blockOutChannels.length > 1 || width < 2 * k || c.useQuantConv || c.usePostQuantConv || !samples.length)
    throw new ArgumentError(
      'principalAutoencoder',
      `expected one resolution of at least ${2 * k} channels without quantisation convolutions, and samples, got [${c.blockOutChannels.join(', ')}], ${samples.length} samples`,
      'use autoencoderInit, which serves any configuration',
    );
  const patches = samples.flatMap((s) => patchesOf(s, c, typeof side === 'number' ? [side, side] : side));
  const { mean, basis, deviations } = principalComponents(rng.stream('components'), patches, k);
  const total = Math.sqrt(deviations.reduce((sum, d) => sum + d * d, 0) / k);
  /** What component i is divided by. */
  const units = deviations.map((d) => total ** (1 - equalize) * d ** equalize);
  const size = mean.length;
  const params = autoencoderInit(rng.stream('init'), c);
  // Component i is channel 2 i, the odd channels are references.
  const lifted = Float32Array.from({ length: width }, (_, i) => (i % 2 ? -BETA : BETA));
  const centre = 4;
  const filter = (out: number, into: number, value: (o: number, i: number) => number): Tensor => {
    const weight = new Float32Array(out * into * 9);
    for (let o = 0; o < out; o++) for (let i = 0; i < into; i++) weight[(o * into + i) * 9 + centre] = value(o, i);
    return tensor(weight, { shape: [out, into, 3, 3] });
  };
  /** The component that a channel carries, or -1. */
  const carried = (channel: number): number => (channel % 2 === 0 && channel < 2 * k ? channel / 2 : -1);
  const gain = BETA / SLOPE;

  const projected = (o: number): number => {
    const at = carried(o);
    return at < 0 ? 0 : -mean.reduce((sum, m, j) => sum + m * basis[at][j], 0) / units[at];
  };
  params.encoder.conv_in = {
    weight: filter(width, size, (o, i) => (carried(o) < 0 ? 0 : basis[carried(o)][i] / units[carried(o)])),
    bias: tensor(lifted.map((v, o) => v + projected(o))),
  };
  params.encoder.conv_out = {
    weight: filter(2 * k, width, (o, i) => (carried(i) === o ? gain : 0)),
    // Log-variances about -6, as in autoencoderInit.
    bias: tensor(Float32Array.from({ length: 2 * k }, (_, o) => (o < k ? -gain * LEVEL : -6))),
  };
  params.decoder.conv_in = { weight: filter(width, k, (o, i) => (carried(o) === i ? 1 : 0)), bias: tensor(lifted) };
  const out = (o: number, i: number): number => (carried(i) < 0 ? 0 : basis[carried(i)][o] * units[carried(i)] * gain);
  params.decoder.conv_out = {
    weight: filter(size, width, out),
    bias: tensor(
      mean.map((m, o) => {
        let level = 0;
        for (let i = 0; i < width; i++) level += out(o, i) * LEVEL;
        return m - level;
      }),
    ),
  };
  return params;
}

/** The squares of a sample as vectors (channel, row, column), the order of the autoencoder's first convolution. */
function patchesOf(
  sample: Float32Array,
  { inChannels, patchSize: p }: AutoencoderConfig,
  [height, width]: readonly [number, number],
): Float32Array[] {
  const columns = width / p;
  return Array.from({ length: (height / p) * columns }, (_, at) => {
    const [top, left] = [Math.floor(at / columns) * p, (at % columns) * p];
    return Float32Array.from({ length: inChannels * p * p }, (_, j) => {
      const [channel, y, x] = [Math.floor(j / (p * p)), Math.floor(j / p) % p, j % p];
      return sample[(channel * height + top + y) * width + left + x];
    });
  });
}

/** Mean, an orthonormal basis of the k largest components, and the standard deviation along each. */
function principalComponents(
  rng: Random,
  vectors: readonly Float32Array[],
  k: number,
): { mean: Float32Array; basis: Float64Array[]; deviations: number[] } {
  const size = vectors[0].length;
  const mean = new Float32Array(size);
  for (const v of vectors) for (let i = 0; i < size; i++) mean[i] += v[i] / vectors.length;
  const covariance = new Float64Array(size * size);
  const centred = new Float64Array(size);
  for (const v of vectors) {
    for (let i = 0; i < size; i++) centred[i] = v[i] - mean[i];
    for (let i = 0; i < size; i++) {
      const a = centred[i] / vectors.length;
      for (let j = 0; j <= i; j++) covariance[i * size + j] += a * centred[j];
    }
  }
  for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) covariance[j * size + i] = covariance[i * size + j];
  let basis = orthonormal(Array.from({ length: k }, () => Float64Array.from(rng.normals(size))));
  const times = (b: Float64Array): Float64Array =>
    Float64Array.from({ length: size }, (_, i) => {
      let sum = 0;
      for (let j = 0; j < size; j++) sum += covariance[i * size + j] * b[j];
      return sum;
    });
  for (let round = 0; round < ROUNDS; round++) basis = orthonormal(basis.map(times));
  const deviations = basis.map((b) => Math.sqrt(times(b).reduce((sum, v, i) => sum + v * b[i], 0)));
  return { mean, basis, deviations };
}

/** Gram-Schmidt. */
function orthonormal(vectors: Float64Array[]): Float64Array[] {
  const out: Float64Array[] = [];
  for (const vector of vectors) {
    const v = vector.slice();
    for (const b of out) {
      const along = v.reduce((sum, x, i) => sum + x * b[i], 0);
      for (let i = 0; i < v.length; i++) v[i] -= along * b[i];
    }
    const length = Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
    out.push(v.map((x) => x / length));
  }
  return out;
}
