/**
 * AdamW and clipping against torch.optim and torch.nn.utils, schedules against transformers', accumulation, dropout.
 */
import assert from 'node:assert/strict';
import { evaluate, tensor, treeMap, valueAndGrad, where } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { crossEntropy, tokenLogProbs } from '../../lib/losses';
import {
  accumulate,
  accumulatorAdd,
  accumulatorInit,
  accumulatorMean,
  adamW,
  adamWInit,
  adamWScalars,
  clipByGlobalNorm,
  clipFactor,
  dropout,
  globalNorm,
  learningRateAt,
  lengthMask,
  linear,
  maskedPositions,
  muon,
  orthogonalize,
  paddingMask,
  Random,
} from '../../lib/nn';
import type { AdamWScalars, AdamWState, ScheduleConfig } from '../../lib/nn';
import { closeDevices, jit } from '../../lib/runtime';
import { optimizerSchema, stepScalars, update } from '../../lib/trainers/optimizer';
import type { StepScalars } from '../../lib/trainers/optimizer';
import { assertClose, assertGolden, checkLayer, golden, ints, param, valuesOf } from './golden';

type Pair = { w: Tensor; b: Tensor };
const RATES = [0, 0.01, 0.02, 0.015, 0.005];
const config = { betas: [0.9, 0.95], epsilon: 1e-3, weightDecay: 0.1 } as const;
const gradsOf = (step: number): Pair => ({
  w: param(`adamw.gw${step}`, [3, 4], step % 2 ? 0.5 : 0.125),
  b: param(`adamw.gb${step}`, [4], step % 2 ? 0.5 : 0.125),
});
const start = (): Pair => ({ w: param('adamw.w', [3, 4]), b: param('adamw.b', [4]) });

