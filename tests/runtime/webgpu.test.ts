/**
 * WebGPU: the same cases as on the CPU, and state that stays on the device. Skipped, with the reason, where there is no
 * adapter; tests/README.md says how to have one without a GPU.
 */
import assert from 'node:assert/strict';
import { DeviceError, DisposedError } from '../../lib/errors';
import { tensor } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { closeDevices, jit, probeDevice } from '../../lib/runtime';
import type { DeviceReport } from '../../lib/runtime';
import { casesBySubject, failuresOf, subjectOf } from '../graph/op-cases';
import type { OpCase } from '../graph/op-cases';
import { differenceBetween, furthest, train, trainingRun, trainLanguageModel } from './engines';
import { randomProgram, stepNames } from './random-programs';

const device = 'webgpu';
let report: DeviceReport;

/** What WGSL leaves to the adapter. Such a case may fail, and is then printed with the reason. */
const LIMITS: { concerns: (c: OpCase) => boolean; reason: string }[] = [
  {
    concerns: (c) => c.op === 'pow' && c.x.some((x) => /values .*-/.test(x)),
    reason: 'the logarithm of a negative number is undefined in WGSL, so it need not be NaN',
  },
];
/** WGSL allows an absolute error of 2^-11 = 5e-4 in sine and cosine; elsewhere the usual tolerance holds. */
const SINE_SCALE = 2 ** -11 / 2e-5;
const usesSine = (subject: string): boolean => /sin|cos/.test(subject);
const isHalf = (c: OpCase): boolean => c.line.includes('float16');

const say = (text: string): void => console.log(`      ${text}`);

/** Skips the suite where the device does not work, and says why. */
function needsAdapter(): void {
  before(async function () {
    report ??= await probeDevice(device);
    if (report.works) return;
    say(`skipped: no WebGPU device (${report.reason})`);
    this.skip();
  });
  after(closeDevices);
}

describe('webgpu: operations against PyTorch', () => {
  needsAdapter();
  let run = 0;
  let left = 0;

  for (const [subject, cases] of casesBySubject())
    it(`${subject} (${cases.length})`, async () => {
      const possible = report.float16 ? cases : cases.filter((c) => !isHalf(c));
      run += possible.length;
      left += cases.length - possible.length;
      const failures = await failuresOf(device, possible, usesSine(subject) ? SINE_SCALE : 1);
      const open = failures.filter((text) => {
        const limit = LIMITS.find((l) => possible.some((c) => text.startsWith(c.line) && l.concerns(c)));
        if (limit) say(`not as in PyTorch: ${text} (${limit.reason})`);
        return !limit;
      });
      assert.deepEqual(open, []);
    });

  after(() => {
    if (run) say(`${run} cases run${left ? `, ${left} float16 cases skipped: ${report.help}` : ''}`);
  });
});

describe('webgpu against cpu: random programs, values and gradients', () => {
  needsAdapter();
  stepNames.forEach((name, i) =>
    it(`that begin with ${name}`, async () => {
      const program = randomProgram(i, name);
      const difference = await differenceBetween(program, 'cpu', device);
      assert.ok(
        difference < (program.text.includes('sine') ? 5e-3 : 1e-4),
        `${program.text}: differs by ${difference}`,
      );
    }),
  );
});

