/** A training with a folder of its own: it goes on after an interruption, and ends as the straight one. */
import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CancelledError, OmniError } from '../../lib/errors';
import { llamaSizes } from '../../lib/models';
import { folderContext } from '../../lib/pipeline';
import type { FolderContext } from '../../lib/pipeline';
import { closeDevices } from '../../lib/runtime';
import { optimizerSchema, pretrain, toHost } from '../../lib/trainers';
import type { TrainContext } from '../../lib/trainers';

describe('a folder for one training', () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'omnilab-'));
  });
  after(async () => {
    await rm(root, { recursive: true, force: true });
    await closeDevices();
  });

  const corpus = Array.from({ length: 24 }, (_, i) => {
    const ids = Array.from({ length: 12 }, (_, t) => (i + 3 * t) % 32);
    return { ids, mask: ids.map(() => 1) };
  });
  const optimizer = optimizerSchema.parse({ learningRate: 3e-3, batchSize: 4, steps: 12, checkpointEvery: 4 });
  const model = { ...llamaSizes.nano, vocabSize: 32 };
  const train = async (context: TrainContext): Promise<unknown> =>
    toHost(await pretrain(context, { model, optimizer, corpus, validation: corpus.slice(0, 4), seed: 3 }));
  /** Stops after so many steps, as a killed process would. */
  const dying = (context: FolderContext, steps: number): TrainContext => ({
    ...context,
    log: (step, metrics) => {
      if (step > steps) throw new CancelledError('test', 'stopped', 'go on');
      context.log(step, metrics);
    },
  });
  const quiet = { onMessage: () => undefined };

  it('goes on from the last checkpoint, or the one before a damaged one, to the same end', async () => {
    const whole = await folderContext(path.join(root, 'straight'), quiet);
    const wanted = await train(whole);
    whole.close();

    const dir = path.join(root, 'stopped');
    for (const [steps, damage] of [
      [2, false],
      [6, false],
      [10, true],
    ] as const) {
      const context = await folderContext(dir, quiet);
      await assert.rejects(train(dying(context, steps)), CancelledError);
      context.close();
      const checkpoints = (await readdir(path.join(dir, 'checkpoints')).catch(() => [])).sort();
      assert.equal(checkpoints.length, Math.floor(steps / 4), `after ${steps} steps`);
      if (damage) await appendFile(path.join(dir, 'checkpoints', checkpoints.at(-1)!, 'tensors.safetensors'), 'x');
    }
    const said: string[] = [];
    const last = await folderContext(dir, { onMessage: (text) => said.push(text) });
    assert.equal((await last.checkpoint.latest())?.step, 4);
    assert.match(said.join(), /step-0000000008 is damaged/);
    assert.deepEqual(await train(last), wanted);
    assert.deepEqual(last.rows(), whole.rows());
    last.close();
  });

  it('has one training at a time, and says why it cannot be written', async () => {
    const dir = path.join(root, 'shared');
    const first = await folderContext(dir, quiet);
    let second: Promise<FolderContext> | undefined;
    const told = await new Promise<string>((resolve) => {
      second = folderContext(dir, { onMessage: resolve });
    });
    assert.match(told, /this process has it open already; waiting until close\(\)/);
    first.close();
    (await second!).close();
    await assert.rejects(folderContext(path.join('/dev/null', 'x'), quiet), OmniError);
  });
});
