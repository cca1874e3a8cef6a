/** The latents of a data set by a frozen autoencoder, computed once before a diffusion model is trained on them. */
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { encodeLatents } from '../models/vae';
import type { AutoencoderConfig, AutoencoderParams } from '../models/vae';
import { jit } from '../runtime/jit';

export interface Latents {
  /** [count, ...shape] flat, multiplied by the scaling factor. */
  values: Float32Array;
  shape: readonly number[];
}

/**
 * The means of the latents' distributions. `sample(i)` gives sample i, flat, of this shape; they are encoded `batchSize` at a
 * time.
 */
export async function precomputeLatents(
  { params, config }: { params: AutoencoderParams; config: AutoencoderConfig },
  data: { count: number; shape: readonly [number, number, number]; sample: (i: number) => Float32Array },
  options: { batchSize?: number; device?: string } = {},
): Promise<Latents> {
  const { batchSize = 64, device } = options;
  const encode = jit((p: AutoencoderParams, x: Tensor) => encodeLatents(p, config, x).mean.mul(config.scalingFactor), {
    device,
    name: 'precomputeLatents',
  });
  const size = data.shape.reduce((a, b) => a * b);
  let values = new Float32Array(0);
  let shape: readonly number[] = [];
  for (let first = 0; first < data.count; first += batchSize) {
    const rows = Math.min(batchSize, data.count - first);
    // One size is compiled: the last batch is filled up.
    const batch = new Float32Array(batchSize * size);
    for (let i = 0; i < rows; i++) batch.set(data.sample(first + i), i * size);
    const out = await encode(params, tensor(batch, { shape: [batchSize, ...data.shape] }));
    shape = out.shape.slice(1);
    const each = out.size / batchSize;
    if (!first) values = new Float32Array(data.count * each);
    values.set(((await out.data()) as Float32Array).subarray(0, rows * each), first * each);
    out.dispose();
  }
  encode.release();
  return { values, shape };
}
