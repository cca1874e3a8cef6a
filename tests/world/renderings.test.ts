/** Renderings of scenes, canonical captions, and the oracles that read renderings back. */
import assert from 'node:assert/strict';
import { frameOf } from '../../lib/io';
import type { Clip, Picture } from '../../lib/io';
import { Random } from '../../lib/nn/random';
import {
  attributeAccuracy,
  captionOf,
  chanceAccuracy,
  COLOURS,
  drawScene,
  hearObjects,
  MODALITIES,
  MOTIONS,
  objectsCode,
  parseScene,
  perceive,
  renderAudio,
  renderImage,
  renderMedium,
  renderVideo,
  seeObjects,
  SHAPES,
  SIZES,
  watchObjects,
} from '../../lib/world';
import type { Scene, SceneObject } from '../../lib/world';

const bytesOf = (data: Float32Array): string =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex');

const ground = { tint: [0.1, 0.05, 0.2] as [number, number, number], noise: 77 };
const one = (change: Partial<SceneObject>): Scene => ({
  objects: [{ shape: 'circle', colour: 'red', cell: [1, 1], size: 'large', motion: 'still', ...change }],
  background: ground,
});

/** A picture with Gaussian noise on it. */
const noisy = (picture: Picture, random: Random, deviation: number): Picture => ({
  ...picture,
  data: picture.data.map((v) => v + deviation * random.normal()),
});

/** Mean of each pixel and its eight neighbours. */
function softened({ width, height, data }: Picture): Picture {
  const out = new Float32Array(data.length);
  for (let c = 0; c < 3; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        let [sum, n] = [0, 0];
        for (let j = Math.max(0, y - 1); j <= Math.min(height - 1, y + 1); j++)
          for (let i = Math.max(0, x - 1); i <= Math.min(width - 1, x + 1); i++, n++)
            sum += data[(c * height + j) * width + i];
        out[(c * height + y) * width + x] = sum / n;
      }
  return { width, height, data: out };
}

describe('world: renderings', () => {
  it('gives the same bytes for the same scene, and others for any change of an attribute that shows', () => {
    const alike = (modality: (typeof MODALITIES)[number], a: Scene, b: Scene): boolean => {
      const data = [a, b].map((scene) => {
        const medium = renderMedium(modality, scene);
        if (medium.modality === 'image') return medium.picture.data;
        return medium.modality === 'audio' ? medium.sound.samples : medium.clip.data;
      });
      return bytesOf(data[0]) === bytesOf(data[1]);
    };
    for (const modality of MODALITIES) {
      assert.ok(alike(modality, one({}), one({})));
      for (const change of [{ shape: 'star' }, { colour: 'blue' }, { cell: [0, 2] }, { size: 'small' }] as const)
        assert.ok(!alike(modality, one({}), one(change as Partial<SceneObject>)), JSON.stringify(change));
      assert.equal(alike(modality, one({}), one({ motion: 'up' })), modality !== 'video');
      const other = { ...one({}), background: { ...ground, noise: 78 } };
      assert.ok(!alike(modality, one({}), other));
    }
  });

  it('stays within the ranges of media, with the sizes asked for', () => {
    const random = new Random(1, 'ranges');
    for (let i = 0; i < 40; i++) {
      const scene = drawScene(random, { count: 3 });
      const picture = renderImage(scene, { size: i % 2 ? 32 : 64 });
      assert.equal(picture.data.length, 3 * picture.width ** 2);
      const clip = renderVideo(scene, { size: 16, frames: 6 });
      assert.equal(clip.data.length, 6 * 3 * 16 * 16);
      const sound = renderAudio(scene, { sampleRate: 16000, seconds: 0.5 });
      assert.equal(sound.samples.length, 8000);
      for (const data of [picture.data, clip.data]) assert.ok(data.every((v) => v >= 0 && v <= 1));
      assert.ok(sound.samples.every((v) => Math.abs(v) <= 1));
    }
    assert.throws(() => renderImage(one({}), { size: 4 }), /expected a size from 8 to 1024, got 4/);
    assert.throws(() => renderVideo(one({}), { frames: 1 }), /2 to 256 frames, got 1/);
    assert.throws(() => renderAudio(one({}), { sampleRate: 4000 }), /8000 to 192000 Hz, got 4000/);
  });

  it('moves what moves the way that is said, and nothing else', () => {
    const middle = (clip: Clip, frame: number): [number, number] => {
      const { width, data } = frameOf(clip, frame);
      let [x, y, n] = [0, 0, 0];
      for (let i = 0; i < width * width; i++)
        if (data[i] > 0.6) [x, y, n] = [x + (i % width), y + Math.floor(i / width), n + 1];
      return [x / n, y / n];
    };
    for (const [motion, dx, dy] of [
      ['still', 0, 0],
      ['left', -1, 0],
      ['right', 1, 0],
      ['up', 0, -1],
      ['down', 0, 1],
    ] as const) {
      const clip = renderVideo(one({ motion, colour: 'white' }));
      const [x0, y0] = middle(clip, 0);
      const [x1, y1] = middle(clip, 7);
      assert.ok(Math.sign(Math.round(x1 - x0)) === dx, motion);
      assert.ok(Math.sign(Math.round(y1 - y0)) === dy, motion);
      assert.ok(Math.abs((x0 + x1) / 2 - 23.5) < 0.3 && Math.abs((y0 + y1) / 2 - 23.5) < 0.3, motion);
    }
    const still = renderVideo(one({}));
    assert.equal(bytesOf(frameOf(still, 0).data), bytesOf(frameOf(still, 7).data));
    assert.equal(bytesOf(frameOf(still, 3).data), bytesOf(renderImage(one({})).data));
    assert.throws(() => frameOf(still, 8), /frame from 0 to 7, got 8/);
  });

  it('keeps the notes of different columns apart in time', () => {
    const loudness = (cell: [number, number]): number[] => {
      const { samples } = renderAudio({ objects: one({ cell }).objects, background: { tint: [0, 0, 0], noise: 1 } });
      return [0, 1, 2].map((c) => {
        const part = samples.subarray(Math.round((0.03 + 0.32 * c) * 8000), Math.round((0.33 + 0.32 * c) * 8000));
        return Math.max(...part.map(Math.abs));
      });
    };
    for (const column of [0, 1, 2])
      loudness([1, column]).forEach((v, c) => assert.ok(c === column ? v > 0.25 : v < 0.002, `${column} ${c} ${v}`));
  });
});