describe('AdamW and clipping against PyTorch', () => {
  after(closeDevices);

  const step = jit(
    (params: Pair, state: AdamWState<Pair>, grads: Pair, scalars: AdamWScalars<Tensor>) => {
      const { factor, norm } = clipFactor(grads, 1.5);
      return { ...adamW(params, grads, state, scalars, { config, factor }), norm };
    },
    { donate: [0, 1], name: 'adamw' },
  );

  it('five steps from a learning rate of 0, with decoupled decay of matrices and clipped gradients', async () => {
    let params = start();
    let state = adamWInit(params);
    for (const [i, rate] of RATES.entries()) {
      const out = await step(params, state, gradsOf(i), adamWScalars(i + 1, rate, config));
      ({ params, state } = out);
      await assertGolden(`adamw.${i}`, { ...params, norm: out.norm, m: state.m.w, v: state.v.w });
    }
  });

  it('state that was donated cannot be used again, and its successor can', async () => {
    const params = start();
    const state = adamWInit(params);
    const first = await step(params, state, gradsOf(1), adamWScalars(1, 0.01, config));
    for (const t of [params.w, params.b, state.m.w, state.v.b])
      await assert.rejects(async () => t.data(), { name: 'DisposedError' });
    const second = await step(first.params, first.state, gradsOf(2), adamWScalars(2, 0.01, config));
    assert.equal((await second.params.w.data()).length, 12);
  });

  it('many small tensors, updated together, get what each gets alone, bit for bit', async () => {
    const shapes = {
      a: [3, 4],
      b: [4],
      c: [7, 4],
      d: [2, 3, 4],
      e: [9],
      f: [5, 4],
      g: [],
      h: [200, 100],
      i: [100, 100],
    };
    type Tree = Record<string, Tensor>;
    const tree = (kind: string): Tree =>
      Object.fromEntries(Object.entries(shapes).map(([k, shape]) => [k, param(`together.${kind}.${k}`, shape, 0.5)]));
    const options = { config, skips: (_: Tensor, path: string) => path === 'f' };
    const update = jit((p: Tree, g: Tree, state: AdamWState<Tree>, scalars: AdamWScalars<Tensor>) =>
      adamW(p, g, state, scalars, options),
    );
    const [p, g, m] = [tree('p'), tree('g'), tree('m')];
    const v = Object.fromEntries(Object.entries(m).map(([k, t]) => [k, t.square()]));
    const scalars = adamWScalars(3, 0.01, config);
    const values = (out: { params: Tree; state: AdamWState<Tree> }, k: string) =>
      Promise.all([out.params[k], out.state.m[k], out.state.v[k]].map((t) => t.tolist()));
    const together = await update(p, g, { m, v }, scalars);
    for (const k of Object.keys(shapes)) {
      const alone = await update({ [k]: p[k] }, { [k]: g[k] }, { m: { [k]: m[k] }, v: { [k]: v[k] } }, scalars);
      assert.deepEqual(together.params[k].shape, p[k].shape);
      assert.deepEqual(await values(together, k), await values(alone, k), k);
      const [moved] = await values(together, k);
      if (k === 'f') assert.deepEqual(moved, await p[k].tolist());
      else assert.notDeepEqual(moved, await p[k].tolist());
    }
  });

  it('refuses gradients and moments of other parameters', () => {
    const p = start();
    const state = adamWInit(p);
    const scalars = { scale: tensor(1), epsilon: tensor(1), decay: tensor(1) };
    const gone = { w: p.w } as unknown as Pair;
    assert.throws(() => adamW(p, gone, state, scalars), /adamW: expected trees of 2 tensors, got one of 1/);
    const other = { w: p.w, c: p.b } as unknown as Pair;
    assert.throws(() => adamW(p, other, state, scalars), /adamW: expected trees of one structure, found no "b"/);
    const turned = { w: p.w.transpose([1, 0]), b: p.b };
    assert.throws(() => adamW(p, turned, state, scalars), /expected "w" of shape \[3, 4\] in all trees, got \[4, 3\]/);
  });

  it('clipping scales gradients to the norm, and leaves small ones alone', async () => {
    const grads = gradsOf(1);
    const tight = clipByGlobalNorm(grads, 1.5);
    const loose = clipByGlobalNorm(grads, 100);
    const v = await valuesOf({ tight: tight.grads.w, norm: tight.norm, loose: loose.grads.w, w: grads.w });
    assertClose(v.tight, golden('adamw.1').gw, 'clipped');
    assertClose(v.norm, golden('adamw.1').norm, 'norm');
    assert.deepEqual(v.loose, v.w);
  });

  it('the norm is that of all gradients, whatever their number of axes and size', async () => {
    const shapes = [[], [], [3], [3], [5], [2, 3], [4, 3], [130, 130], [2, 2, 2], [1, 1, 2, 2]];
    let n = 0;
    const grads = shapes.map((shape) => {
      const size = shape.reduce((a, b) => a * b, 1);
      const values = Float32Array.from({ length: size }, () => Math.sin(n++));
      return tensor(values, { shape });
    });
    const expected = Math.sqrt(Array.from({ length: n }, (_, i) => Math.sin(i) ** 2).reduce((a, b) => a + b));
    const norm = await jit((g: Tensor[]) => globalNorm(g))(grads);
    assert.ok(Math.abs((await norm.item()) - expected) < 1e-4 * expected);
  });

  it('bad arguments are named', () => {
    assert.throws(() => adamWScalars(0, 0.1), /step number from 1, got 0/);
    assert.throws(() => clipFactor({}, 1), /globalNorm: expected gradients/);
    assert.throws(() => clipFactor(gradsOf(0), 0), /positive norm, got 0/);
    const state = adamWInit(start());
    const scalars = { scale: tensor(1), epsilon: tensor(1), decay: tensor(1) };
    assert.throws(() => adamW<unknown>(start(), { w: gradsOf(0).w }, state, scalars), /adamW: expected trees of/);
  });
});

