/** Training of autoencoders and of latent diffusion: what is learnt, and that a resumed run equals a straight one. */
import assert from 'node:assert/strict';
import { CancelledError } from '../../lib/errors';
import { ddim } from '../../lib/generate';
import { tensor } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { autoencoderSchema, clipText, clipTextSchema, unet, unetConfig } from '../../lib/models';
import type { UnetParams } from '../../lib/models';
import { noiseSchedule, Random } from '../../lib/nn';
import { closeDevices, jit } from '../../lib/runtime';
import {
  memoryContext,
  optimizerSchema,
  precomputeLatents,
  toHost,
  trainAutoencoder,
  trainDiffusion,
  unetDenoiser,
} from '../../lib/trainers';
import type { DiffusionOptions, TrainContext } from '../../lib/trainers';
import { shiftedTime } from '../../lib/trainers/diffusion';

const optimizer = (extra: object) =>
  optimizerSchema.parse({ learningRate: 5e-3, batchSize: 8, steps: 12, checkpointEvery: 4, ...extra });

/** A context that stops the run after some steps, as a killed process would. */
const dying = (context: TrainContext, steps: number): TrainContext => ({
  ...context,
  log: (step, metrics) => {
    if (step > steps) throw new CancelledError('test', 'killed', 'resume');
    context.log(step, metrics);
  },
});
const losses = (context: ReturnType<typeof memoryContext>): number[] => context.rows.map((r) => r.metrics.loss);
const mean = (list: ArrayLike<number>): number => Array.from(list).reduce((a, b) => a + b, 0) / list.length;

describe('time steps of training', () => {
  it("are moved towards noise as in the reference's flow-matching schedules", () => {
    // diffusers' FlowMatchEulerDiscreteScheduler, shift * s / (1 + (shift - 1) * s), by hand.
    const cases = [
      [0.5, 1, 0.5],
      [0.5, 3, 0.75],
      [0.25, 2.5, 5 / 11],
      [0, 3, 0],
      [1, 3, 1],
    ];
    for (const [u, shift, wanted] of cases)
      assert.ok(Math.abs(shiftedTime(u, shift) - wanted) < 1e-12, `${u} ${shift}`);
  });
});

describe('training an autoencoder', () => {
  after(closeDevices);
  const model = autoencoderSchema.parse({
    inChannels: 1,
    outChannels: 1,
    latentChannels: 2,
    blockOutChannels: [4, 8],
    layersPerBlock: 1,
    normNumGroups: 2,
    midBlockAddAttention: false,
  });
  const shape = [1, 8, 8] as const;
  /** A bright square in one of four corners. */
  const picture = (corner: number): Float32Array =>
    Float32Array.from({ length: 64 }, (_, i) =>
      (i % 8 < 4 ? 0 : 1) === corner % 2 && (i < 32 ? 0 : 1) === corner >> 1 ? 1 : -1,
    );
  const batch = (i: number): Float32Array => {
    const random = new Random(3, `corners ${i}`);
    const out = new Float32Array(8 * 64);
    for (let k = 0; k < 8; k++) out.set(picture(random.int(4)), k * 64);
    return out;
  };
  const options = (steps: number) => ({ model, optimizer: optimizer({ steps }), shape, batch, seed: 0 });

  it('learns to keep pictures; its latents, scaled, have unit variance', async () => {
    const context = memoryContext();
    const found = await trainAutoencoder(context, { ...options(120), loss: { reconstruction: 'l2' } });
    const [first, last] = [losses(context)[0], mean(losses(context).slice(-10))];
    assert.ok(first > 0.7 && last < 0.1, `loss ${first} -> ${last}`);
    const data = { count: 64, shape, sample: (i: number) => picture(i % 4) };
    const latents = await precomputeLatents(found, data, { batchSize: 24 });
    assert.deepEqual(latents.shape, [2, 4, 4]);
    const variance = mean(latents.values.map((v) => v * v)) - mean(latents.values) ** 2;
    assert.ok(Math.abs(variance - 1) < 0.1, `variance ${variance}`);
    // Equal samples have equal latents, those of the last batch, which is filled up, too.
    assert.deepEqual(latents.values.slice(0, 32), latents.values.slice(60 * 32, 61 * 32));
  });

  it('resumed equals straight', async () => {
    const expected = await trainAutoencoder(memoryContext(), options(8));
    const killed = memoryContext();
    await assert.rejects(trainAutoencoder(dying(killed, 6), options(8)), CancelledError);
    assert.equal(killed.last?.step, 4);
    const resumed = await trainAutoencoder(killed, options(8));
    assert.deepEqual(await toHost(resumed.params), await toHost(expected.params));
    assert.equal(resumed.config.scalingFactor, expected.config.scalingFactor);
  });
});