describe('world: canonical captions', () => {
  it('say each scene in one way, which the parser reads back', () => {
    const random = new Random(2, 'captions');
    for (let i = 0; i < 500; i++) {
      const { objects } = drawScene(random);
      for (const motion of [true, false]) {
        const caption = captionOf(objects, { motion });
        assert.equal(caption, captionOf([...objects].reverse(), { motion }));
        assert.ok(caption.split(' ').length <= (motion ? 20 : 17), caption);
        const parsed = parseScene(caption);
        assert.deepEqual([parsed.unknown, parsed.problems], [[], []], caption);
        assert.equal(objectsCode(parsed.scene ?? [], motion), objectsCode(objects, motion), caption);
      }
    }
    assert.equal(
      captionOf(one({ cell: [0, 2], motion: 'down' }).objects, { motion: true }),
      'large red circle top right downward',
    );
  });
});

describe('world: oracles', function () {
  it('find every single object that there can be, in picture and sound', () => {
    for (const shape of SHAPES)
      for (const colour of COLOURS)
        for (const size of SIZES)
          for (const [i, cell] of (
            [
              [0, 0],
              [1, 1],
              [2, 1],
              [0, 2],
            ] as [number, number][]
          ).entries()) {
            if ((i + SHAPES.indexOf(shape) + COLOURS.indexOf(colour)) % 2) continue;
            const scene = one({ shape, colour, size, cell });
            assert.deepEqual(seeObjects(renderImage(scene)), scene.objects);
            assert.deepEqual(hearObjects(renderAudio(scene)), scene.objects);
          }
  });

  it('find the objects of held-out scenes exactly (but for rare sounds whose partials cancel)', () => {
    const random = new Random(3, 'oracles');
    const wrong = { image: 0, audio: 0, video: 0 };
    for (let i = 0; i < 240; i++) {
      const scene = drawScene(random, { split: 'test' });
      for (const modality of MODALITIES) {
        if (modality === 'video' && i % 6) continue;
        const motion = modality === 'video';
        const found = perceive(renderMedium(modality, scene));
        if (objectsCode(found, motion) !== objectsCode(scene.objects, motion)) wrong[modality]++;
      }
    }
    assert.deepEqual({ ...wrong, audio: Math.max(0, wrong.audio - 2) }, { image: 0, audio: 0, video: 0 });
  });

  it('find them in other sizes, rates and lengths', () => {
    const random = new Random(4, 'sizes');
    for (let i = 0; i < 12; i++) {
      const scene = drawScene(random, { split: 'test' });
      for (const size of [16, 64, 128])
        assert.equal(objectsCode(seeObjects(renderImage(scene, { size })), false), objectsCode(scene.objects, false));
      for (const sampleRate of [16000, 44100])
        assert.equal(
          objectsCode(hearObjects(renderAudio(scene, { sampleRate })), false),
          objectsCode(scene.objects, false),
        );
      for (const [size, frames] of [
        [16, 8],
        [32, 5],
        [48, 24],
      ])
        assert.equal(objectsCode(watchObjects(renderVideo(scene, { size, frames }))), objectsCode(scene.objects));
    }
  });

  it('bear noise and blur', () => {
    const random = new Random(5, 'noise');
    const sums = { noise: 0, blur: 0, sound: 0 };
    const n = 60;
    for (let i = 0; i < n; i++) {
      const scene = drawScene(random, { split: 'test' });
      const picture = renderImage(scene);
      const right = (found: SceneObject[]): number => attributeAccuracy(scene.objects, found).exact / n;
      sums.noise += right(seeObjects(noisy(picture, random, 0.15)));
      sums.blur += right(seeObjects(noisy(softened(picture), random, 0.03)));
      const sound = renderAudio(scene);
      sums.sound += right(hearObjects({ ...sound, samples: sound.samples.map((v) => v + 0.03 * random.normal()) }));
    }
    for (const [what, share] of Object.entries(sums)) assert.ok(share > 0.9, `${what}: ${share}`);
  });

  it('find nothing where nothing is', () => {
    const random = new Random(6, 'nothing');
    const grey = { width: 32, height: 32, data: new Float32Array(3072).fill(0.3) };
    assert.deepEqual(seeObjects(grey), []);
    assert.deepEqual(seeObjects(noisy(grey, random, 0.05)), []);
    assert.deepEqual(hearObjects({ sampleRate: 8000, samples: new Float32Array(8000) }), []);
    assert.deepEqual(hearObjects({ sampleRate: 8000, samples: random.normals(8000).map((v) => 0.05 * v) }), []);
    assert.deepEqual(hearObjects({ sampleRate: 8000, samples: new Float32Array(0) }), []);
    assert.throws(() => seeObjects({ ...grey, data: grey.data.map(() => NaN) }), /finite values/);
    assert.throws(() => seeObjects({ ...grey, width: 31 }), /expected 2976 values, got 3072/);
  });
});

