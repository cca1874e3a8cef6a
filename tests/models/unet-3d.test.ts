/** The UNet for clips against diffusers' UNet3DConditionModel; its start from a picture UNet; bad input. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { evaluate, flattenTree, gradients, tensor, treeMap } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { unet, unetConfig, unetInit } from '../../lib/models/unet';
import {
  spatialConfig,
  unet3d,
  unet3dConfig,
  unet3dConfigFrom,
  unet3dFromUnet,
  unet3dInit,
  unet3dSizes,
} from '../../lib/models/unet-3d';
import type { Unet3dConfig } from '../../lib/models/unet-3d';
import { Random } from '../../lib/nn';
import { temporalConv, temporalConvInit, temporalTransformer, temporalTransformerInit } from '../../lib/nn/temporal';
import { closeDevices, jit } from '../../lib/runtime';
import { assertClose, param, valuesOf } from '../nn/golden';

interface Stored {
  case: string;
  values: Record<string, number[]>;
  names: Record<string, number[]>;
}
const stored = new Map(
  readFileSync(path.join(__dirname, '../../../tests/goldens/data/unet-3d.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Stored)
    .map((r) => [r.case, r]),
);

const noNoise = { normals: (n: number) => new Float32Array(n), uniforms: (n: number) => new Float32Array(n) };
/** The values of one parameter: the rule of unet_3d.py. */
const weight = (name: string, shape: readonly number[]): Tensor =>
  shape.length > 1
    ? param(name, shape, 0.8 / Math.sqrt(shape.slice(1).reduce((a, b) => a * b, 1)))
    : param(name, shape, 0.1, name.includes('norm') && name.endsWith('weight') ? 1 : 0);
const filledLike = <P>(shapes: P, prefix: string): P => treeMap(shapes, (t, p) => weight(`${prefix}.${p}`, t.shape));

/** The result and the stored gradients of sum(result * dy). */
async function check<P>(
  name: string,
  params: P,
  inputs: Record<string, Tensor>,
  f: (p: P, i: typeof inputs) => Tensor,
) {
  const expected = stored.get(name)!.values;
  const step = jit((p: P, i: Record<string, Tensor>) => {
    const y = f(p, i);
    const leaves: Record<string, Tensor> = { ...flattenTree(p), ...i };
    const keys = Object.keys(expected).filter((k) => k !== 'y');
    const grads = gradients(
      y,
      keys.map((k) => leaves[k.slice(2)]),
      param(`${name}.dy`, y.shape),
    );
    return { y, ...Object.fromEntries(keys.map((k, at) => [k, grads[at]])) };
  });
  const found = await valuesOf(await step(params as never, inputs));
  for (const key of Object.keys(expected)) {
    // float32 through some hundred layers: errors are relative to the largest entry.
    const size = Math.max(1, ...expected[key].map(Math.abs));
    assertClose(
      found[key].map((v) => v / size),
      expected[key].map((v) => v / size),
      `${name}: ${key}`,
      1e-4,
    );
  }
}

