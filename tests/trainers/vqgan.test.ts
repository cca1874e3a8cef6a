/** Training of the image tokenizer: what is learnt, what is logged, and that a resumed run equals a straight one. */
import assert from 'node:assert/strict';
import { CancelledError } from '../../lib/errors';
import { tensor } from '../../lib/graph';
import { vqganSizes } from '../../lib/models';
import { Random } from '../../lib/nn';
import { closeDevices } from '../../lib/runtime';
import { codeUsage, memoryContext, optimizerSchema, toHost, trainVqgan } from '../../lib/trainers';
import type { TrainContext, VqganOptions } from '../../lib/trainers';

describe('training an image tokenizer', () => {
  after(closeDevices);

  const model = vqganSizes.nano;
  const size = model.inChannels * model.resolution ** 2;
  /** Pictures of one shade each, of four; which ones depends on the step alone. */
  const batch = (i: number): Float32Array => {
    const out = new Float32Array(8 * size);
    const random = new Random(i, 'shades');
    for (let k = 0; k < 8; k++) out.fill(-0.75 + 0.5 * random.int(4), k * size, (k + 1) * size);
    return out;
  };
  const options = (steps: number): VqganOptions => ({
    model,
    optimizer: optimizerSchema.parse({
      learningRate: 5e-3,
      batchSize: 8,
      steps,
      schedule: 'constant',
      checkpointEvery: 4,
    }),
    batch,
    seed: 2,
  });

  it('learns to keep shades, and logs its terms and the use of the codebook', async () => {
    const context = memoryContext();
    await trainVqgan(context, options(60));
    const metrics = context.rows.map((r) => r.metrics);
    const [first, last] = [metrics[0], metrics.at(-1)!];
    assert.ok(last.reconstruction < 0.4 * first.reconstruction, `${first.reconstruction} to ${last.reconstruction}`);
    for (const row of metrics) {
      assert.ok(row.codes_used >= 1 && row.codes_used <= model.numEmbeddings);
      assert.ok(row.perplexity >= 1 - 1e-4 && row.perplexity <= row.codes_used + 1e-3);
      for (const name of ['loss', 'codebook', 'commitment', 'grad_norm', 'learning_rate'])
        assert.ok(Number.isFinite(row[name]), name);
    }
  });

  it('counts codes: used ones, and the perplexity of their frequencies', async () => {
    const usage = codeUsage(tensor(Int32Array.of(3, 3, 5, 5), { shape: [2, 2] }), 8);
    assert.equal(await usage.codes_used.item(), 2);
    assert.ok(Math.abs((await usage.perplexity.item()) - 2) < 1e-5);
    // Three of four alike: exp of the entropy by hand.
    const uneven = codeUsage(tensor(Int32Array.of(1, 1, 1, 7)), 8);
    const wanted = Math.exp(-(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25)));
    assert.ok(Math.abs((await uneven.perplexity.item()) - wanted) < 1e-5);
  });

  it('resumed equals straight', async () => {
    const straight = await toHost(await trainVqgan(memoryContext(), options(8)));
    const killed = memoryContext();
    const dying: TrainContext = {
      ...killed,
      log: (step, metrics) => {
        if (step > 6) throw new CancelledError('test', 'killed', 'resume');
        killed.log(step, metrics);
      },
    };
    await assert.rejects(trainVqgan(dying, options(8)), CancelledError);
    assert.equal(killed.last?.step, 4);
    assert.deepEqual(await toHost(await trainVqgan(killed, options(8))), straight);
  });
});