describe('Muon against PyTorch', () => {
  after(closeDevices);

  type Matrices = { w: Tensor; t: Tensor };
  const step = jit(
    (p: Matrices, m: Matrices, g: Matrices, rate: Tensor) => {
      const of = (k: keyof Matrices) => ({ p: p[k], grad: g[k], momentum: m[k] });
      const [w, t] = muon([of('w'), of('t')], rate);
      return { p: { w: w.p, t: t.p }, m: { w: w.momentum, t: t.momentum } };
    },
    { donate: [0, 1], name: 'muon' },
  );

  it('five steps of a wide and a tall matrix', async () => {
    const make = (name: string, suffix = ''): Matrices => ({
      w: param(`muon.${name}w${suffix}`, [3, 5]),
      t: param(`muon.${name}t${suffix}`, [6, 4]),
    });
    let p = make('');
    let m = treeMap(make(''), (t) => t.mul(0));
    for (const [i, rate] of RATES.entries()) {
      ({ p, m } = await step(p, m, make('g', String(i)), rate));
      await assertGolden(`muon.${i}`, { ...p, mw: m.w, mt: m.t });
    }
  });

  it('matrices that are updated together are updated as alone', async () => {
    const of = (k: number) => ({
      p: param(`muon.p${k}`, [3, 5]),
      grad: param(`muon.gw${k}`, [3, 5]),
      momentum: param(`muon.m${k}`, [3, 5]),
    });
    const rate = tensor(0.1);
    const together = muon([of(0), of(1), of(2)], rate);
    const alone = [0, 1, 2].map((k) => muon([of(k)], rate)[0]);
    const v = await valuesOf(
      Object.fromEntries(
        [0, 1, 2].flatMap((k) => [
          [`t${k}`, together[k].p],
          [`a${k}`, alone[k].p],
        ]),
      ),
    );
    for (const k of [0, 1, 2]) assertClose(v[`t${k}`], v[`a${k}`], `matrix ${k}`);
    assert.notDeepEqual(v.t0, v.t1);
  });

  it('a matrix becomes nearly orthogonal, whatever its size', async () => {
    for (const scale of [1e-3, 1, 1e3]) {
      const q = orthogonalize(param('muon.gw0', [3, 5], scale));
      const gram = Array.from((await valuesOf({ g: q.matMul(q, { transB: true }) })).g);
      const expected = [1, 0, 0, 0, 1, 0, 0, 0, 1];
      gram.forEach((v, i) => assert.ok(Math.abs(v - expected[i]) < 0.55, `${scale}: ${gram.join()}`));
    }
    assert.throws(() => orthogonalize(param('muon.v', [4])), /expected matrices, got a tensor of shape \[4\]/);
  });

  it('the update of a network: Muon for matrices of layers, AdamW for all else', async () => {
    const shapes = { embed: [6, 4], norm: [4], inner: [4, 4] };
    const tree = (name: string) => ({
      embed_tokens: param(`${name}.e`, shapes.embed),
      layers: [{ norm: param(`${name}.n`, shapes.norm), q: param(`${name}.q`, shapes.inner) }],
    });
    const config = optimizerSchema.parse({ learningRate: 0.01, weightDecay: 0.1, batchSize: 1, steps: 4 });
    const one = jit(
      (
        method: string,
        p: ReturnType<typeof tree>,
        g: ReturnType<typeof tree>,
        s: AdamWState<ReturnType<typeof tree>>,
        x: StepScalars<Tensor>,
      ) => update({ ...config, method: method as 'muon', maxGradNorm: 1e9 }, p, g, s, x),
      { name: 'update' },
    );
    const [p, g] = [tree('update.p'), tree('update.g')];
    const { scalars, learningRate } = stepScalars(config, 0);
    const both = await one('muon', p, g, adamWInit(p), scalars);
    const adam = await one('adamw', p, g, adamWInit(p), scalars);
    const { q } = g.layers[0];
    const [alone] = muon([{ p: p.layers[0].q, grad: q, momentum: q.mul(0) }], tensor(learningRate));
    const v = await valuesOf({
      embed: both.params.embed_tokens,
      norm: both.params.layers[0].norm,
      q: both.params.layers[0].q,
      m: both.state.m.layers[0].q,
      second: both.state.v.layers[0].q,
      adamEmbed: adam.params.embed_tokens,
      adamNorm: adam.params.layers[0].norm,
      adamQ: adam.params.layers[0].q,
      muonQ: alone.p,
      muonM: alone.momentum,
    });
    assertClose(v.embed, v.adamEmbed, 'embeddings');
    assertClose(v.norm, v.adamNorm, 'norm');
    assertClose(v.q, v.muonQ, 'matrix');
    assertClose(v.m, v.muonM, 'momentum');
    assert.ok(v.second.every((x) => x === 0));
    assert.ok(v.q.some((x, i) => Math.abs(x - v.adamQ[i]) > 1e-4));
  });
});

