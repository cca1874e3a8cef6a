/** Devices: the worker, its sessions and its failures; cancellation; concurrency; reproducibility. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Worker } from 'node:worker_threads';
import { CancelledError, DeviceError, DisposedError, NonFiniteError } from '../../lib/errors';
import { gradients, tensor, zeros } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import type { Request } from '../../lib/runtime/protocol';
import { cancellable, checkFinite, closeDevices, getDevice, jit } from '../../lib/runtime';

const SIZE = 8192;
const ramp = (): Tensor => tensor(Float32Array.from({ length: SIZE }, (_, i) => i));
/** Some 20 GFLOP: long enough to look at from outside. */
const heavy = jit((x: Tensor) => {
  let y = x;
  for (let i = 0; i < 40; i++) y = y.matMul(x).mul(1e-3);
  return y.sum();
});
const matrix = (): Tensor =>
  tensor(
    Float32Array.from({ length: 640 * 640 }, (_, i) => Math.sin(i)),
    { shape: [640, 640] },
  );
const cpu = () => getDevice('cpu') as unknown as { worker: Worker; request(request: Request): Promise<unknown> };
const workerOf = (): Worker => cpu().worker;

describe('the cpu device', () => {
  after(closeDevices);

  it('leaves the event loop alive during a long run', async () => {
    const x = matrix();
    await heavy(x);
    let ticks = 0;
    const start = performance.now();
    const timer = setInterval(() => ticks++, 10);
    await heavy(x);
    clearInterval(timer);
    const elapsed = performance.now() - start;
    assert.ok(elapsed > 50, `too short to tell: ${elapsed} ms`);
    // Blocked, it would not tick once; on a busy machine it ticks seldom.
    assert.ok(ticks >= 3, `${ticks} ticks in ${elapsed.toFixed(0)} ms`);
  });

  it('answers several calls at once, each with its own result', async () => {
    const f = jit((x: Tensor, k: Tensor) => x.mul(k).sum());
    const g = jit((x: Tensor) => x.max());
    const x = ramp();
    const results = await Promise.all([
      ...[1, 2, 3, 4, 5].map(async (k) => (await f(x, k)).item()),
      (async () => (await g(x)).item())(),
      x.slice([5, 6]).mul(2).item(),
    ]);
    const sum = (SIZE * (SIZE - 1)) / 2;
    [1, 2, 3, 4, 5].forEach((k, i) => assert.ok(Math.abs(results[i] / (k * sum) - 1) < 1e-5));
    assert.deepEqual(results.slice(5), [SIZE - 1, 10]);
  });

  it('keeps a bounded number of sessions, and loads a dropped one again', async () => {
    const f = jit((x: Tensor) => x.mul(3));
    for (let n = 1; n <= 60; n++) assert.equal((await (await f(zeros([n]).add(1))).numbers())[n - 1], 3);
    const { loaded } = getDevice('cpu') as unknown as { loaded: Map<string, true> };
    assert.equal(loaded.size, 48);
    assert.deepEqual(await (await f(tensor([7]))).tolist(), [21]);
    assert.equal(loaded.size, 48);
  });

  it('two runs give the same bits, also by another worker', async () => {
    const train = async (): Promise<Float64Array> => {
      const step = jit(
        (w: Tensor, x: Tensor) => {
          const loss = x.matMul(w).gelu().matMul(w, { transB: true }).sub(x).square().mean();
          return { w: w.sub(gradients(loss, [w])[0].mul(0.1)), loss };
        },
        { donate: [0] },
      );
      let w = tensor(
        Float32Array.from({ length: 64 * 64 }, (_, i) => Math.sin(i * i) / 8),
        { shape: [64, 64] },
      );
      const x = tensor(
        Float32Array.from({ length: 256 * 64 }, (_, i) => Math.cos(i * 0.37)),
        { shape: [256, 64] },
      );
      for (let i = 0; i < 10; i++) w = (await step(w, x)).w;
      return w.numbers();
    };
    const first = await train();
    assert.ok(first.every(Number.isFinite));
    assert.deepEqual(await train(), first);
    await closeDevices();
    assert.deepEqual(await train(), first);
  });

  it('starts a new worker after one failed, and says what was lost', async () => {
    const f = jit((x: Tensor) => x.add(1));
    const kept = await f(ramp());
    const lost = await f(ramp());
    await kept.data();
    // What is no request the worker fails on, between two runs (inside of one no thread can be ended). What was sent after it is lost.
    workerOf().postMessage(null);
    const running = cpu().request({ kind: 'release', buffers: [] });
    await assert.rejects(running, (e) => e instanceof DeviceError && /worker stopped/.test(e.message));
    assert.equal((await (await f(kept)).numbers())[1], 3);
    await assert.rejects(lost.data(), (e) => e instanceof DisposedError && /worker that held them/.test(e.message));
    await assert.rejects(f(lost), DisposedError);
    assert.deepEqual(await tensor([1, 2]).add(1).tolist(), [2, 3]);
  });

  it('starts a new worker after one was ended', async () => {
    const f = jit((x: Tensor) => x.add(1));
    const lost = await f(ramp());
    await workerOf().terminate();
    await assert.rejects(lost.data(), DisposedError);
    assert.deepEqual(await tensor([1, 2]).add(1).tolist(), [2, 3]);
  });

  it('can be closed and used again; buffers of the closed one are not confused with new ones', async () => {
    const f = jit((x: Tensor) => x.mul(2));
    const old = await f(ramp());
    await closeDevices();
    const fresh = await f(tensor(new Float32Array(SIZE).fill(5)));
    assert.equal((await fresh.numbers())[1], 10);
    await assert.rejects(f(old), DisposedError);
  });

  it('can be closed during a run: the call is refused, the process lives', async () => {
    const big = tensor(new Float32Array(800 * 800).fill(1e-3), { shape: [800, 800] });
    // The session is there already, so a moment later the run has begun; it takes a good part of a second.
    await heavy(big.mul(0));
    const running = heavy(big);
    const outcome = assert.rejects(running, CancelledError);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await closeDevices();
    await outcome;
    assert.equal(await tensor([1, 2]).sum().item(), 3);
  });

  it('lets the process end by itself', async () => {
    const entry = path.join(__dirname, '../../lib/index.js');
    const script = `
      const { jit, tensor } = require(${JSON.stringify(entry)});
      jit((x) => x.mul(2))(tensor([1, 2, 3])).then(async (y) => console.log(await y.sum().item()));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { timeout: 300_000 });
    assert.equal(stdout.trim(), '12');
  });

  for (const [when, end] of [
    ['during a run', 'heavy(x).then(() => { for (let i = 0; i < 200; i++) heavy(x); setTimeout(exit, 30); })'],
    ['before its worker has started', 'heavy(x); exit()'],
    ['while its worker starts', 'heavy(x); setTimeout(exit, 60)'],
  ])
    it(`lets process.exit end it ${when}, with the code that was asked for`, async () => {
      const entry = path.join(__dirname, '../../lib/index.js');
      // A run takes a good part of a second. Those that wait for it are never begun.
      const script = `
        const { jit, tensor } = require(${JSON.stringify(entry)});
        const heavy = jit((x) => {
          let y = x;
          for (let i = 0; i < 40; i++) y = y.matMul(x).mul(1e-3);
          return y.sum();
        });
        const x = tensor(new Float32Array(640 * 640).fill(1e-3), { shape: [640, 640] });
        const exit = () => process.exit(3);
        ${end};`;
      const start = performance.now();
      const ended = await promisify(execFile)(process.execPath, ['-e', script], { timeout: 300_000 }).then(
        () => assert.fail('it ended by itself'),
        (e: unknown) => e as { code: number; signal: string | null; stderr: string },
      );
      assert.deepEqual([ended.code, ended.signal], [3, null], ended.stderr);
      // Neither all 200 runs nor the longest wait.
      assert.ok(performance.now() - start < 50_000);
    });
});

describe('cancellation', () => {
  after(closeDevices);

  it('stops a loop between two steps and leaves the device usable', async () => {
    const step = jit((x: Tensor) => x.add(1), { donate: [0], name: 'count' });
    const controller = new AbortController();
    let done = 0;
    const loop = cancellable(controller.signal, async () => {
      let x = ramp();
      for (; done < 1000; done++) {
        if (done === 3) controller.abort();
        x = await step(x);
      }
    });
    await assert.rejects(loop, (e) => e instanceof CancelledError && /^count: /.test(e.message));
    assert.equal(done, 3);
    assert.deepEqual(await tensor([1]).add(1).tolist(), [2]);
  });

  it('drops calls that wait for their turn', async () => {
    const controller = new AbortController();
    const x = matrix();
    await heavy(x);
    const calls = cancellable(controller.signal, () => [heavy(x), heavy(x), heavy(x)]);
    setTimeout(() => controller.abort(), 5);
    const results = await Promise.allSettled(calls);
    assert.equal(results[0].status, 'fulfilled');
    assert.deepEqual(
      results.slice(1).map((r) => r.status),
      ['rejected', 'rejected'],
    );
  });

  it('nests: an outer signal stops the inner work', async () => {
    const outer = new AbortController();
    const inner = new AbortController();
    outer.abort();
    await assert.rejects(
      cancellable(outer.signal, () => cancellable(inner.signal, () => tensor([1]).add(1).data())),
      CancelledError,
    );
  });
});

describe('checkFinite', () => {
  it('accepts finite metrics', () => checkFinite('stage1, step 1', { loss: 0, norm: -3.5 }));

  it('names the step and the metric', () => {
    assert.throws(
      () => checkFinite('stage2, step 120', { loss: NaN, norm: 3, kl: Infinity }),
      (e) =>
        e instanceof NonFiniteError &&
        e.where === 'stage2, step 120' &&
        /loss = NaN, kl = Infinity \(beside norm = 3\)\nhelp: lower the learning rate/.test(e.message),
    );
  });
});
