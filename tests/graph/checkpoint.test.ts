/** checkpoint: the same numbers, less memory. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { checkpoint, gradients, tensor, valueAndGrad } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { closeDevices, jit } from '../../lib/runtime';

describe('checkpoint', () => {
  after(closeDevices);
  const weights = [0.3, -0.7, 1.1].map((s) =>
    tensor(
      Float32Array.from({ length: 16 }, (_, i) => s * Math.sin(i + s)),
      { shape: [4, 4] },
    ),
  );
  const x = tensor(
    Float32Array.from({ length: 8 }, (_, i) => Math.cos(i)),
    { shape: [2, 4] },
  );
  const layer = (h: Tensor, w: Tensor): Tensor => h.add(h.matMul(w).gelu());

  async function lossAndGrads(
    wrap: (f: (h: Tensor, w: Tensor) => Tensor) => (h: Tensor, w: Tensor) => Tensor,
  ): Promise<number[][]> {
    const step = jit((ws: Tensor[], input: Tensor) => {
      const body = wrap(layer);
      const loss = ws
        .reduce((h, w) => body(h, w), input)
        .square()
        .mean();
      return [loss, ...gradients(loss, [...ws, input])];
    });
    return Promise.all((await step(weights, x)).map(async (t) => [...(await t.numbers())]));
  }

  it('gives the same loss and gradients', async () => {
    const plain = await lossAndGrads((f) => f);
    assert.ok(plain[1].some((v) => Math.abs(v) > 1e-3));
    assert.deepEqual(await lossAndGrads((f) => checkpoint(f)), plain);
  });

  it('can be nested', async () => {
    const plain = await lossAndGrads((f) => f);
    const nested = await lossAndGrads((f) => {
      const inner = checkpoint(f);
      return checkpoint((h, w) =>
        inner(inner(h, w).sub(f(h, w)).add(h), w)
          .add(f(h, w))
          .sub(inner(h, w))
          .sub(inner(h, w))
          .add(inner(h, w)),
      );
    });
    // inner(h, w) - f(h, w) = 0, so that the whole is f(h, w) again, up to rounding.
    plain.forEach((list, i) =>
      list.forEach((v, j) => assert.ok(Math.abs(v - nested[i][j]) < 1e-5, `${i},${j}: ${v} and ${nested[i][j]}`)),
    );
  });

  it('differentiates what the function uses from outside', async () => {
    const w = weights[0];
    const f =
      (wrap: boolean) =>
      (p: { w: Tensor }): Tensor => {
        const body = (h: Tensor): Tensor => h.matMul(p.w).tanh();
        return (wrap ? checkpoint(body) : body)(x.mul(2)).sum();
      };
    const expected = await valueAndGrad(f(false))({ w }).grads.w.tolist();
    assert.deepEqual(await valueAndGrad(f(true))({ w }).grads.w.tolist(), expected);
  });

  it('computes again in the backward pass, and the program keeps the recomputation apart', () => {
    const count = (body: (h: Tensor, w: Tensor) => Tensor): number =>
      jit((ws: Tensor[], input: Tensor) => {
        const loss = ws.reduce((h, w) => body(h, w), input).sum();
        return gradients(loss, ws);
      })
        .lower(weights, x)
        .program.nodes.filter((n) => n.op === 'erf').length;
    // Two of the forward pass (the last layer's result is asked for by nothing), three again.
    assert.equal(count(layer), 3);
    assert.equal(count(checkpoint(layer)), 5);
  });

  it('lowers the peak memory of a chain of twelve layers', () => {
    const run = (variant: string): { loss: number; norm: number; growth: number } => {
      const out = execFileSync(process.execPath, [path.join(__dirname, 'checkpoint-memory.js'), variant], {
        env: { ...process.env, OMNILAB_THREADS: '1' },
        encoding: 'utf8',
      });
      const { loss, norm, baseMB, peakMB } = JSON.parse(out) as Record<string, number>;
      return { loss, norm, growth: peakMB - baseMB };
    };
    const plain = run('plain');
    const saved = run('checkpointed');
    assert.equal(saved.loss, plain.loss);
    assert.ok(Math.abs(saved.norm - plain.norm) < 1e-4 * plain.norm);
    // 12 layers with about 4 kept results of 8 MB each, against one each.
    assert.ok(plain.growth > 300, `plain: ${plain.growth.toFixed(0)} MB`);
    assert.ok(
      saved.growth < 0.5 * plain.growth,
      `checkpointed ${saved.growth.toFixed(0)} MB, plain ${plain.growth.toFixed(0)} MB`,
    );
  });
});
