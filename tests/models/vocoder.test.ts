/** The vocoder against transformers' SpeechT5HifiGan, its losses against torch, and a short training run. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gradients, tensor, tensorsOf, treeMap, zerosLike } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { melDistance, multiResolutionStft } from '../../lib/losses';
import { vocoder, vocoderExcitation, vocoderHop, vocoderInit, vocoderSchema, vocoderSizes } from '../../lib/models';
import type { VocoderConfig, VocoderParams } from '../../lib/models';
import { logMelSpectrogram, melConfigs, Random } from '../../lib/nn';
import { closeDevices, jit } from '../../lib/runtime';
import { memoryContext, optimizerSchema, trainVocoder } from '../../lib/trainers';
import { assertClose, param, valuesOf } from '../nn/golden';

const stored = new Map(
  readFileSync(path.join(__dirname, '../../../tests/goldens/data/vocoder.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const record = JSON.parse(line) as { case: string; values: Record<string, number[]>; names?: string[] };
      return [record.case, record];
    }),
);

const tiny: VocoderConfig = vocoderSchema.parse({
  modelInDim: 6,
  samplingRate: 8000,
  upsampleInitialChannel: 8,
  upsampleRates: [4, 3],
  upsampleKernelSizes: [8, 7],
  resblockKernelSizes: [3, 5],
  resblockDilationSizes: [
    [1, 3],
    [1, 2],
  ],
});

describe('vocoder against SpeechT5HifiGan', () => {
  after(closeDevices);
  for (const [name, normalizeBefore] of [
    ['vocoder', false],
    ['vocoder.normalized', true],
  ] as const)
    it(name, async () => {
      const config = { ...tiny, normalizeBefore };
      const { values, names } = stored.get(name)!;
      const params: VocoderParams = treeMap(vocoderInit(new Random(1), config), (t, key) =>
        param(`${name}.${key}`, t.shape, t.rank === 3 ? 0.25 : 0.1, key === 'scale' ? 1 : 0),
      );
      assert.deepEqual(
        tensorsOf(params)
          .map((t) => t.path)
          .sort(),
        names,
      );
      const mel = param(`${name}.mel`, [2, 5, 6], 0.5);
      const weights = tensorsOf(params).filter((t) => t.path.endsWith('weight'));
      const y = vocoder(params, config, mel);
      assert.deepEqual(y.shape, [2, 5 * vocoderHop(config)]);
      const [dMel, ...grads] = gradients(y, [mel, ...weights.map((w) => w.tensor)], param(`${name}.dy`, y.shape));
      // In one run.
      const found = await valuesOf({ y, dMel, ...Object.fromEntries(grads.map((g, i) => [weights[i].path, g])) });
      assertClose(found.y, values.y, 'waveform');
      assertClose(found.dMel, values.d_mel, 'gradient by the spectrogram', 1e-4);
      for (const { path: key } of weights) {
        const g = found[key];
        const sums = [g.reduce((a, b) => a + b, 0), g.reduce((a, b) => a + b * b, 0)];
        assertClose(sums, values[`d.${key}`], `gradient of ${key}`, 1e-4);
      }
    });

  it('the published size has its shapes', () => {
    assert.equal(vocoderHop(vocoderSizes.audioldm2), melConfigs.audioldm2.hop);
    assert.equal(vocoderSizes.audioldm2.modelInDim, melConfigs.audioldm2.mels);
    assert.equal(vocoderHop(vocoderSizes.nano), melConfigs.omniworldFine.hop);
  });

  it('bad arguments are named', () => {
    const rng = new Random(1);
    assert.throws(() => vocoderInit(rng, { ...tiny, upsampleKernelSizes: [8] }), /a kernel for each of the 2 rates/);
    assert.throws(() => vocoderInit(rng, { ...tiny, resblockKernelSizes: [3, 4] }), /odd kernel sizes/);
    assert.throws(() => vocoder(vocoderInit(rng, tiny), tiny, param('x', [1, 5, 7])), /expected frames \[B, T, 6\]/);
    assert.throws(() => vocoderExcitation(tiny, param('x', [1, 5, 6])), /a vocoder with a source/);
  });
});

describe('multi-resolution STFT loss against torch', () => {
  after(closeDevices);
  it('values and gradient', async () => {
    const { values } = stored.get('stftLoss')!;
    const [y, x] = [param('stftLoss.y', [2, 200], 0.5), param('stftLoss.x', [2, 200], 0.5)];
    const resolutions = [
      { nFft: 32, hop: 8, windowLength: 24 },
      { nFft: 64, hop: 16 },
    ];
    const { loss, metrics } = multiResolutionStft(y, x, { resolutions, epsilon: 1e-5 });
    const [dy] = gradients(loss, [y]);
    assertClose(await metrics.spectral_convergence.numbers(), values.convergence, 'convergence');
    assertClose(await metrics.log_magnitude.numbers(), values.magnitude, 'magnitude');
    assertClose(await dy.numbers(), values.dy, 'gradient', 1e-4);
    assert.throws(() => multiResolutionStft(y, param('z', [2, 100])), /two waveforms \[B, N\] of one shape/);
  });
});

describe('training of the vocoder', () => {
  after(closeDevices);
  const mel = { sampleRate: 8000, nFft: 64, hop: 12, padding: 26, mels: 6, fMin: 500, scale: 'htk' as const };
  const tone = (hertz: number): Float32Array =>
    Float32Array.from({ length: 480 }, (_, n) => 0.5 * Math.sin((2 * Math.PI * hertz * n) / 8000));
  const sounds = [600, 900, 1300, 2000].map(tone);
  const train = (context: ReturnType<typeof memoryContext>, steps: number, source: boolean): Promise<VocoderParams> =>
    trainVocoder(context, {
      model: source ? { ...tiny, source: { mel, iterations: 4 } } : tiny,
      mel,
      optimizer: optimizerSchema.parse({ learningRate: 1e-2, batchSize: 4, steps, checkpointEvery: 5 }),
      sounds,
      segmentFrames: 20,
      resolutions: [{ nFft: 64, hop: 16 }],
      epsilon: 1e-2,
      seed: 1,
    });

  it('lowers the loss, with and without a source', async () => {
    for (const source of [false, true]) {
      const context = memoryContext();
      await train(context, 40, source);
      const losses = context.rows.map((r) => r.metrics.loss).filter((l) => l !== undefined);
      const mean = (list: number[]): number => list.reduce((a, b) => a + b) / list.length;
      assert.ok(
        mean(losses.slice(-5)) < 0.93 * mean(losses.slice(0, 5)),
        `source ${source}: ${losses.map((l) => l.toFixed(2)).join(' ')}`,
      );
    }
  });

  it('a resumed run equals the straight one', async () => {
    const straight = memoryContext();
    await train(straight, 10, true);
    const resumed = memoryContext();
    resumed.last = straight.last;
    await train(resumed, 10, true);
    assert.equal(resumed.rows[0].step, 6);
    assert.deepEqual(resumed.rows, straight.rows.slice(-5));
  });

  it('with a source it starts from the excitation', async () => {
    const model = { ...tiny, source: { mel, iterations: 4 } };
    const x = tensor(sounds[0], { shape: [1, 480] });
    const both = jit((p: VocoderParams, wave: Tensor) => {
      const frames = logMelSpectrogram(wave, mel);
      return { y: vocoder(p, model, frames), e: vocoderExcitation(model, frames).clip(-1, 1) };
    });
    const { y, e } = await both(vocoderInit(new Random(3), model), x);
    assertClose(await y.numbers(), await e.numbers(), 'waveform');
    const [near, far] = [melDistance(e, x, mel), melDistance(zerosLike(x), x, mel)];
    assert.ok((await near.item()) < 0.7 * (await far.item()), `${await near.item()} of ${await far.item()}`);
  });
});
