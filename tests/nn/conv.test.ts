/** Convolution layers, pooling, resizing and the blocks of UNets against PyTorch: values and gradients. */
import assert from 'node:assert/strict';
import {
  avgPool,
  conv1d,
  conv2d,
  conv2dInit,
  conv3d,
  convTranspose1d,
  convTranspose1dInit,
  convTranspose2d,
  convTranspose3d,
  downsample,
  globalAvgPool,
  maxPool,
  Random,
  resBlock,
  resBlockInit,
  resizeNearest,
  upsample,
  upsampleNearest,
} from '../../lib/nn';
import type { ConvLayerParams, SpatialAxes } from '../../lib/nn';
import { flattenTree, treeMap } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { closeDevices } from '../../lib/runtime';
import { checkLayer, param } from './golden';

describe('convolution layers against PyTorch', () => {
  after(closeDevices);

  const check = (
    name: string,
    x: number[],
    weight: number[],
    outputs: number,
    layer: (p: ConvLayerParams, x: Tensor) => Tensor,
  ): void => {
    it(name, () =>
      checkLayer(
        name,
        { x: param(`${name}.x`, x), weight: param(`${name}.weight`, weight), bias: param(`${name}.bias`, [outputs]) },
        ({ x, ...p }) => layer(p, x),
      ),
    );
  };
  check('conv1d', [2, 3, 9], [4, 3, 3], 4, (p, x) => conv1d(p, x, { stride: 2, padding: 1 }));
  check('conv1d.same', [2, 3, 9], [4, 3, 4], 4, (p, x) => conv1d(p, x, { padding: 'same', dilation: 2 }));
  check('conv2d', [2, 3, 5, 6], [4, 3, 3, 3], 4, (p, x) => conv2d(p, x, { padding: 1 }));
  check('conv2d.grouped', [2, 4, 7, 6], [6, 2, 3, 2], 6, (p, x) =>
    conv2d(p, x, { stride: [2, 1], padding: [1, 0], groups: 2 }),
  );
  check('conv3d', [1, 2, 4, 5, 4], [3, 2, 3, 3, 3], 3, (p, x) => conv3d(p, x, { padding: 1, stride: [1, 2, 2] }));
  check('convTranspose1d', [2, 3, 5], [3, 4, 4], 4, (p, x) => convTranspose1d(p, x, { stride: 2, padding: 1 }));
  check('convTranspose2d', [2, 3, 4, 3], [3, 2, 3, 3], 2, (p, x) =>
    convTranspose2d(p, x, { stride: 2, padding: 1, outputPadding: 1 }),
  );
  check('convTranspose3d', [1, 4, 3, 2, 3], [4, 1, 2, 3, 2], 2, (p, x) =>
    convTranspose3d(p, x, { stride: 2, groups: 2 }),
  );

  it("initial values have PyTorch's shapes and bounds", async () => {
    const rng = new Random(1, 'conv');
    const plain = conv2dInit(rng, 8, 6, 3, { groups: 2 });
    const transposed = convTranspose1dInit(rng, 8, 6, 4, { groups: 2 });
    assert.deepEqual([plain.weight.shape, plain.bias?.shape], [[6, 4, 3, 3], [6]]);
    assert.deepEqual([transposed.weight.shape, transposed.bias?.shape], [[8, 3, 4], [6]]);
    assert.equal(conv2dInit(rng, 8, 6, 3, { bias: false }).bias, undefined);
    for (const [p, fan] of [
      [plain, 4 * 9],
      [transposed, 3 * 4],
    ] as const)
      for (const t of [p.weight, p.bias!]) {
        const largest = Math.max(...(await t.numbers()).map(Math.abs));
        assert.ok(largest <= 1 / Math.sqrt(fan) && largest > 0.5 / Math.sqrt(fan), `${largest} of fan ${fan}`);
      }
  });

  it('bad arguments are named', () => {
    const rng = new Random(1, 'conv');
    const p = conv2dInit(rng, 4, 4, 3);
    const x = param('x', [1, 4, 5, 5]);
    assert.throws(() => conv2dInit(rng, 4, 6, 3, { groups: 4 }), /conv2dInit: .*in 4 groups/);
    assert.throws(() => conv2d(p, x, { stride: [1] }), /conv2d: expected strides of 2 integers/);
    assert.throws(() => conv2d(p, x, { stride: 0 }), /at least 1/);
    assert.throws(() => conv2d(p, x, { padding: 'same', stride: 2 }), /stride 1 with padding 'same'/);
    assert.throws(() => conv1d(p, x), /conv1d: expected an input \[N, C, 1 spatial axes\]/);
    assert.throws(() => conv2d(p, param('x', [1, 3, 5, 5])), /conv/);
    assert.throws(() => maxPool(x, 2, { padding: 2 }), /half the kernel/);
    assert.throws(() => maxPool(x, 6), /at least the kernel/);
    assert.throws(() => resizeNearest(x, [0, 3]), /at least 1/);
  });
});

