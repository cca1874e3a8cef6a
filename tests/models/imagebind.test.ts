/** ImageBind against the reference's model with the same weights; names, sizes, refusals. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { flattenTree, grad, tensor, treeMap } from '../../lib/graph';
import { imageBindInit, imageBindSchema, imageBindSizes, jointEncode, logitScale } from '../../lib/models';
import type { ImageBindConfig, ImageBindParams, JointInputs, JointModality } from '../../lib/models';
import { Random } from '../../lib/nn';
import { closeDevices, jit } from '../../lib/runtime';
import { assertClose, ints, param, valuesOf } from '../nn/golden';

interface GoldenRecord {
  case: string;
  values: Record<string, number[]>;
  names: string[];
}
const goldens = Object.fromEntries(
  readFileSync(path.join(process.cwd(), 'tests/goldens/data/imagebind.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as GoldenRecord)
    .map((r) => [r.case, r]),
);

/** The sizes of tests/goldens/imagebind.py. */
const config: ImageBindConfig = {
  embedWidth: 10,
  vision: {
    width: 16,
    layers: 2,
    heads: 4,
    imageSize: 8,
    patch: 4,
    stride: 4,
    frames: 4,
    tubelet: 2,
    mean: [0, 0, 0],
    std: [1, 1, 1],
  },
  audio: {
    width: 12,
    layers: 2,
    heads: 3,
    mel: { sampleRate: 8000, nFft: 64, hop: 32, mels: 8 },
    frames: 13,
    kernel: [4, 4],
    stride: [3, 3],
    logitScale: 20,
  },
  text: { width: 8, layers: 2, heads: 2, vocabSize: 19, contextLength: 6, eosId: 18, logitScale: 1 / 0.07 },
};

const isNorm = (name: string): boolean =>
  /norm|pre_transformer_layer|heads\.(vision|audio)\.0\.weight|proj\.0\.weight/.test(name);
const params: ImageBindParams = treeMap(imageBindInit(new Random(1), config), (t, name) => {
  if (name.includes('logit_scale')) return t;
  const norm = isNorm(name);
  return param(`imagebind.${name}`, t.shape, norm ? 0.125 : 0.25, norm && t.rank === 1 ? 1 : 0);
});

const ids = async () => {
  const values = Int32Array.from(await ints('imagebind.ids', [3, 6], 18).numbers());
  [2, 5, 4].forEach((end, row) => (values[row * 6 + end] = 18));
  return tensor(values, { shape: [3, 6] });
};

describe('ImageBind against the reference', () => {
  after(closeDevices);

  const cases: Record<string, () => Promise<JointInputs> | JointInputs> = {
    image: () => ({ image: param('imagebind.image', [2, 3, 8, 8]) }),
    video: () => ({ video: param('imagebind.video', [2, 8, 3, 8, 8]) }),
    audio: () => ({ audio: param('imagebind.audio', [2, 1, 8, 13]) }),
    pieces: () => ({ audio: param('imagebind.pieces', [2, 3, 1, 8, 13]) }),
    text: async () => ({ text: await ids() }),
  };
  for (const [name, make] of Object.entries(cases))
    it(`${name}: embedding, token states and gradients`, async () => {
      const inputs = await make();
      const [modality] = Object.keys(inputs) as JointModality[];
      const expected = goldens[`imagebind.${name}`].values;
      const step = jit((p: ImageBindParams, x: JointInputs) => {
        const found = jointEncode(p, config, x)[modality];
        const dy = param(`imagebind.${name}.dy`, found.embedding.shape);
        const grads = grad((q: ImageBindParams) => jointEncode(q, config, x)[modality].embedding.mul(dy).sum())(p);
        return { ...found, grads };
      });
      const { embedding, tokens, grads } = await step(params, inputs);
      const flat = flattenTree(grads);
      const wanted = Object.keys(expected).filter((k) => k.startsWith('d.'));
      assert.ok(wanted.length >= 4);
      const found = await valuesOf({
        embedding,
        tokens,
        ...Object.fromEntries(wanted.map((k) => [k, flat[k.slice(2)]])),
      });
      assert.deepEqual(Object.keys(found).sort(), Object.keys(expected).sort());
      for (const [key, values] of Object.entries(found)) assertClose(values, expected[key], `${name}: ${key}`);
      const lengths = await embedding.square().sum(-1).numbers();
      if (name !== 'video' && name !== 'pieces')
        assertClose(
          lengths,
          lengths.map(() => 1),
          'length',
        );
    });

  it('logit scales, and the names of the state dict', async () => {
    const { text, audio } = goldens['imagebind.scales'].values;
    const found = await valuesOf({ text: logitScale(params, 'text'), audio: logitScale(params, 'audio') });
    assertClose(found.text, text, 'text');
    assertClose(found.audio, audio, 'audio');
    assert.deepEqual(Object.keys(flattenTree(params)).sort(), goldens['imagebind.names'].names);
  });
});