describe('schedules against transformers', () => {
  const cases: [string, ScheduleConfig][] = [
    ['cosine', { kind: 'cosine', learningRate: 0.01, totalSteps: 20, warmupSteps: 4 }],
    ['linear', { kind: 'linear', learningRate: 0.01, totalSteps: 20, warmupSteps: 4 }],
    ['constant', { kind: 'constant', learningRate: 0.01, totalSteps: 20, warmupSteps: 4 }],
    ['cosine-min', { kind: 'cosine', learningRate: 0.01, totalSteps: 20, warmupSteps: 3, minRatio: 0.1 }],
  ];
  for (const [name, schedule] of cases)
    it(name, () => {
      const { rates } = golden(`schedule.${name}`);
      rates.forEach((rate, step) => {
        const found = learningRateAt(step, schedule);
        assert.ok(Math.abs(found - rate) < 1e-9, `step ${step}: expected ${rate}, got ${found}`);
      });
    });

  it('stays at its end after the last step, where transformers lets the cosine rise again', () => {
    for (const [name, schedule] of cases)
      assert.equal(learningRateAt(30, schedule), learningRateAt(20, schedule), name);
  });

  it('a least rate holds for linear schedules, too', () => {
    const schedule: ScheduleConfig = { kind: 'linear', learningRate: 0.01, totalSteps: 10, minRatio: 0.2 };
    const rates = [0, 5, 10].map((step) => learningRateAt(step, schedule));
    assertClose(rates, [0.01, 0.006, 0.002], 'rates', 1e-12);
  });

  it('refuses an unknown kind, and a rate that is no number', () => {
    const at =
      (change: object): (() => number) =>
      () =>
        learningRateAt(1, { kind: 'cosine', learningRate: 1e-3, totalSteps: 10, ...change });
    assert.throws(at({ kind: 'cosinus' }), /expected cosine, linear or constant, got "cosinus"/);
    assert.throws(at({ learningRate: NaN }), /learning rate of 0 or more, got NaN/);
  });

  it('refuses a warm-up longer than the run, and negative steps', () => {
    const bad: ScheduleConfig = { kind: 'linear', learningRate: 1, totalSteps: 5, warmupSteps: 6 };
    assert.throws(() => learningRateAt(0, bad), /warmupSteps <= totalSteps/);
    assert.throws(() => learningRateAt(-1, { ...bad, warmupSteps: 2 }), /step/);
  });
});

