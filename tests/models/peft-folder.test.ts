/** Adapters in PEFT's layout: what of its configuration changes the result is heeded or refused. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { FormatError } from '../../lib/errors';
import { flattenTree } from '../../lib/graph';
import { llamaInit, loadPeft, mergePeft, savePeft } from '../../lib/models';
import { loraInit, Random } from '../../lib/nn';
import type { LoraConfig } from '../../lib/nn';
import { closeDevices } from '../../lib/runtime';
import { assertClose, param, valuesOf } from '../nn/golden';
import { tinyConfig } from './golden-llama';

describe('adapters as PEFT has them', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'omnilab-'));
  });
  after(async () => {
    await rm(dir, { recursive: true, force: true });
    await closeDevices();
  });

  const base = llamaInit(new Random(1, 'base'), tinyConfig);
  const lora: LoraConfig = { rank: 4, alpha: 6, targets: ['q_proj', 'down_proj'] };
  /** With every B other than zero. */
  const adapter = Object.fromEntries(
    Object.entries(loraInit(new Random(2, 'lora'), base, lora)).map(([name, { A, B }]) => [
      name,
      { A, B: param(`B.${name}`, B.shape, 0.3) },
    ]),
  );
  /** The folder with other values in its configuration. */
  const changed = async (change: Record<string, unknown>): Promise<string> => {
    await savePeft(dir, { adapter, modules: {}, lora });
    const file = path.join(dir, 'adapter_config.json');
    const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    await writeFile(file, JSON.stringify({ ...config, ...change }));
    return dir;
  };
  const merged = async (folder: string): Promise<Record<string, Float64Array>> =>
    valuesOf(flattenTree(await mergePeft(base, await loadPeft(folder))));

  it('rank-stabilized: W + alpha / sqrt(r) B A, where the usual form has alpha / r', async () => {
    const before = await valuesOf(flattenTree(base));
    const [plain, stabilized] = [await merged(await changed({})), await merged(await changed({ use_rslora: true }))];
    const name = Object.keys(plain).find((key) => key.endsWith('q_proj.weight'))!;
    const moved = (now: Record<string, Float64Array>): Float64Array => now[name].map((w, i) => w - before[name][i]);
    assert.ok(moved(plain).some((d) => Math.abs(d) > 0.01));
    assertClose(
      moved(stabilized),
      moved(plain).map((d) => d * Math.sqrt(lora.rank)),
      name,
      1e-5,
    );
  });

  it('layers named by an expression are those in the file', async () => {
    const { lora: read } = await loadPeft(await changed({ target_modules: '.*(q|down)_proj' }));
    assert.deepEqual([...read.targets].sort(), ['down_proj', 'q_proj']);
  });

  it('what it does not compute is refused by name', async () => {
    for (const change of [
      { rank_pattern: { q_proj: 2 } },
      { alpha_pattern: { down_proj: 12 } },
      { use_dora: true },
      { fan_in_fan_out: true },
      { peft_type: 'IA3' },
    ])
      await assert.rejects(
        loadPeft(await changed(change)),
        (error) => error instanceof FormatError && error.message.includes(Object.keys(change)[0]),
      );
    await loadPeft(await changed({ rank_pattern: {}, alpha_pattern: {}, use_dora: false, inference_mode: true }));
  });
});
