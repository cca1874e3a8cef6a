/** Autoencoders that begin as principal components: near the best linear one before any training, whatever the patches. */
import assert from 'node:assert/strict';
import { tensor } from '../../lib/graph';
import {
  autoencoderFactor,
  autoencoderSchema,
  decodeLatents,
  encodeLatents,
  principalAutoencoder,
} from '../../lib/models';
import { Random } from '../../lib/nn';
import { closeDevices } from '../../lib/runtime';

describe('principal autoencoder', () => {
  after(closeDevices);
  const config = autoencoderSchema.parse({
    inChannels: 2,
    outChannels: 2,
    patchSize: 4,
    latentChannels: 3,
    blockOutChannels: [16],
    layersPerBlock: 1,
    normNumGroups: 2,
    midBlockAddAttention: false,
    useQuantConv: false,
    usePostQuantConv: false,
  });
  /** Samples [2, 8, 8]: each patch a mean and three patterns in random amounts, and a little noise. */
  const random = new Random(4, 'patches');
  const patterns = Array.from({ length: 4 }, () => random.normals(2 * 16));
  const side = 8;
  const sample = (): Float32Array => {
    const out = new Float32Array(2 * side * side);
    for (const [top, left] of [
      [0, 0],
      [0, 4],
      [4, 0],
      [4, 4],
    ]) {
      const amounts = [1, 0.5 * random.normal(), 0.3 * random.normal(), 0.2 * random.normal()];
      for (let j = 0; j < 32; j++) {
        const at = Math.floor(j / 16) * side * side + (top + (Math.floor(j / 4) % 4)) * side + left + (j % 4);
        out[at] = amounts.reduce((sum, a, k) => sum + a * patterns[k][j], 0.01 * random.normal());
      }
    }
    return out;
  };
  const samples = Array.from({ length: 64 }, sample);

  it('keeps what lies in the components, with little noise', async () => {
    const params = await principalAutoencoder(new Random(0), config, samples, side);
    const held = Array.from({ length: 8 }, sample);
    const x = tensor(Float32Array.from(held.flatMap((s) => [...s])), { shape: [8, 2, side, side] });
    const latents = encodeLatents(params, config, x);
    assert.deepEqual(latents.mean.shape, [8, 3, 2, 2]);
    assert.equal(autoencoderFactor(config), 4);
    const y = decodeLatents(params, config, latents.mean);
    assert.deepEqual(y.shape, x.shape);
    const error = await y.sub(x).square().mean().item();
    const centre = x.mean(0, true);
    const variance = await x.sub(centre).square().mean().item();
    assert.ok(error < 0.1 * variance, `error ${error}, variance ${variance}`);
    assert.ok((await latents.logVariance.max().item()) < -5);
  });

  it('makes the deviations of its latents equal, wholly or in part', async () => {
    const x = tensor(Float32Array.from(samples.flatMap((s) => [...s])), { shape: [samples.length, 2, side, side] });
    /** Largest over smallest deviation of the latents' channels. */
    const spread = async (equalize: number): Promise<number> => {
      const { mean } = encodeLatents(
        await principalAutoencoder(new Random(0), config, samples, side, { equalize }),
        config,
        x,
      );
      const deviations = (await mean
        .transpose([1, 0, 2, 3])
        .reshape([3, -1])
        .variance(1)
        .sqrt()
        .data()) as Float32Array;
      return Math.max(...deviations) / Math.min(...deviations);
    };
    const [none, half, whole] = [await spread(0), await spread(0.5), await spread(1)];
    assert.ok(none > 2, `unequal deviations without it: ${none}`);
    assert.ok(Math.abs(half / Math.sqrt(none) - 1) < 0.1, `its root: ${half}, ${none}`);
    assert.ok(whole < 1.1, `nearly 1: ${whole}`);
  });

  it('refuses what it cannot begin', async () => {
    for (const change of [{ blockOutChannels: [16, 16] }, { latentChannels: 9 }, { useQuantConv: true }])
      await assert.rejects(
        () => principalAutoencoder(new Random(0), { ...config, ...change }, samples, side),
        /principalAutoencoder: expected one resolution of at least \d+ channels/,
      );
  });
});
