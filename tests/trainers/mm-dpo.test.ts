/** MM-DPO's trainer: it learns, resumes as it would have gone on, and its references are computed once. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CancelledError } from '../../lib/errors';
import { writeSafetensors } from '../../lib/io/safetensors';
import { llamaInit, llamaSizes } from '../../lib/models/llama';
import type { LlamaConfig } from '../../lib/models/llama';
import { Random } from '../../lib/nn';
import { closeDevices } from '../../lib/runtime';
import {
  corruptPicture,
  cropAndResize,
  drawCrop,
  imageRows,
  memoryContext,
  optimizerSchema,
  referenceLogProbs,
  toHost,
  trainDpo,
  trainMmDpo,
} from '../../lib/trainers';
import type { SegmentedPair, TrainContext } from '../../lib/trainers';

const config: LlamaConfig = { ...llamaSizes.nano, vocabSize: 32, width: 32, hidden: 64, maxLength: 64 };
const vectors = { slots: 2, width: 32, perRow: 1 };

/** Sequences of which each token follows from the one before; every third pair has an image before its response. */
function makePairs(count: number): SegmentedPair[] {
  const rng = new Random(3, 'pairs');
  return Array.from({ length: count }, (_, i) => {
    const length = 16 + rng.int(30);
    const start = rng.int(32);
    const good = Array.from({ length }, (_, t) => (start + 5 * t) % 32);
    const ids = [good, good.map((x, t) => (t < 4 ? x : rng.int(32)))];
    const mask = good.map((_, t) => Number(t >= 4));
    const segments = good.map((_, t) => (t > 10 ? 4 : t > 7 ? 1 : 0));
    const image = (): { at: number; values: Float32Array }[] => [{ at: 1, values: rng.normals(64) }];
    const media = i % 3 === 0 ? { vectors: image() } : {};
    return {
      chosen: { ids: ids[0], mask, ...media },
      rejected: { ids: ids[1], mask, ...media },
      segments: { chosen: segments, rejected: segments },
      scores: { chosen: [1, 1, 1, 1, 1], rejected: [0.5, 1, 1, 1, 0] },
      ...(i % 3 === 0 ? { corrupted: { ids: ids[0], mask, vectors: image() } } : {}),
    };
  });
}

