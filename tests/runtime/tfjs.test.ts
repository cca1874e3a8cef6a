/** The second engine: against PyTorch's values, against the first engine on random programs, and its own manners. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ArgumentError, CancelledError, OmniError } from '../../lib/errors';
import { tensor } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { cancellable, closeDevices, getDevice, jit } from '../../lib/runtime';
import { loadTensorFlow } from '../../lib/runtime/tfjs-library';
import { casesBySubject, failuresOf } from '../graph/op-cases';
import { differenceBetween, furthest, train, trainingRun, trainLanguageModel } from './engines';
import { randomProgram, stepNames } from './random-programs';

const device = 'tfjs';
const runtime = path.join(__dirname, '../../lib/runtime/index.js');
const graph = path.join(__dirname, '../../lib/graph/index.js');

describe('tfjs: operations against PyTorch', () => {
  after(closeDevices);
  for (const [subject, cases] of casesBySubject())
    it(`${subject} (${cases.length})`, async () => {
      assert.deepEqual(await failuresOf(device, cases), []);
    });
});

describe('tfjs against cpu: random programs, values and gradients', () => {
  after(closeDevices);
  stepNames.forEach((name, i) =>
    it(`that begin with ${name}`, async () => {
      for (const round of [0, 1, 2]) {
        const program = randomProgram(round * 1000 + i, name);
        const difference = await differenceBetween(program, 'cpu', device);
        assert.ok(difference < 1e-4, `${program.text}: differs by ${difference}`);
      }
    }),
  );
});

describe('the tfjs device', () => {
  after(closeDevices);

  it('trains as the cpu does', async () => {
    const [a, b] = [await train('cpu', 25), await train(device, 25)];
    assert.ok(furthest(a.losses, b.losses) < 1e-4, `losses ${furthest(a.losses, b.losses)} apart`);
    assert.ok(furthest(a.final, b.final) < 1e-4, `parameters ${furthest(a.final, b.final)} apart`);
    assert.ok(b.losses[24] < b.losses[0] * 0.9, `the loss went from ${b.losses[0]} to ${b.losses[24]}`);
  });

  it('trains a language model as the cpu does', async () => {
    const [a, b] = [await trainLanguageModel('cpu', 5), await trainLanguageModel(device, 5)];
    assert.ok(furthest(a, b) < 1e-4, `losses and norms ${furthest(a, b)} apart`);
  });

  it('keeps nothing between calls', async () => {
    const run = trainingRun(device);
    let { params } = run;
    const held: number[] = [];
    for (let i = 0; i < 5; i++) {
      params = (await run.step(params)).params;
      held.push(loadTensorFlow().tf.memory().numTensors);
    }
    assert.deepEqual(new Set(held), new Set([held[0]]));
  });

  it('frees what it made when an operation fails', async () => {
    const pick = jit((x: Tensor, i: Tensor) => x.mul(2).gather(i, 0).add(1), { device });
    const x = tensor([1, 2, 3]);
    await pick(x, tensor(Int32Array.of(0)));
    const before = loadTensorFlow().tf.memory().numTensors;
    await assert.rejects(pick(x, tensor(Int32Array.of(3))), /expected an index in \[-3, 2\], got 3/);
    assert.equal(loadTensorFlow().tf.memory().numTensors, before);
  });

  it('computes integers exactly, and wraps int32 around', async () => {
    const product = jit((a: Tensor, b: Tensor) => a.mul(b), { device });
    const [a, b] = [Int32Array.of(123456789, -7, 2 ** 30), Int32Array.of(987654321, 3, 2)];
    const expected = a.map((v, i) => Math.imul(v, b[i]));
    assert.deepEqual(await (await product(tensor(a), tensor(b))).data(), expected);
  });

  it('refuses to divide integers by zero, as the cpu does', async () => {
    const ints = (...values: number[]): Tensor => tensor(Int32Array.from(values));
    for (const where of [device, 'cpu'])
      for (const op of ['div', 'mod'] as const) {
        const f = jit((a: Tensor, b: Tensor) => a[op](b), { device: where });
        assert.deepEqual(
          await (await f(ints(7, 8), ints(2, 3))).data(),
          Int32Array.from(op === 'div' ? [3, 2] : [1, 2]),
        );
        await assert.rejects(
          f(ints(7, 8), ints(2, 0)),
          (e) => e instanceof OmniError && /integers cannot be divided by zero/.test(e.help),
          `${op} on ${where}`,
        );
      }
  });

  it('refuses an int64 that it cannot hold', async () => {
    const double = jit((a: Tensor) => a.add(a), { device });
    assert.deepEqual(await (await double(tensor(BigInt64Array.of(5n)))).data(), BigInt64Array.of(10n));
    for (const value of [2n ** 31n, 2n ** 30n])
      await assert.rejects(
        double(tensor(BigInt64Array.of(value))),
        (e) => e instanceof ArgumentError && /expected an int64 between -2\^31 and 2\^31 - 1/.test(e.message),
      );
  });

  it('rounds float16 after each operation', async () => {
    const sum = jit((a: Tensor, b: Tensor) => a.add(b).sub(a), { device });
    const half = (v: number): Tensor => tensor([v], { dtype: 'float16' });
    // 2048 + 1 is not a half-precision number and rounds to 2048.
    assert.deepEqual(await (await sum(half(2048), half(1))).tolist(), [0]);
    assert.deepEqual(await (await sum(half(2048), half(2))).tolist(), [2]);
  });

  it('works on more than six axes', async () => {
    const shape = [2, 1, 3, 2, 1, 2, 2, 2];
    const x = tensor(
      Float32Array.from({ length: 96 }, (_, i) => i),
      { shape },
    );
    const turn = (a: Tensor): Tensor =>
      a
        .transpose([7, 2, 0, 1, 5, 3, 6, 4])
        .expand([2, 3, 2, 2, 2, 2, 2, 1])
        .slice([1, 2], null, [1, null, -1])
        .sum([3, 5]);
    const [here, there] = await Promise.all(
      [device, 'cpu'].map(async (d) => (await jit(turn, { device: d })(x)).tolist()),
    );
    assert.deepEqual(here, there);
  });

  it('stops between steps when cancelled', async () => {
    const double = jit((a: Tensor) => a.add(a), { device });
    await double(tensor([1]));
    await assert.rejects(
      cancellable(AbortSignal.abort(), () => double(tensor([1]))),
      CancelledError,
    );
  });

  it('names a program by what it computes', () => {
    const hash = (f: (a: Tensor) => Tensor): string => jit(f, { device }).lower(tensor([1, 2])).executable.hash;
    assert.equal(
      hash((a) => a.add(1)),
      hash((a) => a.add(1)),
    );
    assert.notEqual(
      hash((a) => a.add(1)),
      hash((a) => a.add(2)),
    );
    assert.notEqual(
      hash((a) => a.sum()),
      hash((a) => a.sum(0, true)),
    );
    assert.equal(getDevice(device).name, device);
  });
});

describe('the package without tfjs', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'omnilab-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const use = `const { jit } = require(${JSON.stringify(runtime)}); const { tensor } = require(${JSON.stringify(graph)});
    const run = async () => (await (await jit((a) => a.add(1), { device: 'tfjs' })(tensor([1]))).tolist()).join();`;

  it('does not load it before the device is used, and is quiet when it is', () => {
    const script = `${use}
      const loaded = () => Object.keys(require.cache).some((f) => f.includes('@tensorflow'));
      const before = loaded();
      run().then((y) => console.log(before, y, loaded()));`;
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
    assert.deepEqual([stdout.trim(), stderr], ['false 2 true', '']);
  });

  it('says what to install where it is absent', () => {
    const hide = path.join(folder, 'hide.cjs');
    writeFileSync(
      hide,
      `const Module = require('node:module');
       const resolve = Module._resolveFilename;
       Module._resolveFilename = function (name, ...rest) {
         if (name.startsWith('@tensorflow/'))
           throw Object.assign(new Error('Cannot find module ' + name), { code: 'MODULE_NOT_FOUND' });
         return resolve.call(this, name, ...rest);
       };`,
    );
    const script = `${use} run().catch((e) => console.log(e.name + '|' + e.message));`;
    const stdout = execFileSync(process.execPath, ['-r', hide, '-e', script], { encoding: 'utf8' });
    assert.match(
      stdout,
      /^MissingPackageError\|device tfjs: the optional package "@tensorflow\/tfjs" is not installed/,
    );
    assert.match(stdout, /help: run: npm install @tensorflow\/tfjs/);
  });
});