describe('the webgpu device', () => {
  needsAdapter();

  it('trains as the cpu does', async () => {
    const [a, b] = [await train('cpu', 25), await train(device, 25)];
    assert.ok(furthest(a.losses, b.losses) < 1e-4, `losses ${furthest(a.losses, b.losses)} apart`);
    assert.ok(furthest(a.final, b.final) < 1e-4, `parameters ${furthest(a.final, b.final)} apart`);
  });

  it('trains a language model as the cpu does', async () => {
    const [a, b] = [await trainLanguageModel('cpu', 5), await trainLanguageModel(device, 5)];
    assert.ok(furthest(a, b) < 1e-3, `losses and norms ${furthest(a, b)} apart`);
  });

  it('keeps the state on the device, takes over what is donated, and stays flat in memory', async () => {
    const run = trainingRun(device);
    let { params } = run;
    const rss: number[] = [];
    for (let i = 0; i < 300; i++) {
      const before = params;
      const next = await run.step(params);
      params = next.params;
      assert.equal(params.w1.storage!.hostValues, null, 'a large result has no host copy');
      assert.ok(next.loss.storage!.hostValues, 'the loss comes back with the step');
      if (i === 10) await assert.rejects(before.w1.data(), DisposedError);
      if (i % 100 === 99) rss.push(process.memoryUsage().rss / 2 ** 20);
    }
    assert.ok(
      rss[2] - rss[0] < 20,
      `resident memory after 100, 200 and 300 steps: ${rss.map(Math.round).join(', ')} MiB`,
    );
  });

  it('reads state back, and uses what the host holds again', async () => {
    const n = 5000;
    const x = tensor(Float32Array.from({ length: n }, (_, i) => i));
    const f = jit((a: Tensor) => ({ twice: a.mul(2), head: a.slice([0, 3]) }), { device });
    const first = await f(x);
    assert.deepEqual(await first.head.tolist(), [0, 1, 2]);
    assert.equal((await first.twice.data())[n - 1], 2 * (n - 1));
    const second = await f(first.twice);
    assert.equal((await second.twice.data())[n - 1], 4 * (n - 1));
    first.twice.dispose();
    await assert.rejects(f(first.twice), DisposedError);
    assert.equal((await second.twice.data())[1], 4);
  });

  it('takes and returns every type, small and large', async () => {
    for (const n of [3, 5000]) {
      const f = jit(
        (a: Tensor, i: Tensor, j: Tensor, b: Tensor) => ({
          picked: a.gather(i, 0).add(a.gather(j, 0)),
          wide: i.add(1),
          narrow: j.mul(2),
          flag: b.and(a.less(2)).not(),
        }),
        { device },
      );
      const index = Array.from({ length: n }, (_, i) => (i * 7) % n);
      const a = Float32Array.from(index);
      const out = await f(
        tensor(a),
        tensor(BigInt64Array.from(index, BigInt)),
        tensor(Int32Array.from(index)),
        tensor(
          index.map((i) => i % 3 === 0),
          { dtype: 'bool' },
        ),
      );
      assert.deepEqual(
        await out.picked.data(),
        Float32Array.from(index, (i) => 2 * index[i]),
      );
      assert.deepEqual(
        await out.wide.data(),
        BigInt64Array.from(index, (i) => BigInt(i + 1)),
      );
      assert.deepEqual(
        await out.narrow.data(),
        Int32Array.from(index, (i) => 2 * i),
      );
      assert.deepEqual(
        await out.flag.data(),
        Uint8Array.from(index, (i) => (i % 3 === 0 && i < 2 ? 0 : 1)),
      );
    }
  });

  it('says so where it has no float16, and goes on', async function () {
    if (report.float16) {
      say('skipped: this adapter has float16');
      this.skip();
    }
    const f = jit((a: Tensor) => a.mul(2), { device });
    await assert.rejects(
      f(tensor([1, 2], { dtype: 'float16' })),
      (e) => e instanceof DeviceError && /no float16 arithmetic: use float32/.test(e.help),
    );
    assert.deepEqual(await (await f(tensor([1, 2]))).tolist(), [2, 4]);
  });

  it('opens again after it was closed', async () => {
    const f = jit((a: Tensor) => a.add(1), { device });
    assert.deepEqual(await (await f(tensor([1]))).tolist(), [2]);
    await closeDevices();
    const again = jit((a: Tensor) => a.add(1), { device });
    assert.deepEqual(await (await again(tensor([1]))).tolist(), [2]);
  });
});

describe('webgpu cases', () => {
  it('are those of the cpu', () => {
    const subjects = [...casesBySubject()];
    assert.ok(subjects.every(([subject, cases]) => cases.every((c) => subjectOf(c) === subject)));
    assert.ok(
      LIMITS.every((l) => subjects.some(([, cases]) => cases.some((c) => l.concerns(c)))),
      'a limit without a case',
    );
  });
});
