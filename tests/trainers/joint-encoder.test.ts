/** Training the joint encoder on a few small scenes: what is learnt, what is ignored, and that a resumed run equals a straight one. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { CancelledError, FormatError } from '../../lib/errors';
import { encodeViews, JOINT_VIEWS, probeMetrics, retrievalMetrics } from '../../lib/eval';
import type { EncodedScenes, JointView } from '../../lib/eval';
import {
  drawGroups,
  firstScenes,
  renderScenes,
  trainJointTokenizer,
} from '../../lib/experiments/omniagent/encoder-scenes';
import type { Tokenizer } from '../../lib/io';
import { imageBindInit } from '../../lib/models/imagebind';
import { imageBindSchema, imageBindSizes } from '../../lib/models/imagebind-config';
import type { ImageBindConfig } from '../../lib/models/imagebind-config';
import { encodeMedia, encodeTexts, loadEncoder, releaseEncoder, saveEncoder } from '../../lib/models/joint-encoder';
import { fitPicture, framesFor, textIds } from '../../lib/models/joint-input';
import { Random } from '../../lib/nn';
import { closeDevices } from '../../lib/runtime';
import { jointBatch, memoryContext, optimizerSchema, toHost, trainJointEncoder } from '../../lib/trainers';
import type { JointOptions, JointScenes, TrainContext } from '../../lib/trainers';
import { captionOf, objectsCode, renderMedium, splitOf } from '../../lib/world';
import type { SceneObject } from '../../lib/world';

describe('the joint encoder', () => {
  let config: ImageBindConfig;
  let tokenizer: Tokenizer;
  let list: SceneObject[][];
  let scenes: JointScenes;
  let heldOut: JointScenes;
  before(async () => {
    tokenizer = trainJointTokenizer(new Random(0), 200, 400);
    const small = { width: 16, layers: 1, heads: 2 };
    const { vision, audio, text } = imageBindSizes.smoke;
    config = imageBindSchema.parse({
      embedWidth: 16,
      vision: { ...vision, ...small },
      audio: { ...audio, ...small },
      text: { ...text, ...small, vocabSize: tokenizer.vocabSize, eosId: tokenizer.id('<|endoftext|>') },
    });
    list = drawGroups(new Random(1), 'train', 12, 4);
    scenes = await renderScenes(config, tokenizer, list, new Random(2));
    heldOut = await renderScenes(config, tokenizer, drawGroups(new Random(3), 'validation', 6, 4), new Random(4));
  });
  after(closeDevices);

  const options = (extra: object = {}): JointOptions => ({
    model: config,
    optimizer: optimizerSchema.parse({ learningRate: 3e-3, batchSize: 24, steps: 6, checkpointEvery: 2, ...extra }),
    groupSize: 4,
    paraphraseShare: 0.3,
    scenes,
    heldOut,
    seed: 0,
  });

  it('groups are variants of one scene, of one split, and differ', () => {
    for (let g = 0; g < 12; g++) {
      const group = list.slice(4 * g, 4 * g + 4);
      assert.equal(new Set(group.map((o) => objectsCode(o))).size, 4);
      assert.equal(new Set(group.map((o) => o.length)).size, 1);
      for (const o of group) assert.equal(splitOf(objectsCode(o, false)), 'train');
    }
    // Small splits, where a scene may have too few neighbours.
    assert.equal(drawGroups(new Random(1, 'hard'), 'test', 6, 8, false).length, 48);
  });

  it('scenes are what the renderers show; texts tell them', async () => {
    const { vision } = config;
    const plane = vision.imageSize ** 2;
    assert.equal(scenes.image.length, 48 * 3 * plane);
    assert.equal(scenes.video.length, 48 * vision.frames * 3 * plane);
    assert.ok(scenes.audio.every(Number.isFinite));
    assert.deepEqual(scenes.texts[5].plain[0], textIds(config, tokenizer, captionOf(list[5], { motion: false })));
    assert.deepEqual(scenes.texts[5].moving[0], textIds(config, tokenizer, captionOf(list[5], { motion: true })));
    const again = await renderScenes(config, tokenizer, list, new Random(2));
    assert.deepEqual(again, scenes);
    assert.equal(firstScenes(scenes, 8).video.length, 8 * vision.frames * 3 * plane);
  });

  it('pairs that do not contradict each other are ignored: like looks, and texts without motion', async () => {
    const still: SceneObject = { shape: 'star', colour: 'red', cell: [0, 1], size: 'large', motion: 'still' };
    const few = [[still], [{ ...still, motion: 'left' as const }], [{ ...still, colour: 'blue' as const }]];
    const three = await renderScenes(config, tokenizer, few, new Random(5));
    const seen = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const random = new Random(i);
      const moving = Array.from({ length: 3 }, () => new Random(i)).map((r, k) => {
        for (let j = 0; j < k; j++) r.uniform();
        return r.uniform() < 0.5;
      });
      const b = jointBatch(config, three, [0, 1, 2], { random, canonical: true, length: 32 });
      assert.deepEqual(await b.alike.tolist(), [
        [true, true, false],
        [true, true, false],
        [false, false, true],
      ]);
      const matrix = (await b.alikeMoving.tolist()) as boolean[][];
      assert.equal(matrix[1][0], !moving[0]);
      assert.equal(matrix[0][1], !moving[1]);
      seen.add(JSON.stringify(matrix));
    }
    assert.equal(seen.size, 4);
  });

  it('lowers the loss on scenes that it was not trained on, and gives the same bytes again', async () => {
    const many = await renderScenes(config, tokenizer, drawGroups(new Random(8), 'train', 48, 4), new Random(9));
    const [a, b] = [memoryContext(), memoryContext()];
    const longer = { ...options({ steps: 40, learningRate: 5e-3 }), scenes: many };
    const first = await trainJointEncoder(a, longer);
    const second = await trainJointEncoder(b, longer);
    assert.deepEqual(await toHost(first), await toHost(second));
    const held = a.rows.filter((r) => 'eval_loss' in r.metrics).map((r) => r.metrics.eval_loss);
    // A guess would have four times log 24.
    assert.ok(held[0] > 4 * Math.log(24) && held.at(-1)! < 4 * Math.log(24) - 0.3, held.join(' '));
    for (const name of ['loss/image_text', 'accuracy/video_text', 'logit_scale', 'grad_norm'])
      assert.ok(name in a.rows[1].metrics, name);
  });

  it('a run killed and resumed equals the straight one', async () => {
    const straight = memoryContext();
    const expected = await trainJointEncoder(straight, options());
    const killed = memoryContext();
    const dying: TrainContext = {
      ...killed,
      log: (step) => {
        if (step > 3) throw new CancelledError('test', 'killed', 'resume');
      },
    };
    await assert.rejects(trainJointEncoder(dying, options()), CancelledError);
    const resumed = memoryContext();
    resumed.last = killed.last;
    assert.equal(resumed.last?.step, 2);
    assert.deepEqual(await toHost(await trainJointEncoder(resumed, options())), await toHost(expected));
  });

  it('sizes that do not fit are named', async () => {
    await assert.rejects(trainJointEncoder(memoryContext(), options({ batchSize: 10 })), /whole groups of 4/);
    await assert.rejects(trainJointEncoder(memoryContext(), options({ batchSize: 28 })), /24 held-out ones/);
  });

  it('is measured on all pairs, and by a probe', async () => {
    const params = imageBindInit(new Random(6), config);
    const encoded = (await encodeViews(params, config, scenes, JOINT_VIEWS)) as Record<JointView, EncodedScenes>;
    assert.equal(encoded.video.tokens[47].length, encoded.video.length * 16);
    const metrics = retrievalMetrics('retrieval', encoded, 12);
    assert.equal(metrics['retrieval/r1_chance'], 1 / 12);
    for (const pair of ['image_text', 'image_audio', 'image_video', 'video_text', 'audio_text', 'audio_video'])
      for (const k of ['r1', 'r1_low', 'r1_high', 'r5']) {
        const value = metrics[`retrieval/${pair}/${k}`];
        assert.ok(value >= 0 && value <= 1, `${pair}/${k}: ${value}`);
      }
    const probed = { encoded, objects: list };
    const found = await probeMetrics(probed, probed, { steps: 60 });
    // Read from the very scenes that it was trained on: a random trunk holds that much.
    assert.ok(found['probe/image/colour'] > found['probe/image/colour_chance'] + 0.1, JSON.stringify(found));
    assert.ok('probe/video/motion' in found && !('probe/audio/motion' in found));
  });

  describe('as a folder, and on media', () => {
    let dir: string;
    before(async () => (dir = await mkdtemp(path.join(os.tmpdir(), 'encoder-'))));
    after(() => rm(dir, { recursive: true }));

    it('loads as it was saved, and encodes media in any order as single ones', async () => {
      const encoder = { config, params: imageBindInit(new Random(7), config), tokenizer };
      await saveEncoder(dir, encoder);
      const loaded = await loadEncoder(dir);
      assert.deepEqual(loaded.config, config);
      assert.deepEqual(await toHost(loaded.params), await toHost(encoder.params));
      const background = { tint: [0.1, 0.1, 0.2] as [number, number, number], noise: 3 };
      const media = (['video', 'image', 'audio', 'image'] as const).map((m, i) =>
        renderMedium(m, { objects: list[i], background }),
      );
      const all = await encodeMedia(loaded, media, { batchSize: 4 });
      for (const [i, medium] of media.entries()) {
        const [one] = await encodeMedia(encoder, [medium]);
        assert.equal(all[i].length * config.vision.width, all[i].tokens.length);
        one.embedding.forEach((x, k) => assert.ok(Math.abs(x - all[i].embedding[k]) < 1e-5));
        assert.ok(Math.abs(one.embedding.reduce((s, x) => s + x * x, 0) - 1) < 1e-5);
      }
      assert.deepEqual(
        all.map((e) => e.length),
        [19, 10, 8, 10],
      );
      const [text] = await encodeTexts(loaded, ['a red star']);
      assert.equal(text.embedding.length, 16);
      const sound = { sampleRate: 16000, samples: new Float32Array(16000) };
      await assert.rejects(
        encodeMedia(loaded, [{ modality: 'audio', sound }]),
        /expected a sound of 8000 samples a second/,
      );
      releaseEncoder(loaded);
      releaseEncoder(encoder);
    });

    it('folders of another kind are named', async () => {
      await assert.rejects(loadEncoder(path.join(dir, 'nowhere')), FormatError);
      await writeFile(path.join(dir, 'config.json'), JSON.stringify({ model_type: 'llama', ...config }));
      await assert.rejects(loadEncoder(dir), /expected model_type "imagebind", got "llama"/);
      await writeFile(
        path.join(dir, 'config.json'),
        JSON.stringify({ model_type: 'imagebind', ...config, embedWidth: 17 }),
      );
      await assert.rejects(loadEncoder(dir), /as float32 \[17, 16\], got float32 \[16, 16\]/);
    });

    it('other sizes of pictures and other numbers of frames are fitted', () => {
      const ramp = Float32Array.from({ length: 3 * 4 * 8 }, (_, i) => i % 8);
      // The middle square of 4 x 4, halved.
      assert.deepEqual(
        Array.from(fitPicture({ width: 8, height: 4, data: ramp }, 2)),
        Array.from({ length: 6 }, () => [2.5, 4.5]).flat(),
      );
      const one = Float32Array.from([7, 8, 9]);
      assert.deepEqual(
        Array.from(fitPicture({ width: 1, height: 1, data: one }, 2)),
        [7, 7, 7, 7, 8, 8, 8, 8, 9, 9, 9, 9],
      );
      assert.deepEqual(framesFor(config, 15), [0, 2, 4, 6, 8, 10, 12, 14]);
      assert.deepEqual(framesFor(config, 1), new Array(8).fill(0));
      assert.equal(framesFor(config, 16).length, 16);
    });
  });
});
