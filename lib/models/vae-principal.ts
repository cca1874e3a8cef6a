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
import { jit } from '../runtime/jit';
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
export async function principalAutoencoder(
  rng: Random,
  c: AutoencoderConfig,
  samples: readonly Float32Array[],
  side: number | readonly [number, number],
  { equalize = 0, device }: { equalize?: number; device?: string } = {},
): Promise<AutoencoderParams> {
  const [width] = c.blockOutChannels;
  const k = c.latentChannels;
  if (c.blockOutChannels.length > 1 || width < 2 * k || c.useQuantConv || c.usePostQuantConv || !samples.length)
    throw new ArgumentError(
      'principalAutoencoder',
      `expected one resolution of at least ${2 * k} channels without quantisation convolutions, and samples, got [${c.blockOutChannels.join(', ')}], ${samples.length} samples`,
      'use autoencoderInit, which serves any configuration',
    );
  const patches = patchesOf(samples, c, typeof side === 'number' ? [side, side] : side);
  const size = c.inChannels * c.patchSize ** 2;
  const { mean, basis, deviations } = await principalComponents(rng.stream('components'), patches, size, k, device);
  const total = Math.sqrt(deviations.reduce((sum, d) => sum + d * d, 0) / k);
  /** What component i is divided by. */
  // One without variance is not divided by nothing.
  const least = 1e-4 * total || 1;
  const units = deviations.map((d) => (total || 1) ** (1 - equalize) * Math.max(d, least) ** equalize);
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

/** The squares of the samples as rows (channel, row, column), the order of the autoencoder's first convolution. */
function patchesOf(
  samples: readonly Float32Array[],
  { inChannels, patchSize: p }: AutoencoderConfig,
  [height, width]: readonly [number, number],
): Float32Array {
  const out = new Float32Array(samples.length * inChannels * height * width);
  let at = 0;
  for (const sample of samples)
    for (let top = 0; top + p <= height; top += p)
      for (let left = 0; left + p <= width; left += p)
        for (let channel = 0; channel < inChannels; channel++)
          for (let y = 0; y < p; y++) {
            const from = (channel * height + top + y) * width + left;
            out.set(sample.subarray(from, from + p), at);
            at += p;
          }
  return out.subarray(0, at);
}

/** Of rows [n, size]: their mean, an orthonormal basis of the k largest components, and the standard deviation along each. */
async function principalComponents(
  rng: Random,
  rows: Float32Array,
  size: number,
  k: number,
  device?: string,
): Promise<{ mean: Float32Array; basis: Float64Array[]; deviations: number[] }> {
  const count = rows.length / size;
  const sums = new Float64Array(size);
  for (let at = 0; at < rows.length; at += size) for (let i = 0; i < size; i++) sums[i] += rows[at + i];
  const mean = Float32Array.from(sums, (sum) => sum / count);
  const centred = tensor(
    rows.map((value, at) => value - mean[at % size]),
    { shape: [count, size] },
  );
  const covarianceOf = jit((x: Tensor) => x.transpose([1, 0]).matMul(x).div(count), { device, name: 'covariance' });
  const times = jit((b: Tensor, covariance: Tensor) => b.matMul(covariance), { device, name: 'components' });
  const covariance = await covarianceOf(centred);
  const along = async (basis: readonly Float64Array[]): Promise<Float64Array[]> => {
    const flat = new Float32Array(k * size);
    basis.forEach((b, i) => flat.set(b, i * size));
    const values = await (await times(tensor(flat, { shape: [k, size] }), covariance)).data();
    return basis.map((_, i) => Float64Array.from(values.subarray(i * size, (i + 1) * size) as Float32Array));
  };
  let basis = orthonormal(Array.from({ length: k }, () => Float64Array.from(rng.normals(size))));
  for (let round = 0; round < ROUNDS; round++) basis = orthonormal(await along(basis));
  const moved = await along(basis);
  // A component without any variance may come out a rounding error below zero.
  const deviations = basis.map((b, at) =>
    Math.sqrt(
      Math.max(
        0,
        moved[at].reduce((sum, v, i) => sum + v * b[i], 0),
      ),
    ),
  );
  covarianceOf.release();
  times.release();
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
