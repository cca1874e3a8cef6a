/** Compiled functions: tracing and its cache, structure of arguments and results, donation, captured tensors. */
import assert from 'node:assert/strict';
import { ArgumentError, DeviceError, DisposedError, ShapeError } from '../../lib/errors';
import { arange, tensor, zeros } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { closeDevices, getDevice, jit } from '../../lib/runtime';

/** Large enough to stay on the device. */
const SIZE = 8192;
const ramp = (scale = 1): Tensor => tensor(Float32Array.from({ length: SIZE }, (_, i) => i * scale));

describe('jit', () => {
  after(closeDevices);

  it('traces once for each combination of shapes, types, structure and fixed values', async () => {
    let traces = 0;
    const f = jit((x: Tensor, o: { mode: string; flag?: boolean; list?: Tensor[] }) => {
      traces++;
      const y = o.mode === 'double' ? x.mul(2) : x.add(o.flag ? 100 : 10);
      return (o.list ?? []).reduce((a, b) => a.add(b), y);
    });
    const run = async (x: Tensor, o: Parameters<typeof f>[1]): Promise<unknown> => (await f(x, o)).tolist();
    assert.deepEqual(await run(tensor([1, 2]), { mode: 'double' }), [2, 4]);
    assert.deepEqual(await run(tensor([3, 4]), { mode: 'double' }), [6, 8]);
    assert.equal(traces, 1);
    assert.deepEqual(await run(tensor([3]), { mode: 'double' }), [6]);
    assert.equal(traces, 2);
    assert.deepEqual(await run(tensor([3], { dtype: 'int32' }), { mode: 'double' }), [6]);
    assert.equal(traces, 3);
    assert.deepEqual(await run(tensor([3]), { mode: 'shift' }), [13]);
    assert.deepEqual(await run(tensor([3]), { mode: 'shift', flag: true }), [103]);
    assert.equal(traces, 5);
    assert.deepEqual(await run(tensor([3]), { mode: 'shift', list: [] }), [13]);
    assert.deepEqual(await run(tensor([3]), { mode: 'shift', list: [tensor([5])] }), [18]);
    assert.equal(traces, 7);
    assert.deepEqual(await run(tensor([4]), { mode: 'shift', list: [tensor([6])] }), [20]);
    assert.equal(traces, 7);
  });

  it('tells apart {a, b: []} and {a}, and arrays from objects', async () => {
    const f = jit((o: object) => tensor(Array.isArray(o) ? 1 : Object.keys(o).length + 1));
    assert.equal(await (await f({ a: tensor(1), b: [] })).item(), 3);
    assert.equal(await (await f({ a: tensor(1) })).item(), 2);
    assert.equal(await (await f([tensor(1)])).item(), 1);
    assert.equal(await (await f({ 0: tensor(1) })).item(), 2);
  });

  it('takes numbers as operands without a new trace', async () => {
    let traces = 0;
    const f = jit((x: Tensor, scale: Tensor) => {
      traces++;
      return x.mul(scale);
    });
    assert.deepEqual(await (await f(tensor([1, 2]), 3)).tolist(), [3, 6]);
    assert.deepEqual(await (await f(tensor([1, 2]), -0.5)).tolist(), [-0.5, -1]);
    assert.equal(traces, 1);
  });

  it('returns the tree that the function returned, arguments and constants in it included', async () => {
    const f = jit((p: { a: Tensor; b: Tensor[] }) => ({
      twice: p.b.map((t) => t.mul(2)),
      same: p.a,
      again: [p.a, p.a.add(0.5)],
      note: 'text',
      none: null,
      one: 1,
    }));
    const a = tensor([1, 2]);
    const out = await f({ a, b: [tensor([3]), tensor([4])] });
    assert.deepEqual(await Promise.all(out.twice.map((t) => t.tolist())), [[6], [8]]);
    assert.deepEqual(await out.same.tolist(), [1, 2]);
    assert.deepEqual(await out.again[0].tolist(), [1, 2]);
    assert.deepEqual(await out.again[1].tolist(), [1.5, 2.5]);
    assert.equal(out.note, 'text');
    assert.equal(out.none, null);
    assert.equal(await (out.one as unknown as Tensor).item(), 1);
  });

  it('runs nothing where everything is passed through', async () => {
    const a = tensor([1]);
    const out = await jit((x: Tensor) => [x, x])(a);
    assert.deepEqual(await out[1].tolist(), [1]);
  });

  it('becomes part of another compiled function', async () => {
    const inner = jit((x: Tensor, k: Tensor) => x.mul(k).add(1));
    const outer = jit((x: Tensor) => {
      const y = inner(x, 3) as unknown as Tensor;
      return inner.fn(y, y);
    });
    // y = 3 x + 1; y y + 1
    assert.deepEqual(await (await outer(tensor([1, 2]))).tolist(), [17, 50]);
    assert.equal(outer.lower(tensor([1, 2])).program.inputs.length, 1);
  });

  it('uses tensors from outside, small and large, and notices when one has gone', async () => {
    const small = tensor([10, 20]);
    const large = ramp();
    const lazy = small.mul(2);
    const f = jit((x: Tensor) =>
      x
        .add(small)
        .add(large.slice([1, 3]))
        .add(lazy),
    );
    assert.deepEqual(await (await f(tensor([0, 0]))).tolist(), [31, 62]);
    assert.deepEqual(await (await f(tensor([100, 0]))).tolist(), [131, 62]);
    large.dispose();
    await assert.rejects(f(tensor([0, 0])), DisposedError);
  });

  it('refuses async functions, foreign arguments and foreign results', async () => {
    const slow = jit(((x: Tensor) => Promise.resolve(x.mul(2))) as unknown as (x: Tensor) => Tensor);
    await assert.rejects(slow(tensor(1)), (e) => e instanceof ArgumentError && /promise/.test(e.message));
    // Its own failure, which comes later, must not reach the process as a rejection that nobody handles.
    const awaits = jit((async (x: Tensor) => x.mul(await x.item())) as unknown as (x: Tensor) => Tensor);
    await assert.rejects(awaits(tensor(1)), (e) => e instanceof ArgumentError && /promise/.test(e.message));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const f = jit((x: Tensor, o: unknown) => (o ? x : x.neg()));
    await assert.rejects(
      f(tensor(1), { at: { here: new Float32Array(2) } }),
      (e) => e instanceof ArgumentError && /1\.at\.here/.test(e.message) && /tensor\(/.test(e.message),
    );
    const g = jit((x: Tensor) => ({ x, when: new Date() }));
    await assert.rejects(g(tensor(1)), (e) => e instanceof ArgumentError && /"when"/.test(e.message));
  });

  it('a function that fails to trace leaves no trace behind', async () => {
    let fail = true;
    const f = jit((x: Tensor) => {
      if (fail) throw new Error('not yet');
      return x.neg();
    });
    await assert.rejects(f(tensor(1)), /not yet/);
    fail = false;
    assert.equal(await (await f(tensor(1))).item(), -1);
    // The nesting depth was restored: this call still compiles.
    assert.ok(jit((x: Tensor) => x.neg())(tensor(1)) instanceof Promise);
  });

  it('a placeholder that escaped from a trace is refused with advice', async () => {
    let escaped: Tensor | null = null;
    await jit((x: Tensor) => (escaped = x.mul(2)))(tensor(1));
    await assert.rejects(escaped!.add(1).data(), (e) => e instanceof ArgumentError && /another trace/.test(e.message));
  });

  it('says of a disposed tensor what to do, and of a donated one something else', async () => {
    const disposed = tensor([1, 2]);
    const waiting = disposed.add(1);
    disposed.dispose();
    for (const use of [() => disposed.data(), () => waiting.data()])
      await assert.rejects(
        use,
        (e) => e instanceof DisposedError && /disposed/.test(e.what) && /dispose\(\)/.test(e.help),
      );
    const donated = tensor([1, 2]);
    await jit((x: Tensor) => x.add(1), { donate: [0] })(donated);
    await assert.rejects(
      donated.data(),
      (e) =>
        e instanceof DisposedError && /donated/.test(e.what) && /donates/.test(e.help) && !/dispose\(\)/.test(e.help),
    );
  });

  it('values cannot be read while a function is traced, and the error says so', async () => {
    let read: Promise<number> | undefined;
    await jit((x: Tensor) => {
      read = x.sum().item();
      read.catch(() => undefined);
      return x.neg();
    })(tensor([1, 2]));
    await assert.rejects(read!, (e) => e instanceof ArgumentError && /\.item\(\)/.test(e.help));
  });

  it('refuses an unknown device', async () => {
    assert.throws(
      () => getDevice('gpu7'),
      (e) => e instanceof DeviceError && /got "gpu7"/.test(e.message),
    );
    await assert.rejects(jit((x: Tensor) => x.neg(), { device: 'cpu:x' })(tensor(1)), DeviceError);
  });

  it('gives the same program and hash for the same function', () => {
    const make = (): string =>
      jit((x: Tensor) => x.softmax().matMul(x.transpose())).lower(zeros([3, 4])).executable.hash;
    assert.equal(make(), make());
  });
});

describe('donation', () => {
  after(closeDevices);

  it('leaves the state on the device and ends the old handle', async () => {
    const step = jit((s: { w: Tensor; n: Tensor }, x: Tensor) => ({ w: s.w.add(x), n: s.n.add(1) }), { donate: [0] });
    let state = { w: ramp(), n: tensor(0) };
    for (let i = 0; i < 5; i++) {
      const before = state;
      state = await step(state, 2);
      assert.equal(state.w.storage!.hostValues, null);
      assert.equal(state.w.storage!.residents.size, 1);
      await assert.rejects(before.w.data(), (e) => e instanceof DisposedError && /donated to/.test(e.message));
      assert.throws(() => before.n.add(1), DisposedError);
    }
    assert.equal(await state.n.item(), 5);
    const w = await state.w.numbers();
    assert.equal(w[SIZE - 1], SIZE - 1 + 10);
  });

  it('keeps a donated argument that is passed through', async () => {
    const step = jit((s: { frozen: Tensor; w: Tensor }) => ({ frozen: s.frozen, w: s.w.add(s.frozen) }), {
      donate: [0],
    });
    let state = { frozen: ramp(), w: zeros([SIZE]) };
    state = await step(state);
    const old = state.frozen;
    state = await step(state);
    await assert.rejects(old.data(), DisposedError);
    assert.equal((await state.w.numbers())[3], 6);
    assert.equal((await state.frozen.numbers())[3], 3);
  });

  it('keeps the state when a step fails', async () => {
    const step = jit((w: Tensor, i: Tensor) => w.add(w.gather(i).sum()), { donate: [0] });
    const w = ramp();
    // A first good step puts it on the device.
    const next = await step(w, tensor([1], { dtype: 'int32' }));
    await assert.rejects(step(next, tensor([SIZE * 3], { dtype: 'int32' })), (e) => {
      assert.ok(e instanceof DeviceError);
      assert.match(e.message, /inputs: /);
      assert.match(e.message, /help: an index is larger than its axis/);
      return true;
    });
    assert.equal((await next.numbers())[1], 2);
    const after = await step(next, tensor([0], { dtype: 'int32' }));
    assert.equal((await after.numbers())[1], 3);
  });

  it('a second call that was queued with donated arguments is refused', async () => {
    // Large state lies on the device, small state has a copy here as well.
    for (const device of ['cpu', 'tfjs'])
      for (const start of [ramp(), tensor([1, 2])]) {
        const step = jit((w: Tensor) => w.add(1), { donate: [0], device });
        const w = await step(start);
        const [first, second] = await Promise.allSettled([step(w), step(w)]);
        assert.equal(first.status, 'fulfilled');
        assert.equal(second.status, 'rejected');
        assert.ok(second.reason instanceof DisposedError);
      }
  });

  it('refuses disposed tensors at once', () => {
    const x = tensor([1, 2]);
    x.dispose();
    x.dispose();
    assert.throws(
      () => x.add(1),
      (e) => e instanceof DisposedError && /disposed/.test(e.message),
    );
  });

  it('memory stays flat over 200 steps of 8 MB of state', async () => {
    const n = 1 << 20;
    const step = jit((s: Tensor[], x: Tensor) => s.map((t) => t.mul(0.5).add(x)), { donate: [0] });
    let state = [zeros([n]), zeros([n])];
    const rss: number[] = [];
    for (let i = 0; i < 200; i++) {
      state = await step(state, 1);
      if (i === 40 || i === 199) rss.push(process.memoryUsage().rss / 2 ** 20);
    }
    assert.ok(rss[1] - rss[0] < 64, `grew from ${rss[0].toFixed(0)} to ${rss[1].toFixed(0)} MB`);
    assert.ok(Math.abs((await state[0].numbers())[5] - 2) < 1e-6);
  });

  it('results that nobody keeps are collected by their size on the device', async () => {
    const n = 4 << 20;
    const f = jit((x: Tensor) => x.expand([n]));
    const before = process.memoryUsage().rss / 2 ** 20;
    // 150 results of 16 MB: 2.4 GB, were they all kept.
    for (let i = 0; i < 150; i++) await f(i);
    const grown = process.memoryUsage().rss / 2 ** 20 - before;
    assert.ok(grown < 1000, `grew by ${grown.toFixed(0)} MB`);
  });
});

describe('expressions', () => {
  after(closeDevices);

  it('are evaluated when asked for, once', async () => {
    const x = tensor([1, 2, 3]);
    const y = x.mul(2).sum();
    assert.equal(y.storage, null);
    assert.equal(await y.item(), 12);
    const { storage } = y;
    assert.ok(storage);
    assert.equal(await y.item(), 12);
    assert.equal(y.storage, storage);
    assert.match(String(y), /Tensor\(float32 \[\]\)/);
  });

  it('of the same form share a session, whatever their values', async () => {
    const { loaded } = getDevice('cpu') as unknown as { loaded: Map<string, true> };
    await tensor([0, 1]).mul(tensor(2)).data();
    const before = loaded.size;
    for (let i = 1; i < 5; i++) assert.deepEqual(await tensor([i, 1]).mul(tensor(i)).tolist(), [i * i, i]);
    assert.equal(loaded.size, before);
  });

  it('give every type back', async () => {
    assert.deepEqual(
      await tensor([[true, false]])
        .not()
        .tolist(),
      [[false, true]],
    );
    assert.deepEqual(await tensor([1, 2], { dtype: 'int64' }).add(1).data(), new BigInt64Array([2n, 3n]));
    assert.deepEqual(await tensor([1.5], { dtype: 'float16' }).add(1).tolist(), [2.5]);
    assert.deepEqual(await zeros([0, 2]).tolist(), []);
    assert.deepEqual(await zeros([2, 0]).tolist(), [[], []]);
    assert.deepEqual(
      await tensor(new BigInt64Array([2n ** 60n + 1n]), { shape: [] })
        .add(tensor(1, { dtype: 'int64' }))
        .data(),
      new BigInt64Array([2n ** 60n + 2n]),
    );
  });

  it('refuse wrong values', async () => {
    assert.throws(() => tensor([[1], [1, 2]]), ShapeError);
    assert.throws(() => tensor([1.5], { dtype: 'int32' }), ArgumentError);
    assert.throws(() => tensor([1.5], { dtype: 'int64' }), ArgumentError);
    assert.throws(() => tensor(new Uint8Array([3])), ArgumentError);
    assert.throws(() => tensor(new Float32Array(3), { shape: [2] }), ShapeError);
    assert.throws(() => tensor(new Float32Array(3), { dtype: 'int32' }), ArgumentError);
    await assert.rejects(tensor([1, 2]).item(), ShapeError);
  });

  it('refuse what is no tensor, number or element type, as JavaScript may pass', () => {
    const x = tensor([1]);
    const text = 'x' as unknown as number;
    const says = (pattern: RegExp) => (e: unknown) => e instanceof ArgumentError && pattern.test(e.message);
    assert.throws(() => x.add(text), says(/a tensor or a number as operand, got \[object String\]/));
    assert.throws(() => x.mul(undefined as unknown as number), says(/got undefined/));
    const whole = (2n ** 60n) as unknown as number;
    assert.throws(() => tensor([whole]), says(/got 1152921504606846976n\nhelp: .*BigInt64Array/));
    assert.throws(() => tensor(text), says(/nested arrays of them, got "x"/));
    assert.throws(() => tensor([1, null as unknown as number]), says(/got null/));
    assert.throws(
      () => tensor(new Float64Array(2) as unknown as Float32Array),
      says(/got a Float64Array\nhelp: .*Float32Array\.from/),
    );
    assert.throws(() => tensor([1], { dtype: 'float64' as 'float32' }), says(/among float32, .* got "float64"/));
    assert.throws(() => x.cast('float64' as 'float32'), says(/cast: .*"float64"/));
    assert.throws(() => arange(2.5), ShapeError);
    assert.throws(() => arange(-1), ShapeError);
  });
});