describe('layers over frames against diffusers', () => {
  after(closeDevices);
  const frames = 3;
  const groups = 4;
  const x = param('temporal.x', [2 * frames, 8, 2, 3]);
  const rng = new Random(1, 'temporal');

  it('temporalConv', () =>
    check('temporalConv', filledLike(temporalConvInit(rng, 8), 'temporalConv'), { x }, (p, i) =>
      temporalConv(p, i.x, { frames, groups }),
    ));
  for (const [name, heads, width] of [
    ['temporalTransformer', 2, 8],
    ['temporalTransformer.wide', 8, 16],
  ] as const)
    it(name, () =>
      check(name, filledLike(temporalTransformerInit(rng, 8, { width }), name), { x }, (p, i) =>
        temporalTransformer(p, i.x, { frames, groups, heads }),
      ),
    );

  it('temporalTransformer.positions: as AnimateDiff has it', () =>
    check(
      'temporalTransformer.positions',
      filledLike(temporalTransformerInit(rng, 8), 'temporalTransformer.positions'),
      { x },
      (p, i) => temporalTransformer(p, i.x, { frames, groups, heads: 2, positions: true }),
    ));

  it('start as the identity', async () => {
    const v = await valuesOf({
      x,
      conv: temporalConv(temporalConvInit(rng, 8), x, { frames, groups }),
      transformer: temporalTransformer(temporalTransformerInit(rng, 8, { width: 16 }), x, { frames, groups, heads: 8 }),
    });
    assert.deepEqual(v.conv, v.x);
    assert.deepEqual(v.transformer, v.x);
  });

  it('bad arguments are named', () => {
    assert.throws(() => temporalConv(temporalConvInit(rng, 8), x, { frames: 4, groups }), /B \* 4 frames.*got \[6, 8/);
    const p = temporalTransformerInit(rng, 8);
    assert.throws(
      () => temporalTransformer(p, x, { frames, groups, heads: 3 }),
      /heads that divide the width 8, got 3/,
    );
  });
});

const common = { inChannels: 3, outChannels: 3, normNumGroups: 4, crossAttentionDim: 6 };
const cases: Record<string, Unet3dConfig> = {
  unet3d: unet3dConfig({ ...common, blockOutChannels: [8, 16], layersPerBlock: 1, attentionHeadDim: 4 }),
  'unet3d.deep': unet3dConfig({
    ...common,
    downBlockTypes: ['CrossAttnDownBlock3D', 'CrossAttnDownBlock3D'],
    upBlockTypes: ['CrossAttnUpBlock3D', 'CrossAttnUpBlock3D'],
    blockOutChannels: [8, 12],
    layersPerBlock: 2,
    attentionHeadDim: 2,
  }),
};

describe('UNet for clips', () => {
  after(closeDevices);
  const steps = (): Tensor => tensor(Int32Array.of(7, 500));

  for (const [name, config] of Object.entries(cases))
    it(`${name}: values and gradients of diffusers`, async () => {
      const params = filledLike(unet3dInit(new Random(1, name), config), name);
      const inputs = { x: param(`${name}.x`, [2, 3, 4, 4, 4]), states: param(`${name}.states`, [2, 5, 6]) };
      await check(name, params, inputs, (p, i) =>
        unet3d(p, config, { sample: i.x, timesteps: steps(), context: i.states }),
      );
    });

  it("the published layout's parameters by name and shape", () => {
    const config = unet3dConfig({
      blockOutChannels: [32, 64, 96, 128],
      normNumGroups: 8,
      attentionHeadDim: 8,
    });
    const found = flattenTree(unet3dInit(noNoise, config));
    const shapes = Object.fromEntries(Object.entries(found).map(([k, t]) => [k, [...t.shape]]));
    assert.deepEqual(shapes, stored.get('names')!.names);
  });

  it('begins as the picture UNet that it is made from, frame by frame', async () => {
    const rng = new Random(2, 'from');
    const picture = unetConfig({ ...common, blockOutChannels: [8, 16], layersPerBlock: 1, attentionHeadDim: 2 });
    const params = filledLike(unetInit(rng, picture), 'from');
    const config = unet3dConfigFrom(picture);
    const clip = unet3dFromUnet(rng, picture, params);
    await evaluate(...Object.values(flattenTree(clip)));
    const shapes = (tree: unknown) => Object.entries(flattenTree(tree)).map(([k, t]) => [k, t.shape]);
    assert.deepEqual(shapes(clip), shapes(unet3dInit(rng, config)));
    const sample = param('from.sample', [2, 3, 4, 4, 4]);
    const context = param('from.context', [2, 5, 6]);
    const second = unet(params, picture, {
      sample: sample.slice(null, null, 1),
      timesteps: steps(),
      context,
    });
    const v = await valuesOf({
      second,
      clip: unet3d(clip, config, { sample, timesteps: steps(), context }).slice(null, null, 1),
    });
    assert.ok(v.second.some((y) => Math.abs(y) > 0.1));
    assertClose(v.clip, v.second, 'second frame', 1e-5);
  });

  it('sizes: the published configuration, and no other where there is none', () => {
    assert.deepEqual(unet3dSizes.modelscope, {
      inChannels: 4,
      outChannels: 4,
      downBlockTypes: ['CrossAttnDownBlock3D', 'CrossAttnDownBlock3D', 'CrossAttnDownBlock3D', 'DownBlock3D'],
      upBlockTypes: ['UpBlock3D', 'CrossAttnUpBlock3D', 'CrossAttnUpBlock3D', 'CrossAttnUpBlock3D'],
      blockOutChannels: [320, 640, 1280, 1280],
      layersPerBlock: 2,
      crossAttentionDim: 1024,
      attentionHeadDim: 64,
      normNumGroups: 32,
      normEps: 1e-5,
      sampleSize: 32,
    });
    assert.equal(spatialConfig(unet3dSizes.modelscope).useLinearProjection, true);
    assert.deepEqual(
      unet3dConfigFrom(unetConfig({ blockOutChannels: [32, 64], attentionHeadDim: 2 })).attentionHeadDim,
      [16, 32],
    );
    assert.throws(
      () => unet3dConfigFrom(unetConfig({ blockOutChannels: [32, 64], transformerLayersPerBlock: 2 })),
      /one transformer layer a block.*got 2 layers/,
    );
    assert.throws(
      () => unet3dInit(noNoise, unet3dConfig({ blockOutChannels: [32, 64], attentionHeadDim: 24 })),
      /widths of heads that divide \[32, 64\], got \[24, 24\]/,
    );
  });

  it('bad inputs are named', () => {
    const config = cases.unet3d;
    const params = unet3dInit(new Random(1, 'bad'), config);
    const sample = param('bad', [2, 3, 4, 4, 4]);
    const bad = (inputs: Partial<Parameters<typeof unet3d>[2]>) => () =>
      unet3d(params, config, { sample, timesteps: steps(), context: param('c', [2, 5, 6]), ...inputs });
    assert.throws(bad({ sample: param('flat', [2, 3, 4, 4]) }), /\[B, 3, F, H, W\].*got \[2, 3, 4, 4\]/);
    assert.throws(bad({ context: param('c', [1, 5, 6]) }), /one row of token states a clip/);
    assert.throws(bad({ sample: param('odd', [2, 3, 4, 3, 4]) }), /divisible by 2/);
  });
});
