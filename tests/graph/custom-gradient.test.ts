/** Functions with gradients of their own, and gradients that the rules cannot give. */
import assert from 'node:assert/strict';
import { customGradient, grad, gradients, stopGradient, tensor, valueAndGrad } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { ArgumentError, ShapeError } from '../../lib/errors';
import { closeDevices, jit } from '../../lib/runtime';

/** Central differences of a scalar function of float32 tensors, entry by entry. */
async function finiteDifferences(f: (...x: Tensor[]) => Tensor, x: Tensor[], step = 1e-2): Promise<number[][]> {
  const out: number[][] = [];
  for (const [k, t] of x.entries()) {
    const values = await t.numbers();
    const slopes: number[] = [];
    for (let i = 0; i < values.length; i++) {
      const at = async (delta: number): Promise<number> => {
        const moved = tensor(
          Float32Array.from(values, (v, j) => (j === i ? v + delta : v)),
          { shape: t.shape },
        );
        return f(...x.map((other, j) => (j === k ? moved : other))).item();
      };
      slopes.push(((await at(step)) - (await at(-step))) / (2 * step));
    }
    out.push(slopes);
  }
  return out;
}

function close(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < expected.length; i++)
    assert.ok(Math.abs(actual[i] - expected[i]) <= tolerance, `entry ${i}: expected ${expected[i]}, got ${actual[i]}`);
}

describe('customGradient', () => {
  after(closeDevices);
  const a = tensor([
    [0.5, -1, 2],
    [1.5, 0.25, -0.75],
  ]);
  const b = tensor([0.3, -0.6, 1.1]);

  it('agrees with finite differences where its rule is the true one', async () => {
    const softClip = customGradient(
      (x, y) => x.mul(y).tanh(),
      (dy, y, x, z) => {
        const inner = dy.mul(y.square().neg().add(1));
        return [inner.mul(z), inner.mul(x).sum(0)];
      },
    );
    const f = (x: Tensor, y: Tensor): Tensor => softClip(x.sin(), y).mul(x).sum();
    const g = gradients(f(a, b), [a, b]);
    const expected = await finiteDifferences(f, [a, b]);
    close(await g[0].numbers(), expected[0], 2e-3);
    close(await g[1].numbers(), expected[1], 2e-3);
  });

  it('uses the given rule, not the true gradient', async () => {
    const straightThrough = customGradient(
      (x) => x.round(),
      (dy) => [dy.mul(3)],
    );
    const x = tensor([0.2, 1.7]);
    const y = straightThrough(x);
    assert.deepEqual([...(await y.numbers())], [0, 2]);
    const [g] = gradients(y.sum(), [x]);
    assert.deepEqual([...(await g.numbers())], [3, 3]);
  });

  it('passes no gradient where the rule returns null', async () => {
    const f = customGradient(
      (x, y) => x.mul(y),
      (dy, _y, _x, y) => [dy.mul(y), null],
    );
    const y = tensor([2, 3]);
    const x = tensor([5, 7]);
    const g = gradients(f(x, y).sum(), [x, y]);
    assert.deepEqual([...(await g[0].numbers())], [2, 3]);
    assert.deepEqual([...(await g[1].numbers())], [0, 0]);
  });

  it('refuses a rule with too few gradients or of another shape', () => {
    const few = customGradient(
      (x, y) => x.mul(y),
      (dy) => [dy],
    );
    assert.throws(() => gradients(few(a, a).sum(), [a]), /customGradient: expected 2 gradients.*got 1\nhelp:/s);
    const wide = customGradient(
      (x, y) => x.mul(y),
      (dy, _y, x, y) => [dy.mul(y), dy.mul(x)],
    );
    assert.throws(
      () => gradients(wide(a, b).sum(), [b]),
      (e) => e instanceof ShapeError && /shape \[3\], float32, for operand 1, got \[2, 3\]/.test(e.message),
    );
  });
});

describe('customGradient with a rule of another kind', () => {
  it('refuses no list of gradients, and a gradient of another type', () => {
    const through = (rule: (dy: Tensor) => (Tensor | null)[]) => (): Tensor =>
      grad((x: Tensor) => customGradient((t) => t.mul(2), rule)(x).sum())(tensor([1, 2]));
    assert.throws(through((() => undefined) as unknown as () => Tensor[]), /expected 1 gradients .*, got no array/);
    assert.throws(
      through((dy) => [dy.cast('float16')]),
      /expected a gradient .*float32.* got \[2\], float16/,
    );
  });
});