describe('ImageBind', () => {
  after(closeDevices);
  // Expressions only: no initial values of the large sizes are drawn.
  const noNoise = { normals: () => new Float32Array(0), uniforms: () => new Float32Array(0) };

  it('the scale of sounds is fixed, that of texts learned and at most 100', async () => {
    const grads = await jit((p: ImageBindParams) =>
      grad((q: ImageBindParams) => logitScale(q, 'audio').add(logitScale(q, 'text')))(p),
    )(params);
    assert.equal(await grads.modality_postprocessors.audio['1'].log_logit_scale.item(), 0);
    assert.ok((await grads.modality_postprocessors.text['1'].log_logit_scale.item()) > 14);
    const large = treeMap(params, (t, name) => (name.includes('text.1.log_logit') ? tensor(9) : t));
    assert.equal(await logitScale(large, 'text').item(), 100);
  });

  it('every size is a configuration; the smoke size encodes what it says', async () => {
    for (const size of Object.values(imageBindSizes)) imageBindSchema.parse(size);
    const c = imageBindSchema.parse(imageBindSizes.smoke);
    const { image, video } = jointEncode(imageBindInit(new Random(2), c), c, {
      image: param('image', [2, 3, 48, 48]),
      video: param('video', [1, 8, 3, 48, 48]),
    });
    assert.deepEqual(image.tokens.shape, [2, 10, 48]);
    assert.deepEqual(video.tokens.shape, [1, 19, 48]);
    // A clip of one repeated picture is as the picture in its first frames.
    assert.ok((await image.embedding.numbers()).every(Number.isFinite));
  });

  it('a picture is the clip that stands still', async () => {
    const c = { ...config, vision: { ...config.vision, frames: 2 } };
    const p = imageBindInit(new Random(3), c);
    const image = param('still', [2, 3, 8, 8]);
    const found = jointEncode(p, c, { image, video: image.unsqueeze(1).expand([2, 2, 3, 8, 8]) });
    const v = await valuesOf({ image: found.image.tokens, video: found.video.tokens });
    assertClose(v.video, v.image, 'tokens', 1e-5);
  });

  it('what follows the end of a text does not matter', async () => {
    const other = Int32Array.from(await (await ids()).numbers());
    other[3] = other[5] = 7;
    const v = await valuesOf({
      a: jointEncode(params, config, { text: await ids() }).text.embedding.slice(0),
      b: jointEncode(params, config, { text: tensor(other, { shape: [3, 6] }) }).text.embedding.slice(0),
    });
    assertClose(v.b, v.a, 'embedding', 1e-6);
  });

  it('bad inputs are named', () => {
    const encode = (inputs: JointInputs) => () => jointEncode(params, config, inputs);
    assert.throws(encode({ image: param('x', [1, 3, 9, 8]) }), /expected image \[any, 3, 8, 8\], got \[1, 3, 9, 8\]/);
    assert.throws(encode({ video: param('x', [1, 6, 3, 8, 8]) }), /expected a multiple of 4 frames, got 6/);
    assert.throws(encode({ audio: param('x', [1, 1, 8, 12]) }), /expected audio \[any, 1, 8, 13\]/);
    assert.throws(encode({ text: ints('x', [1, 7], 5) }), /at most 6\], got \[1, 7\]/);
    assert.throws(
      () => imageBindInit(noNoise, { ...config, vision: { ...config.vision, patch: 3 } }),
      /patches that cover the picture/,
    );
    assert.throws(
      () => imageBindInit(new Random(1), { ...config, text: { ...config.text, heads: 3 } }),
      /heads that divide the width, got 3 and 8/,
    );
  });
});
