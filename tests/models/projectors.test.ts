/** The projectors and the alignment against PyTorch, and media in the sequence. */
import assert from 'node:assert/strict';
import { gradients, linear, ShapeError, tensor, treeMap, zeros } from '../../lib';
import type { Tensor } from '../../lib';
import { alignmentLoss } from '../../lib/losses';
import {
  atBlock,
  fillSlots,
  inputProjector,
  inputProjectorInit,
  inputProjectorSizes,
  outputProjector,
  outputProjectorInit,
  outputProjectorSizes,
} from '../../lib/models';
import { Random } from '../../lib/nn';
import { assertClose, assertGolden, checkLayer, golden, param } from '../nn/golden';

/** Weights by their names, as projectors.py sets them. */
const named = <T>(params: T, name: string): T =>
  treeMap(params, (t, path) =>
    path.includes('norm') && path.endsWith('weight')
      ? param(`${name}.${path}`, t.shape, 0.125, 1)
      : param(`${name}.${path}`, t.shape, 0.25),
  );

const outConfig = {
  inWidth: 12,
  tokens: 5,
  width: 8,
  heads: 2,
  hidden: 16,
  encoderLayers: 2,
  decoderLayers: 2,
  queries: 6,
  outWidth: 10,
};
const inConfig = {
  inWidth: 10,
  modalities: 3,
  width: 8,
  heads: 2,
  hidden: 16,
  layers: 2,
  slots: 3,
  outWidth: 12,
};