describe('cross-entropy against PyTorch', () => {
  after(closeDevices);
  const logits = (name: string): Tensor => param(name, [2, 5, 7], 4);
  const labels = ints('crossEntropy.labels', [2, 5], 7);
  const mask = tensor([
    [0, 1, 1, 1, 0],
    [1, 0, 0, 1, 1],
  ]);

  it('tokenLogProbs', () =>
    checkLayer('tokenLogProbs', { logits: logits('crossEntropy.logits') }, (l) => tokenLogProbs(l.logits, labels)));
  it('crossEntropy over a mask', async () => {
    const step = valueAndGrad((l: Tensor) => crossEntropy(l, labels, mask));
    const { value, grads } = step(logits('crossEntropy.logits'));
    await assertGolden('crossEntropy', { loss: value.loss, logits: grads });
    assert.equal(await value.count.item(), 6);
  });
  it('labels outside of the mask do not matter', async () => {
    const ignored = where(mask.cast('bool'), labels, -100);
    const { value, grads } = valueAndGrad((l: Tensor) => crossEntropy(l, ignored, mask))(logits('crossEntropy.logits'));
    await assertGolden('crossEntropy', { loss: value.loss, logits: grads });
  });
  it('a batch without a single token gives 0, with gradients 0', async () => {
    const step = valueAndGrad((l: Tensor) => crossEntropy(l, labels, mask.mul(0)));
    const { value, grads } = step(logits('crossEntropy.logits'));
    const v = await valuesOf({ loss: value.loss, grads });
    assert.deepEqual([...v.loss, ...new Set(v.grads.map(Math.abs))], [0, 0]);
  });
});

