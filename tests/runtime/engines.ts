/** What the tests of several devices share: the largest difference between two engines, and a small training run. */
import { ones, tensor, treeZip, valueAndGrad } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { crossEntropy } from '../../lib/losses';
import { llama, llamaInit, llamaSizes } from '../../lib/models';
import { adamW, adamWInit, adamWScalars, clipFactor, Random } from '../../lib/nn';
import type { AdamWScalars } from '../../lib/nn';
import { jit } from '../../lib/runtime';
import { Draw } from './random-programs';
import type { RandomProgram } from './random-programs';

/**
 * Runs a program on two devices: the largest difference of a result, relative to the largest entry of its tensor (at
 * least 1). Infinite where one has NaN or another infinity than the other.
 */
export async function differenceBetween(program: RandomProgram, a: string, b: string): Promise<number> {
  const on = async (device: string): Promise<Float64Array[]> => {
    const out = await jit((operands: Tensor[]) => program.run(operands), { device })(program.operands);
    return Promise.all(out.map((t) => t.numbers()));
  };
  const [left, right] = [await on(a), await on(b)];
  let worst = 0;
  left.forEach((values, i) => {
    const scale = values.reduce((m, v) => (Number.isFinite(v) ? Math.max(m, Math.abs(v)) : m), 1);
    values.forEach((v, j) => {
      if (Object.is(v, right[i][j]) || v === right[i][j]) return;
      const difference = Math.abs(v - right[i][j]) / scale;
      worst = Math.max(worst, Number.isNaN(difference) ? Infinity : difference);
    });
  });
  return worst;
}

export interface Network {
  w1: Tensor;
  b1: Tensor;
  w2: Tensor;
  b2: Tensor;
}

/** A network of two layers that learns the signs of products, by gradient descent; the same start on every device. */
export function trainingRun(device: string): {
  params: Network;
  /** One step of gradient descent; the parameters are donated. */
  step: (params: Network) => Promise<{ params: Network; loss: Tensor }>;
} {
  const d = new Draw(7);
  const [rows, inputs, hidden] = [64, 8, 96];
  const x = d.values([rows, inputs]);
  const data = x.storage!.hostValues as Float32Array;
  const signs = Float32Array.from({ length: rows }, (_, i) => Math.sign(data[i * inputs] * data[i * inputs + 1]));
  const y = tensor(signs, { shape: [rows, 1] });
  const scaled = (shape: number[], scale: number): Tensor => {
    const values = d.values(shape).storage!.hostValues as Float32Array;
    return tensor(
      values.map((v) => v * scale),
      { shape },
    );
  };
  const params = {
    w1: scaled([inputs, hidden], 0.4),
    b1: scaled([hidden], 0.1),
    w2: scaled([hidden, 1], 0.1),
    b2: scaled([1], 0.1),
  };
  const loss = valueAndGrad((p: Network, a: Tensor, b: Tensor) =>
    a.matMul(p.w1).add(p.b1).gelu().matMul(p.w2).add(p.b2).sub(b).square().mean(),
  );
  const step = jit(
    (p: Network, a: Tensor, b: Tensor) => {
      const { value, grads } = loss(p, a, b);
      return { params: treeZip('step', p, [grads], (t, g) => t.sub(g.mul(0.02))), loss: value };
    },
    { device, donate: [0], name: 'step' },
  );
  return { params, step: (p) => step(p, x, y) };
}

/** Losses and final parameters of `count` steps. */
export async function train(device: string, count: number): Promise<{ losses: number[]; final: number[] }> {
  const run = trainingRun(device);
  let { params } = run;
  const losses: number[] = [];
  for (let i = 0; i < count; i++) {
    const next = await run.step(params);
    params = next.params;
    losses.push(await next.loss.item());
  }
  const all = await Promise.all(Object.values(params as unknown as Record<string, Tensor>).map((t) => t.numbers()));
  return { losses, final: all.flatMap((v) => [...v]) };
}

/** Losses and gradient norms of `count` AdamW steps of a small language model, with recomputed blocks. */
export async function trainLanguageModel(device: string, count: number): Promise<number[]> {
  const config = {
    ...llamaSizes.nano,
    vocabSize: 48,
    width: 32,
    layers: 1,
    kvHeads: 2,
    hidden: 48,
    checkpointBlocks: true,
  };
  const rng = new Random(3);
  let params = llamaInit(rng, config);
  let state = adamWInit(params);
  const step = jit(
    (p: typeof params, s: typeof state, ids: Tensor, scalars: AdamWScalars<Tensor>) => {
      const { value, grads } = valueAndGrad((q: typeof p) => {
        const mask = ones([2, 11]);
        return crossEntropy(llama(q, config, { ids: ids.slice(null, [0, -1]) }), ids.slice(null, [1, null]), mask);
      })(p);
      const { factor, norm } = clipFactor(grads, 1);
      const next = adamW(p, grads, s, scalars, { factor });
      return { params: next.params, state: next.state, loss: value.loss, norm };
    },
    { device, donate: [0, 1], name: 'language model' },
  );
  const out: number[] = [];
  for (let t = 1; t <= count; t++) {
    const ids = tensor(
      Int32Array.from({ length: 24 }, () => rng.int(config.vocabSize)),
      { shape: [2, 12] },
    );
    const next = await step(params, state, ids, adamWScalars(t, 1e-2));
    ({ params, state } = next);
    out.push(await next.loss.item(), await next.norm.item());
  }
  return out;
}

/** The largest difference of two lists of one length. */
export const furthest = (a: readonly number[], b: readonly number[]): number =>
  a.length === b.length ? Math.max(...a.map((v, i) => Math.abs(v - b[i]))) : Infinity;