describe('world: accuracy of attributes', () => {
  const [a, b, c] = [
    one({}).objects[0],
    one({ shape: 'star', colour: 'blue', cell: [0, 0], size: 'small', motion: 'up' }).objects[0],
    one({ shape: 'cross', colour: 'white', cell: [2, 2] }).objects[0],
  ];

  it('takes the best assignment, whatever the order', () => {
    const perfect = { shape: 1, colour: 1, size: 1, place: 1, count: 1, exact: 1 };
    assert.deepEqual(attributeAccuracy([a, b, c], [c, a, b]), perfect);
    assert.deepEqual(attributeAccuracy([a, b], [b, a], { motion: true }), { ...perfect, motion: 1 });
    const green = { ...a, colour: 'green' as const };
    assert.deepEqual(attributeAccuracy([a, b], [b, green]), { ...perfect, colour: 0.5, exact: 0 });
  });

  it('counts what is missing as wrong, and what is too much against count and exactness only', () => {
    assert.deepEqual(attributeAccuracy([a, b], [b]), {
      shape: 0.5,
      colour: 0.5,
      size: 0.5,
      place: 0.5,
      count: 0,
      exact: 0,
    });
    assert.deepEqual(attributeAccuracy([a], [b, a, c]), { shape: 1, colour: 1, size: 1, place: 1, count: 0, exact: 0 });
    assert.deepEqual(attributeAccuracy([a], []), { shape: 0, colour: 0, size: 0, place: 0, count: 0, exact: 0 });
  });

  it('knows what chance gives', () => {
    const chance = chanceAccuracy({ motion: true, samples: 4000 });
    // Three objects against three others have more than one chance each; lone ones have the plain chance.
    assert.ok(chance.shape > 0.2 && chance.shape < 0.4 && chance.colour > 0.1 && chance.colour < 0.3);
    assert.ok(Math.abs(chance.count - (0.5 ** 2 + 0.35 ** 2 + 0.15 ** 2)) < 0.03);
    assert.ok(chance.exact < 0.01 && (chance.motion ?? 0) > 1 / MOTIONS.length - 0.05);
  });
});