describe('pooling and resizing against PyTorch', () => {
  after(closeDevices);

  const check = (name: string, shape: number[], f: (x: Tensor) => Tensor): void => {
    it(name, () => checkLayer(name, { x: param(`${name}.x`, shape) }, ({ x }) => f(x)));
  };
  check('maxPool', [2, 3, 4, 6], (x) => maxPool(x, 2));
  check('maxPool.padded', [2, 3, 7, 6], (x) => maxPool(x, 3, { stride: 2, padding: 1 }));
  check('maxPool.3d', [1, 2, 4, 4, 5], (x) => maxPool(x, [2, 2, 3], { stride: [2, 2, 1] }));
  check('avgPool', [2, 3, 4, 6], (x) => avgPool(x, 2));
  check('avgPool.padded', [2, 3, 7, 6], (x) => avgPool(x, 3, { stride: 2, padding: 1 }));
  check('avgPool.inside', [2, 3, 7, 6], (x) => avgPool(x, 3, { stride: 2, padding: 1, countPadding: false }));
  check('avgPool.1d', [2, 3, 8], (x) => avgPool(x, 4, { stride: 2 }));
  check('globalAvgPool', [2, 3, 4, 6], globalAvgPool);
  check('resizeNearest', [2, 3, 3, 4], (x) => resizeNearest(x, [5, 3]));
  check('upsampleNearest', [2, 3, 2, 3], (x) => upsampleNearest(x, 2));
});

describe('blocks of UNets against PyTorch', () => {
  after(closeDevices);

  const check = (
    name: string,
    [inputs, outputs, embedding]: [number, number, number | undefined],
    space: number[],
  ): void => {
    it(name, async () => {
      const axes = space.length as SpatialAxes;
      const shapes = resBlockInit(new Random(1, name), inputs, outputs, { embedding, axes });
      const scales: Record<string, number> = {
        'conv1.weight': 0.25,
        'conv2.weight': 0.25,
        'time_emb_proj.weight': 0.5,
      };
      const params = treeMap(shapes, (t, path) => param(`${name}.${path}`, t.shape, scales[path]));
      const inputsOf: Record<string, Tensor> = { x: param(`${name}.x`, [2, inputs, ...space]) };
      if (embedding) inputsOf.embedding = param(`${name}.embedding`, [2, embedding]);
      await checkLayer(name, { ...inputsOf, ...flattenTree(params) }, (leaves) =>
        resBlock(
          treeMap(shapes, (_, path) => leaves[path]),
          leaves.x,
          {
            embedding: leaves.embedding,
            groups: 2,
            epsilon: 0.1,
          },
        ),
      );
    });
  };
  check('resBlock.2d', [4, 6, 5], [4, 3]);
  check('resBlock.1d', [4, 4, undefined], [6]);

  for (const [name, f] of [
    ['downsample', downsample],
    ['upsample', upsample],
  ] as const)
    it(name, () =>
      checkLayer(
        name,
        {
          x: param('resample.x', [2, 3, 4, 6]),
          weight: param('resample.weight', [4, 3, 3, 3]),
          bias: param('resample.bias', [4]),
        },
        ({ x, ...conv }) => f({ conv }, x),
      ),
    );

  it('an embedding is taken if and only if the block has a projection', () => {
    const rng = new Random(1, 'block');
    const x = param('x', [1, 32, 4, 4]);
    const e = param('e', [1, 5]);
    assert.throws(() => resBlock(resBlockInit(rng, 32, 32, { embedding: 5 }), x), /expected an embedding, got none/);
    assert.throws(() => resBlock(resBlockInit(rng, 32, 32), x, { embedding: e }), /expected no embedding/);
  });
});