describe('models: projectors', () => {
  const output = named(outputProjectorInit(new Random(1), outConfig), 'outputProjector');
  const withOutput = (l: { query: Tensor; cross: Tensor; fc: Tensor }) => {
    const p = { ...output, query_embs: l.query, fc: { ...output.fc, weight: l.fc } };
    const [first, second] = p.tfm.decoder.layers;
    const changed = { ...second, multihead_attn: { ...second.multihead_attn, in_proj_weight: l.cross } };
    return { ...p, tfm: { ...p.tfm, decoder: { ...p.tfm.decoder, layers: [first, changed] } } };
  };

  it('output projector: values and gradients', async () => {
    const embeddings = param('outputProjector.embeddings', [3, 5, 12]);
    await checkLayer(
      'outputProjector',
      {
        states: param('outputProjector.states', [3, 5, 12]),
        query: output.query_embs,
        cross: output.tfm.decoder.layers[1].multihead_attn.in_proj_weight,
        fc: output.fc.weight,
      },
      ({ states, ...l }) => outputProjector(withOutput(l), outConfig, states, embeddings),
    );
  });

  it('output projector: unfolded states are as many states of their own', async () => {
    const c = { ...outConfig, unfold: 2 };
    const p = outputProjectorInit(new Random(5), c);
    const states = param('outputProjector.states', [3, 5, 12]);
    const none = zeros([3, 5, 12]);
    const apart = linear(p.fc, states).reshape([3, 10, 8]);
    const same = {
      weight: tensor(
        Array.from({ length: 64 }, (_, i) => Number(i % 9 === 0)),
        { shape: [8, 8] },
      ),
      bias: zeros([8]),
    };
    const y = outputProjector({ ...p, fc: same }, { ...outConfig, tokens: 10, inWidth: 8 }, apart, zeros([3, 10, 8]));
    const gap = y
      .sub(outputProjector(p, c, states, none))
      .abs()
      .max();
    assert.ok((await gap.item()) < 1e-6);
  });

  it('alignment: the norm, and the mean of squares, over the rows that have a block', async () => {
    const y = tensor(Float32Array.from(golden('outputProjector').y), { shape: [3, 6, 10] });
    const target = param('outputProjector.target', [3, 6, 10]);
    const present = tensor([1, 0, 1]);
    await assertGolden('alignment', {
      norm: alignmentLoss(y, target, present),
      squared: alignmentLoss(y, target, present, { squared: true }),
    });
    assert.equal(await alignmentLoss(y, target, tensor([0, 0, 0])).item(), 0);
    const [d] = gradients(alignmentLoss(target, target, present), [target]);
    assert.ok(
      (await d.numbers()).every((v) => v === 0),
      'the gradient where both agree',
    );
    assert.throws(() => alignmentLoss(y, target.slice([0, 2]), present), ShapeError);
  });

  it('input projector: values and gradients; padding is not looked at', async () => {
    const params = named(inputProjectorInit(new Random(1), inConfig), 'inputProjector');
    const lengths = tensor(Int32Array.of(5, 2, 0));
    const modality = tensor(Int32Array.of(1, 0, 2));
    const states = param('inputProjector.states', [3, 5, 10]);
    await checkLayer(
      'inputProjector',
      { states, weight: params.in_proj.weight, queries: params.queries },
      ({ states, weight, queries }) =>
        inputProjector({ ...params, queries, in_proj: { ...params.in_proj, weight } }, inConfig, {
          states,
          lengths,
          modality,
        }),
    );
    const values = Float32Array.from(await states.numbers());
    for (let i = (5 + 2) * 10; i < values.length; i++) values[i] = 1e3;
    const noisy = tensor(values, { shape: [3, 5, 10] });
    const [a, b] = [states, noisy].map((states) => inputProjector(params, inConfig, { states, lengths, modality }));
    assertClose(await a.numbers(), await b.numbers(), 'with noise in the padding');
  });

  it('input projector: order of the states counts only with positions, of which there have to be enough', async () => {
    const lengths = tensor([4, 4], { dtype: 'int32' });
    const modality = tensor([0, 2], { dtype: 'int32' });
    const states = param('inputProjector.states', [2, 4, 10]);
    const swapped = states.gather(tensor([1, 0, 2, 3], { dtype: 'int32' }), 1);
    for (const positions of [undefined, 4]) {
      const c = { ...inConfig, positions };
      const p = inputProjectorInit(new Random(4), c);
      const gap = inputProjector(p, c, { states, lengths, modality })
        .sub(inputProjector(p, c, { states: swapped, lengths, modality }))
        .abs()
        .max();
      if (positions) assert.ok((await gap.item()) > 1e-3);
      else assert.ok((await gap.item()) < 1e-6);
    }
    const few = { ...inConfig, positions: 3 };
    const p = inputProjectorInit(new Random(4), few);
    assert.throws(() => inputProjector(p, few, { states, lengths, modality }), ShapeError);
  });

  it('fills slots with vectors, and picks the states of blocks', async () => {
    const embeddings = tensor(
      Float32Array.from({ length: 2 * 4 * 2 }, (_, i) => i),
      { shape: [2, 4, 2] },
    );
    const vectors = tensor(
      Float32Array.from({ length: 2 * 2 * 2 }, (_, i) => 100 + i),
      { shape: [2, 2, 2] },
    );
    const slots = tensor(Int32Array.of(-1, 0, 1, -1, 3, -1, -1, 2), { shape: [2, 4] });
    const filled = fillSlots(embeddings, slots, vectors);
    assert.deepEqual(
      [...(await filled.numbers())],
      [0, 1, 100, 101, 102, 103, 6, 7, 106, 107, 10, 11, 12, 13, 104, 105],
    );
    const block = atBlock(embeddings, tensor(Int32Array.of(1, 2, 4, 5), { shape: [2, 2] }));
    assert.deepEqual([...(await block.numbers())], [2, 3, 4, 5, 8, 9, 10, 11]);
    assert.throws(() => fillSlots(embeddings, slots, vectors.reshape([2, 1, 4])), ShapeError);
  });

  it('has the published sizes', () => {
    const count = (c: typeof inputProjectorSizes.published): number =>
      c.layers * (4 * c.width ** 2 + 2 * c.width * c.hidden) +
      c.modalities * c.inWidth * c.width +
      c.width * c.outWidth;
    // The card: about 50 M.
    assert.ok(Math.abs(count(inputProjectorSizes.published) / 50e6 - 1) < 0.05);
    const { width, hidden, encoderLayers, decoderLayers } = outputProjectorSizes.image;
    const block = 4 * width ** 2 + 2 * width * hidden;
    const attention = 4 * width ** 2;
    // NExT-GPT: about 32 M each.
    const total = encoderLayers * block + decoderLayers * (block + attention) + 4096 * width + width * 768;
    assert.ok(Math.abs(total / 32e6 - 1) < 0.06, String(total));
  });
});