describe('MM-DPO, the trainer', () => {
  after(closeDevices);
  const base = llamaInit(new Random(1), config);
  const all = makePairs(43);
  const settings = {
    model: config,
    base,
    lora: { rank: 4, alpha: 8, targets: ['q_proj', 'v_proj'] },
    optimizer: optimizerSchema.parse({ learningRate: 3e-3, batchSize: 4, steps: 12, checkpointEvery: 4 }),
    pairs: all.slice(0, 32),
    heldOut: all.slice(32),
    vectors,
    seed: 0,
  };

  it('raises accuracy and margin on held-out pairs, and the image margin', async () => {
    const context = memoryContext();
    const optimizer = optimizerSchema.parse({ learningRate: 1e-2, batchSize: 8, steps: 40, checkpointEvery: 20 });
    await trainMmDpo(context, { ...settings, optimizer }, { rewardMargin: 0.1 });
    const first = context.rows[0].metrics;
    const last = context.rows.findLast((r) => 'eval_rewards/margins' in r.metrics)!.metrics;
    assert.ok(Math.abs(first['eval_rewards/margins']) < 1e-5, 'the policy starts at the reference');
    assert.ok(last['eval_rewards/margins'] > 0.05 && last['eval_rewards/accuracies'] > 0.8, JSON.stringify(last));
    const images = context.rows.filter((r) => r.metrics.image_pairs > 0).map((r) => r.metrics['rewards/image_margins']);
    assert.ok(images.length > 20 && images.at(-1)! > images[0] + 0.01, JSON.stringify(images));
    for (const name of ['rewards/text/margins', 'rewards/img/margins', 'rewards/task/margins'])
      assert.ok(last[name] > 0, `${name} ${last[name]}`);
    assert.equal(last['rewards/aud/margins'], 0);
  });

  const straight = memoryContext();
  let expected: Awaited<ReturnType<typeof toHost>> | undefined;
  for (const kill of [1, 3, 6, 8, 11])
    it(`killed after step ${kill} and resumed: the losses and weights of the straight run`, async () => {
      expected ??= await toHost(await trainMmDpo(straight, settings));
      const killed = memoryContext();
      const dying: TrainContext = {
        ...killed,
        log: (step, metrics) => {
          if (step > kill) throw new CancelledError('test', 'killed', 'resume');
          killed.log(step, metrics);
        },
      };
      await assert.rejects(trainMmDpo(dying, settings), CancelledError);
      const resumed = memoryContext();
      resumed.last = killed.last;
      assert.deepEqual(await toHost(await trainMmDpo(resumed, settings)), expected);
      const losses = (c: typeof straight, from: number): number[] =>
        c.rows.filter((r) => r.step > from).map((r) => r.metrics.loss);
      assert.deepEqual(losses(resumed, 0), losses(straight, killed.last?.step ?? 0));
    });

  it('keeps the reference by model and data: the same files for another seed and for DPO, others for other data', async () => {
    const cacheDir = mkdtempSync(path.join(tmpdir(), 'reference-'));
    try {
      const optimizer = { ...settings.optimizer, steps: 2 };
      const without = await toHost(await trainMmDpo(memoryContext(), { ...settings, optimizer }));
      const cached = { ...settings, optimizer, cacheDir };
      assert.deepEqual(await toHost(await trainMmDpo(memoryContext(), cached)), without);
      const files = readdirSync(cacheDir).sort();
      // Pairs and corrupted images, of training and held-out pairs.
      assert.equal(files.length, 4);
      for (const f of files) utimesSync(path.join(cacheDir, f), 1, 1);
      assert.deepEqual(await toHost(await trainMmDpo(memoryContext(), cached)), without);
      await trainMmDpo(memoryContext(), { ...cached, seed: 5 });
      await trainDpo(memoryContext(), cached);
      assert.deepEqual(readdirSync(cacheDir).sort(), files);
      assert.ok(files.every((f) => statSync(path.join(cacheDir, f)).mtimeMs === 1000));
      await trainDpo(memoryContext(), { ...cached, pairs: all.slice(1, 32) });
      assert.equal(readdirSync(cacheDir).length, 5);
      await trainDpo(memoryContext(), { ...cached, base: llamaInit(new Random(2), config) });
      assert.equal(readdirSync(cacheDir).length, 7);
    } finally {
      rmSync(cacheDir, { recursive: true });
    }
  });

  it('makes a damaged file of the reference again', async () => {
    const cacheDir = mkdtempSync(path.join(tmpdir(), 'reference-'));
    try {
      const options = { model: config, base, batchSize: 4, vectors, cacheDir };
      const examples = all.slice(0, 6).map((p) => p.chosen);
      const values = await referenceLogProbs(options, examples);
      const [name, ...others] = readdirSync(cacheDir);
      assert.deepEqual(others, []);
      const file = path.join(cacheDir, name);
      const whole = readFileSync(file);
      const none = { logProbs: { dtype: 'float32', shape: [0], data: new Float32Array(0) } } as const;
      for (const damage of [
        () => writeFile(file, whole.subarray(0, whole.length - 5)),
        () => writeFile(file, 'no tensors'),
        () => writeSafetensors(file, none),
      ]) {
        await damage();
        assert.deepEqual(await referenceLogProbs(options, examples), values);
        assert.ok(readFileSync(file).equals(whole));
      }
    } finally {
      rmSync(cacheDir, { recursive: true });
    }
  });

  it('reference rows: as long as their sequences, nothing outside of the response, whatever the batch', async () => {
    const examples = all.slice(0, 7).map((p) => p.chosen);
    const of = (batchSize: number) => referenceLogProbs({ model: config, base, batchSize, vectors }, examples);
    const [one, five] = [await of(1), await of(5)];
    examples.forEach(({ ids, mask }, i) => {
      assert.equal(five[i].length, ids.length - 1);
      five[i].forEach((v, t) => {
        assert.ok(Math.abs(v - one[i][t]) < 1e-5);
        assert.equal(v !== 0, Boolean(mask[t + 1]));
      });
    });
  });

  it('rows for corrupted images: none, half a batch, or a batch', () => {
    const of = (pattern: string) => imageRows([...pattern].map((c) => c === 'x'));
    assert.deepEqual(of('........'), { rows: [], present: [] });
    assert.deepEqual(of('.x.....x'), { rows: [1, 7, 0, 0], present: [1, 1, 0, 0] });
    assert.deepEqual(of('xxxxx...').present, [1, 1, 1, 1, 1, 0, 0, 0]);
    assert.deepEqual(of('xxx').rows, [0, 1, 2]);
  });

  it('crops: within the picture, of the share and the ratio that are asked for, uniform in place', () => {
    const random = new Random(0, 'crops');
    let left = 0;
    for (let i = 0; i < 500; i++) {
      const crop = drawCrop(random, { width: 64, height: 32 });
      const { width, height, top } = crop;
      left += crop.left / (64 - width) / 500;
      assert.ok(crop.left >= 0 && top >= 0 && crop.left + width <= 64 && top + height <= 32);
      // Sides are rounded to whole pixels.
      assert.ok(width * height <= 0.2 * 64 * 32 + width + height, `${width} x ${height}`);
      assert.ok((width - 0.5) / (height + 0.5) <= 4 / 3 && (width + 0.5) / (height - 0.5) >= 3 / 4);
    }
    assert.ok(Math.abs(left - 0.5) < 0.05, `mean place ${left}`);
    assert.throws(() => drawCrop(random, { width: 8, height: 8 }, { scale: [0.5, 0.1] }), /rising ranges/);
  });

  it('a crop shows that piece alone, in the size of the whole', () => {
    const data = new Float32Array(3 * 16 * 16);
    for (let y = 4; y < 8; y++) for (let x = 8; x < 12; x++) data[y * 16 + x] = 1;
    const picture = { width: 16, height: 16, data };
    const red = cropAndResize(picture, { left: 8, top: 4, width: 4, height: 4 });
    assert.deepEqual([red.width, red.height], [16, 16]);
    red.data.forEach((v, i) => assert.ok(Math.abs(v - Number(i < 256)) < 1e-6));
    const [a, b] = [0, 0].map((seed) => corruptPicture(new Random(seed, 'x'), picture).data);
    assert.deepEqual(a, b);
  });
});