describe('gradients', () => {
  after(closeDevices);

  it('refuses a loss that is no scalar, and names the way out', () => {
    const x = tensor([1, 2]);
    assert.throws(
      () => gradients(x.mul(2), [x]),
      (e) => e instanceof ShapeError && /expected a scalar loss, got shape \[2\]\nhelp: .*mean/.test(e.message),
    );
  });

  it('refuses integer losses and integer parameters', () => {
    const i = tensor([1, 2], { dtype: 'int32' });
    const x = tensor([1, 2]);
    assert.throws(
      () => gradients(i.sum(), [i]),
      (e) => e instanceof ArgumentError && /float loss, got int32/.test(e.message),
    );
    assert.throws(
      () => valueAndGrad((p: { a: Tensor; n: Tensor }) => p.a.sum())({ a: x, n: i }),
      (e) => e instanceof ArgumentError && /int32 \[2\]/.test(e.message),
    );
  });

  it('refuses an arriving gradient of another shape', () => {
    const x = tensor([1, 2]);
    assert.throws(() => gradients(x.mul(2), [x], tensor([1, 2, 3])), ShapeError);
  });

  it('refuses a function that returns no loss', () => {
    const f = valueAndGrad((() => 3) as unknown as (x: Tensor) => Tensor);
    assert.throws(() => f(tensor(1)), ArgumentError);
  });

  it('gives zeros for what the loss does not depend on, and behind stopGradient', async () => {
    const x = tensor([1, 2]);
    const y = tensor([3, 4]);
    const g = gradients(x.mul(stopGradient(y)).sum(), [x, y, tensor([5])]);
    assert.deepEqual([...(await g[0].numbers())], [3, 4]);
    assert.deepEqual([...(await g[1].numbers())], [0, 0]);
    assert.deepEqual([...(await g[2].numbers())], [0]);
  });

  it('keeps the structure of the parameters and the metrics beside the loss', async () => {
    const f = valueAndGrad((p: { w: Tensor[]; b: Tensor }, x: Tensor) => {
      const y = x.mul(p.w[0]).mul(p.w[1]).add(p.b);
      return { loss: y.sum(), y };
    });
    const { value, grads } = f({ w: [tensor([2, 3]), tensor([5, 7])], b: tensor(1) }, tensor([1, 10]));
    assert.equal(await value.loss.item(), 10 + 210 + 2);
    assert.deepEqual(await value.y.tolist(), [11, 211]);
    assert.deepEqual(await grads.w[0].tolist(), [5, 70]);
    assert.deepEqual(await grads.w[1].tolist(), [2, 30]);
    assert.equal(await grads.b.item(), 2);
  });

  it('differentiates gradients: x^4 twice is 12 x^2, and a third time 24 x', async () => {
    const f = (x: Tensor): Tensor => x.square().square().sum();
    const first = grad(f);
    const second = grad((x: Tensor) => first(x).sum());
    const third = grad((x: Tensor) => second(x).sum());
    const x = tensor([1, -2]);
    assert.deepEqual(await second(x).tolist(), [12, 48]);
    assert.deepEqual(await third(x).tolist(), [24, -48]);
  });

  it('refuses parameters that are none, naming the place, and says where they belong', () => {
    const f = valueAndGrad((p: { a: Tensor; list?: unknown[] }) => p.a.sum());
    const says = (pattern: RegExp) => (e: unknown) => e instanceof ArgumentError && pattern.test(e.message);
    const ids = tensor([1], { dtype: 'int32' });
    assert.throws(() => f({ a: tensor(1), list: [ids] }), says(/int32 \[1\]\) at "list\.0"\nhelp: .*further argument/));
    assert.throws(() => f({ a: tensor(1), list: [0.5] }), says(/the number 0\.5 at "list\.0"/));
    assert.throws(() => grad(() => tensor(1))({}), says(/expected tensors in the first argument, got none/));
  });

  it('gives a tensor that stands at two places the gradient of each, traced or not', async () => {
    const w = tensor([3]);
    const g = grad((p: { a: Tensor; b: Tensor }) => p.a.mul(p.b).mul(p.b).sum());
    // a b²: b² = 9 by a, 2 a b = 18 by b
    for (const { a, b } of [g({ a: w, b: w }), await jit(g)({ a: w, b: w })])
      assert.deepEqual([await a.tolist(), await b.tolist()], [[9], [18]]);
  });

  it('reaches a tensor that was evaluated on the way', async () => {
    const x = tensor([1, 2]);
    const h = x.mul(3);
    assert.deepEqual(await h.tolist(), [3, 6]);
    const [g] = gradients(h.square().sum(), [x]);
    assert.deepEqual(await g.tolist(), [18, 36]);
  });

  it('adds up over all uses of a tensor, compiled as well', async () => {
    const f = jit((x: Tensor) => grad((t: Tensor) => t.mul(t).add(t).mul(t).sum())(x));
    // d(x^3 + x^2) = 3 x^2 + 2 x
    assert.deepEqual(await (await f(tensor([1, 2]))).tolist(), [5, 16]);
  });

  it('a graph of ten thousand operations needs no deep stack', async () => {
    const x = tensor([1]);
    let y: Tensor = x;
    for (let i = 0; i < 10000; i++) y = y.add(x);
    const [g] = gradients(y.sum(), [x]);
    assert.deepEqual(await g.tolist(), [10001]);
  });
});