describe('gradient accumulation', () => {
  after(closeDevices);

  // The rows have 1, 5, 0, 3, 2 and 4 tokens that count: a mean of the parts' means would be wrong.
  const batch = {
    x: param('accumulate.x', [6, 5, 4]),
    labels: ints('accumulate.labels', [6, 5], 3),
    mask: lengthMask([1, 5, 0, 3, 2, 4], 5),
    scale: tensor(0.5),
  };
  const params = { layer: { weight: param('accumulate.weight', [3, 4]), bias: param('accumulate.bias', [3]) } };
  const loss = (p: typeof params, b: typeof batch): { loss: Tensor; count: Tensor } =>
    crossEntropy(linear(p.layer, b.x).mul(b.scale), b.labels, b.mask);
  const flat = ({ value, grads }: { value: { loss: Tensor; count: Tensor }; grads: typeof params }) => ({
    ...value,
    ...grads.layer,
  });

  for (const parts of [1, 2, 3, 6])
    it(`${parts} parts in one program give the gradient of the whole batch`, async () => {
      const whole = await valuesOf(flat(valueAndGrad(loss)(params, batch)));
      const cut = await valuesOf(flat(await jit(accumulate(loss, parts))(params, batch)));
      assert.deepEqual([...cut.count], [15]);
      for (const key of Object.keys(whole)) assertClose(cut[key], whole[key], key, 1e-6);
    });

  it('parts in several calls, too, with a donated sum', async () => {
    const whole = await valuesOf(flat(valueAndGrad(loss)(params, batch)));
    const add = jit(
      (sum: ReturnType<typeof accumulatorInit<typeof params>>, p: typeof params, b: typeof batch) => {
        const { value, grads } = valueAndGrad(loss)(p, b);
        return accumulatorAdd(sum, { ...value, grads });
      },
      { donate: [0] },
    );
    let sum = accumulatorInit(params);
    for (const i of [0, 1, 2])
      sum = await add(
        sum,
        params,
        treeMap(batch, (t) => (t.rank ? t.slice([2 * i, 2 * i + 2]) : t)),
      );
    const mean = accumulatorMean(sum);
    const found = await valuesOf({ loss: mean.loss, count: sum.count, ...mean.grads.layer });
    for (const key of Object.keys(whole)) assertClose(found[key], whole[key], key, 1e-6);
  });

  it('a sum of nothing is 0', async () => {
    const { loss: mean, grads } = accumulatorMean(accumulatorInit(params));
    const v = await valuesOf({ mean, w: grads.layer.weight });
    assert.deepEqual([...v.mean, ...new Set(v.w)], [0, 0]);
  });

  it('metrics are averaged as the loss is', async () => {
    const withMetrics = (p: typeof params, b: typeof batch) => {
      const { loss: mean, count } = loss(p, b);
      return { loss: mean, count, metrics: { doubled: mean.mul(2) }, name: 'kept' };
    };
    const { value } = await jit(accumulate(withMetrics, 3))(params, batch);
    const v = await valuesOf({ loss: value.loss, metric: value.metrics.doubled });
    assertClose(v.metric, [v.loss[0] * 2], 'metric', 1e-6);
    assert.equal(value.name, 'kept');
    const vector = (p: typeof params, b: typeof batch) => ({ ...loss(p, b), rows: b.x });
    assert.throws(
      () => accumulate(vector, 2)(params, batch),
      /expected scalar metrics beside the loss, got \[3, 5, 4\]/,
    );
  });

  it('a batch that cannot be cut evenly is named', () => {
    assert.throws(
      () => accumulate(loss, 4)(params, batch),
      /accumulate: expected a first axis divisible by 4, got \[6/,
    );
    assert.throws(() => accumulate(loss, 0), /at least 1 part/);
  });
});

describe('padding and dropout', () => {
  after(closeDevices);

  it('masks from lengths, on either side, from numbers or a tensor', async () => {
    const right = lengthMask([2, 0, 3], 3);
    const left = lengthMask(tensor(Int32Array.of(2, 0, 3)), 3, 'left');
    const keys = paddingMask(right);
    await evaluate(right, left);
    assert.deepEqual(await right.tolist(), [
      [true, true, false],
      [false, false, false],
      [true, true, true],
    ]);
    assert.deepEqual(await left.tolist(), [
      [false, true, true],
      [false, false, false],
      [true, true, true],
    ]);
    assert.deepEqual(keys.shape, [3, 1, 1, 3]);
  });
  it('positions count tokens, not padding', async () => {
    const mask = tensor([
      [0, 0, 1, 1],
      [1, 1, 1, 0],
    ]);
    assert.deepEqual(await maskedPositions(mask).tolist(), [
      [0, 0, 0, 1],
      [0, 1, 2, 2],
    ]);
  });
  it('labels and masks that do not go with the logits are named, not cut or stretched', () => {
    const logits = tensor(new Float32Array(6), { shape: [1, 2, 3] });
    const labels = tensor([[1]], { dtype: 'int32' });
    assert.throws(
      () => tokenLogProbs(logits, labels),
      /tokenLogProbs: expected a label .* got \[1, 1\] for \[1, 2, 3\]/,
    );
    const two = tensor([[1, 2]], { dtype: 'int32' });
    assert.throws(
      () => crossEntropy(logits, two, tensor([[1]])),
      /crossEntropy: expected labels and a mask of one shape/,
    );
  });

  it('bad lengths and shapes are named', () => {
    assert.throws(() => lengthMask([4], 3), /lengths from 0 to 3, got 4/);
    assert.throws(() => lengthMask([-1], 3), /got -1/);
    assert.throws(() => paddingMask(tensor([1, 1])), /mask \[B, T\]/);
    assert.throws(() => maskedPositions(tensor([1, 1])), /mask \[B, T\]/);
  });

  it('dropout drops by the given noise, keeps the mean, and passes gradients where it kept', async () => {
    const n = 20000;
    const x = tensor(new Float32Array(n).fill(1));
    const noise = tensor(new Random(5, 'dropout').uniforms(n));
    const { value, grads } = valueAndGrad((t: Tensor) => dropout(t, noise, 0.25).sum())(x);
    const v = await valuesOf({ y: dropout(x, noise, 0.25), grads, value, noise });
    v.y.forEach((y, i) => assert.equal(y, v.noise[i] < 0.25 ? 0 : Math.fround(1 / 0.75)));
    assert.deepEqual(v.grads, v.y);
    // Five standard deviations of the mean.
    assert.ok(Math.abs(v.value[0] / n - 1) < 5 * Math.sqrt(0.25 / 0.75 / n));
    assert.equal(dropout(x, noise, 0), x);
    assert.throws(() => dropout(x, noise, 1), /rate from 0 to below 1/);
  });
});
