/** Devices that are absent or broken: named errors, and probing that survives whatever the driver does. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DeviceError } from '../../lib/errors';
import { tensor } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { closeDevices, getDevice, jit, probeDevice, probeDevices } from '../../lib/runtime';

describe('probing devices', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'omnilab-'));
  const before = process.env.NODE_OPTIONS;
  /** Has every child process run this first. */
  const inChildren = (source: string): void => {
    const file = path.join(folder, 'first.cjs');
    writeFileSync(file, source);
    process.env.NODE_OPTIONS = `${before ?? ''} --require ${JSON.stringify(file)}`;
  };
  afterEach(() => {
    if (before === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = before;
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('finds cpu and tfjs, and a reason with advice for whatever does not work', async () => {
    const reports = await probeDevices();
    assert.deepEqual(
      reports.map((r) => r.name),
      ['cpu', 'webgpu', 'cuda:0', 'tfjs'],
    );
    for (const report of reports) {
      if (['cpu', 'tfjs'].includes(report.name)) assert.ok(report.works && report.float16, JSON.stringify(report));
      if (!report.works) assert.ok(report.reason && report.help, JSON.stringify(report));
    }
  });

  it('outlives a crash of the native code', async () => {
    inChildren("process.kill(process.pid, 'SIGSEGV')");
    const report = await probeDevice('cpu');
    assert.equal(report.works, false);
    assert.match(report.reason!, /ended with signal SIGSEGV/);
  });

  it('outlives a driver that hangs', async () => {
    inChildren('while (true);');
    const report = await probeDevice('cpu', 300);
    assert.equal(report.works, false);
    assert.match(report.reason!, /no answer in 0\.3 s/);
  });

  it('reads its report among what drivers print', async () => {
    inChildren("console.log('libvulkan: hello'); console.error('warning')");
    assert.equal((await probeDevice('cpu')).works, true);
  });

  it('reports an unknown device', async () => {
    const report = await probeDevice('tpu');
    assert.deepEqual([report.works, report.reason], [false, 'expected cpu, webgpu, cuda:N or tfjs, got "tpu"']);
  });
});

describe('devices that are not there', () => {
  after(closeDevices);

  it('an unknown name is an error that lists the known ones', () => {
    for (const name of ['gpu', 'cuda', 'cuda:', 'CPU', 'tfjs2', ''])
      assert.throws(
        () => getDevice(name),
        (e) => e instanceof DeviceError && /expected cpu, webgpu, cuda:N or tfjs/.test(e.message),
      );
  });

  for (const [name, help] of [
    ['cuda:0', /help: CUDA needs an NVIDIA driver.*onnxruntime-node.*or use device cpu/],
    ['webgpu', /help: WebGPU needs a Vulkan, Metal or D3D12 driver.*or use device cpu/],
  ] as const)
    it(`${name} is refused with what it needs, and another device then works`, async function () {
      const report = await probeDevice(name);
      if (report.works) {
        console.log(`      skipped: this machine has ${name}`);
        this.skip();
      }
      const double = (device: string): Promise<Tensor> => jit((a: Tensor) => a.mul(2), { device })(tensor([1, 2]));
      for (const again of [1, 2])
        await assert.rejects(
          double(name),
          (e) => e instanceof DeviceError && e.where === `device ${name}` && help.test(e.message),
          `call ${again}`,
        );
      assert.deepEqual(await (await double('cpu')).tolist(), [2, 4]);
    });
});