describe('training latent diffusion', () => {
  after(closeDevices);
  const textEncoder = clipTextSchema.parse({
    vocabSize: 5,
    hiddenSize: 8,
    intermediateSize: 16,
    numHiddenLayers: 1,
    numAttentionHeads: 2,
    maxPositionEmbeddings: 3,
  });
  const unetSettings = unetConfig({
    inChannels: 2,
    outChannels: 2,
    blockOutChannels: [8],
    layersPerBlock: 1,
    crossAttentionDim: 8,
    attentionHeadDim: 2,
    normNumGroups: 2,
    downBlockTypes: ['CrossAttnDownBlock2D'],
    upBlockTypes: ['CrossAttnUpBlock2D'],
  });
  const scheduler = noiseSchedule({ predictionType: 'v_prediction', timestepSpacing: 'trailing' });
  // Word 3 stands for latents of 1, word 4 for latents of -1; two captions each.
  const count = 16;
  const size = 2 * 4 * 4;
  const word = (i: number): number => 3 + (i % 2);
  const captions = (): Int32Array =>
    Int32Array.from(Array.from({ length: count }, (_, i) => [1, word(i), 2, word(i), word(i), 2]).flat());
  const options = (extra: Partial<DiffusionOptions<UnetParams>> = {}): DiffusionOptions<UnetParams> => ({
    textEncoder,
    denoiser: unetDenoiser(unetSettings),
    scheduler,
    optimizer: optimizer({ steps: 8 }),
    latents: {
      values: Float32Array.from({ length: count * size }, (_, i) => 1 - 2 * (Math.floor(i / size) % 2)),
      shape: [2, 4, 4],
    },
    captions: { ids: captions(), variants: 2, length: 3 },
    empty: Int32Array.of(1, 2, 0),
    captionDropout: 0.1,
    emaDecay: 0.9,
    seed: 0,
    ...extra,
  });
  it('draws what the caption says', async () => {
    const context = memoryContext();
    const p = await trainDiffusion(context, options({ optimizer: optimizer({ steps: 140, learningRate: 8e-3 }) }));
    assert.ok(mean(losses(context).slice(-10)) < 0.6 * losses(context)[0], losses(context).join(' '));
    const predict = jit((x: Tensor, t: Tensor, ids: Tensor) =>
      unet(p.unet, unetSettings, { sample: x, timesteps: t, context: clipText(p.text_encoder, textEncoder, ids) }),
    );
    const sampler = ddim(scheduler, 8);
    let x = new Random(1, 'start').normals(2 * size);
    for (const [i, t] of sampler.timesteps.entries()) {
      const sample = tensor(x, { shape: [2, 2, 4, 4] });
      const ids = tensor(Int32Array.of(1, 3, 2, 1, 4, 2), { shape: [2, 3] });
      const prediction = await predict(sample, tensor(Int32Array.of(t, t)), ids);
      x = sampler.step(i, (await prediction.data()) as Float32Array, x);
    }
    const [first, second] = [mean(x.subarray(0, size)), mean(x.subarray(size))];
    assert.ok(first > 0.5 && second < -0.5, `means ${first} and ${second}, for 1 and -1`);
  });

  it('resumed equals straight, the moving average too; the average is not the last step', async () => {
    const expected = await trainDiffusion(memoryContext(), options());
    const killed = memoryContext();
    await assert.rejects(trainDiffusion(dying(killed, 6), options()), CancelledError);
    assert.equal(killed.last?.step, 4);
    assert.deepEqual(await toHost(await trainDiffusion(killed, options())), await toHost(expected));
    const last = await trainDiffusion(memoryContext(), options({ emaDecay: undefined }));
    assert.notDeepEqual(await toHost(last), await toHost(expected));
  });

  it('refuses captions that do not belong to the latents', async () => {
    const short = { ids: captions().subarray(6), variants: 2, length: 3 };
    const message = /expected 2 captions of 3 ids for each of 16 samples, got 90 ids/;
    await assert.rejects(trainDiffusion(memoryContext(), options({ captions: short })), message);
  });
});
