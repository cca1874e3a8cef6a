/**
 * A VQ-GAN that begins where a short training gets far: encoder and decoder as the principal components of the pictures' patches
 * (vae-principal.ts), the codebook as the centres of what they make of some pictures (k-means).
 */
import { ArgumentError } from '../errors';
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { filled } from '../nn/init';
import { kMeans } from '../nn/k-means';
import type { Random } from '../nn/random';
import { jit } from '../runtime/jit';
import { autoencoderSchema } from './vae';
import { principalAutoencoder } from './vae-principal';
import { vqganEncode, vqganInit } from './vqgan';
import type { VqganConfig, VqganParams } from './vqgan';

/**
 * Initial parameters from pictures [inChannels, H, W], flat, about -1 to 1. The configuration has one resolution and no attention,
 * and as many latent channels as the codes' width. Throws ArgumentError.
 */
export async function vqganStart(
  rng: Random,
  c: VqganConfig,
  pictures: readonly Float32Array[],
  options: { device?: string; batchSize?: number } = {},
): Promise<VqganParams> {
  if (c.channelMultiplier.length > 1 || c.midAttention || c.attnResolutions.length || c.latentChannels !== c.embedDim)
    throw new ArgumentError(
      'vqganStart',
      `expected one resolution, no attention, and latentChannels as embedDim, got [${c.channelMultiplier.join(', ')}], ${c.latentChannels} and ${c.embedDim}`,
      'use vqganInit, which serves any configuration',
    );
  const { device, batchSize = 64 } = options;
  const linear = await principalAutoencoder(
    rng.stream('principal'),
    autoencoderSchema.parse({
      inChannels: c.inChannels,
      outChannels: c.inChannels,
      latentChannels: c.latentChannels,
      blockOutChannels: [c.baseChannels * c.channelMultiplier[0]],
      layersPerBlock: 1,
      normNumGroups: c.normNumGroups,
      midBlockAddAttention: false,
      useQuantConv: false,
      usePostQuantConv: false,
      patchSize: c.patchSize,
    }),
    pictures,
    c.resolution,
    { device },
  );
  const params = vqganInit(rng.stream('init'), c);
  const k = c.embedDim;
  // The autoencoder has log-variances too: the first half of its outputs are the components.
  const host = (t: Tensor): Float32Array => t.storage!.hostValues as Float32Array;
  const { weight, bias } = linear.encoder.conv_out;
  params.encoder.conv_in = linear.encoder.conv_in;
  params.encoder.conv_out = {
    weight: tensor(host(weight).slice(0, weight.size / 2), { shape: [k, ...weight.shape.slice(1)] }),
    bias: tensor(host(bias!).slice(0, k)),
  };
  params.decoder.conv_in = linear.decoder.conv_in;
  params.decoder.conv_out = linear.decoder.conv_out;
  const identity = (): { weight: Tensor; bias: Tensor } => ({
    weight: tensor(
      Float32Array.from({ length: k * k }, (_, i) => (i % (k + 1) ? 0 : 1)),
      { shape: [k, k, 1, 1] },
    ),
    bias: filled([k], 0),
  });
  params.quant_conv = identity();
  params.post_quant_conv = identity();

  const encode = jit((p: VqganParams, x: Tensor) => vqganEncode(p, c, x).transpose([0, 2, 3, 1]), {
    device,
    name: 'vqgan start',
  });
  const vectors: Float32Array[] = [];
  const shape = [batchSize, c.inChannels, c.resolution, c.resolution];
  for (let at = 0; at + batchSize <= pictures.length; at += batchSize) {
    const batch = new Float32Array(batchSize * pictures[0].length);
    for (let i = 0; i < batchSize; i++) batch.set(pictures[at + i], i * pictures[0].length);
    vectors.push((await (await encode(params, tensor(batch, { shape }))).data()) as Float32Array);
  }
  encode.release();
  const all = new Float32Array(vectors.reduce((n, v) => n + v.length, 0));
  vectors.reduce((at, v) => (all.set(v, at), at + v.length), 0);
  params.quantize.embedding.weight = tensor(kMeans(rng.stream('codes'), all, k, c.numEmbeddings), {
    shape: [c.numEmbeddings, k],
  });
  return params;
}
