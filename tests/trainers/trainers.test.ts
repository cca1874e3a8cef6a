/** Short trainings: what is learnt, and that a resumed run equals a straight one. */
import assert from 'node:assert/strict';
import { llamaInit, llamaSizes } from '../../lib/models/llama';
import type { LlamaConfig, LlamaParams } from '../../lib/models/llama';
import { Random } from '../../lib/nn/random';
import '../../lib/runtime';
import {
  batchIndices,
  groupedIndices,
  memoryContext,
  optimizerSchema,
  padBatch,
  pretrain,
  sft,
  toHost,
  trainDpo,
  trainLoop,
  trainSimpo,
} from '../../lib/trainers';
import type { TokenExample, TrainContext } from '../../lib/trainers';
import { perplexities, sampleLosses } from '../../lib/eval';
import { CancelledError, FormatError, NonFiniteError } from '../../lib/errors';

const config: LlamaConfig = { ...llamaSizes.nano, vocabSize: 32, width: 32, hidden: 64, maxLength: 64 };
const lora = { rank: 4, alpha: 8, targets: ['q_proj', 'v_proj'] };

/** Sequences that can be learnt: each token follows the one before by a fixed step. */
function counting(rng: Random, length: number, step: number): number[] {
  const start = rng.int(32);
  return Array.from({ length }, (_, t) => (start + step * t) % 32);
}
const example = (ids: number[], prompt = 3): TokenExample => ({ ids, mask: ids.map((_, t) => (t >= prompt ? 1 : 0)) });
const optimizer = (extra: object): ReturnType<typeof optimizerSchema.parse> =>
  optimizerSchema.parse({ learningRate: 3e-3, batchSize: 8, steps: 12, checkpointEvery: 4, ...extra });

const pretrainOptions = (seed = 0): Parameters<typeof pretrain>[1] => {
  const rng = new Random(9, 'corpus');
  const corpus = Array.from({ length: 60 }, () => example(counting(rng, 20 + rng.int(40), 3), 1));
  return { model: config, optimizer: optimizer({}), corpus, validation: corpus.slice(0, 32), seed };
};
const losses = (context: ReturnType<typeof memoryContext>): number[] =>
  context.rows.filter((r) => r.step > 0).map((r) => r.metrics.loss);

/** A context that stops the run once `steps` steps were logged, as a killed process would. */
function dying(context: ReturnType<typeof memoryContext>, steps: number): TrainContext {
  return {
    ...context,
    log: (step, metrics) => {
      if (step > steps) throw new CancelledError('test', 'killed', 'resume');
      context.log(step, metrics);
    },
    checkpoint: context.checkpoint,
  };
}

describe('trainers', () => {
  let base: LlamaParams;
  before(() => {
    base = llamaInit(new Random(1), config);
  });

  it('pre-training lowers the loss, gives the same figures for the same seed and others for another', async () => {
    const [a, b, c] = [memoryContext(), memoryContext(), memoryContext()];
    const first = await pretrain(a, { ...pretrainOptions(), optimizer: optimizer({ steps: 60, learningRate: 1e-2 }) });
    const again = await pretrain(b, { ...pretrainOptions(), optimizer: optimizer({ steps: 60, learningRate: 1e-2 }) });
    assert.ok(losses(a)[59] < 1 && losses(a)[0] > 3.3, `loss ${losses(a)[0]} -> ${losses(a)[59]}`);
    assert.deepEqual(losses(a), losses(b));
    assert.deepEqual(await toHost(first), await toHost(again));
    await pretrain(c, pretrainOptions(1));
    assert.notEqual(losses(c)[0], losses(a)[0]);
  });

  for (const kill of [2, 5, 9])
    it(`a run killed after step ${kill} and resumed equals the straight one`, async () => {
      const straight = memoryContext();
      const expected = await pretrain(straight, pretrainOptions());
      const killed = memoryContext();
      await assert.rejects(pretrain(dying(killed, kill), pretrainOptions()), CancelledError);
      const from = killed.last?.step ?? 0;
      killed.rows = killed.rows.filter((r) => r.step <= from);
      const resumed = memoryContext();
      resumed.last = killed.last;
      const params = await pretrain(resumed, pretrainOptions());
      assert.deepEqual([...losses(killed), ...losses(resumed)], losses(straight));
      assert.deepEqual(await toHost(params), await toHost(expected));
    });

  it('fine-tuning learns the responses through the adapter alone', async () => {
    const rng = new Random(2);
    const examples = Array.from({ length: 64 }, () => example(counting(rng, 20, 5)));
    const before = await toHost(base);
    const context = memoryContext();
    const targets = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj', 'lm_head'];
    await sft(context, {
      model: config,
      base,
      lora: { rank: 8, alpha: 32, targets },
      optimizer: optimizer({ steps: 80, learningRate: 2e-2 }),
      examples,
      seed: 0,
    });
    const l = losses(context);
    assert.ok(l[79] < 0.6 * l[0], `loss ${l[0]} -> ${l[79]}`);
    assert.deepEqual(await toHost(base), before);
  });

  for (const [name, train] of [
    ['dpo', trainDpo],
    ['simpo', trainSimpo],
  ] as const)
    it(`${name} raises accuracy and margin on held-out pairs`, async () => {
      const rng = new Random(3);
      const pairs = Array.from({ length: 48 }, () => {
        const good = counting(rng, 16, 5);
        return { chosen: example(good), rejected: example(good.map((x, t) => (t < 3 ? x : rng.int(32)))) };
      });
      const context = memoryContext();
      await train(context, {
        model: config,
        base,
        lora,
        optimizer: optimizer({ steps: 40, learningRate: 1e-2 }),
        pairs: pairs.slice(0, 32),
        heldOut: pairs.slice(32),
        seed: 0,
      });
      const first = context.rows[0].metrics;
      const last = context.rows.findLast((r) => 'eval_rewards/margins' in r.metrics)!.metrics;
      assert.ok(last['eval_rewards/margins'] > first['eval_rewards/margins'] + 0.05);
      assert.ok(last['eval_rewards/accuracies'] > 0.8, `accuracy ${last['eval_rewards/accuracies']}`);
      if (name === 'dpo') assert.ok(Math.abs(first.eval_loss - Math.LN2) < 1e-5, 'the policy starts at the reference');
    });

  it('DPO killed between checkpoints and resumed in its second epoch equals the straight run', async () => {
    const rng = new Random(6);
    const pairs = Array.from({ length: 40 }, () => {
      const good = counting(rng, 10 + rng.int(60), 5);
      return { chosen: example(good), rejected: example(good.map((x, t) => (t < 3 ? x : rng.int(32)))) };
    });
    const settings = {
      model: config,
      base,
      lora,
      optimizer: optimizer({}),
      pairs,
      heldOut: pairs.slice(0, 11),
      seed: 0,
    };
    const straight = memoryContext();
    const expected = await toHost(await trainDpo(straight, settings));
    const killed = memoryContext();
    await assert.rejects(trainDpo(dying(killed, 10), settings), CancelledError);
    const resumed = memoryContext();
    resumed.last = killed.last;
    assert.deepEqual(await toHost(await trainDpo(resumed, settings)), expected);
    assert.equal(killed.last?.step, 8);
    assert.deepEqual(losses(resumed), losses(straight).slice(8));
  });

  it('perplexity of a model that knows nothing is the size of the vocabulary, whatever the batch', async () => {
    const rng = new Random(4);
    const flat = llamaInit({ normals: (n) => new Float32Array(n), uniforms: (n) => new Float32Array(n) }, config);
    const categories = ['audio_to_image', 'code_and_explain', 'multi_step_creation'];
    const examples = Array.from({ length: 11 }, (_, i) => ({
      ...example(counting(rng, 10 + i, 1)),
      category: categories[i % 3],
    }));
    for (const batchSize of [1, 4, 16]) {
      const result = perplexities(await sampleLosses(flat, config, examples, { batchSize }));
      for (const [key, value] of Object.entries(result)) assert.ok(Math.abs(value - 32) < 1e-3, `${key} ${value}`);
    }
  });

  it('pads on the right, cuts at the length, and counts response tokens only', async () => {
    const batch = padBatch([example([1, 2, 3, 4, 5]), example(Array.from({ length: 50 }, (_, t) => t % 32))], 40);
    assert.deepEqual(batch.ids.shape, [2, 40]);
    const mask = await batch.mask.numbers();
    assert.deepEqual([...mask.slice(0, 6)], [0, 0, 1, 1, 0, 0]);
    assert.equal(
      mask.slice(40).reduce((a, b) => a + b),
      38,
    );
    assert.throws(() => padBatch([{ ids: [1], mask: [1] }], 8), /at least two tokens/);
  });

  it('visits every example once an epoch, in an order that depends on the epoch', () => {
    const rng = new Random(5);
    const epoch = (e: number): number[] => [0, 1, 2, 3, 4].flatMap((i) => batchIndices(rng, 10, 2, e * 5 + i));
    assert.deepEqual(
      [...epoch(0)].sort((a, b) => a - b),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
    assert.notDeepEqual(epoch(0), epoch(1));
  });

  it('groups by length for each data set, whatever was grouped before', () => {
    const rng = new Random(5);
    const groups = (lengths: readonly number[], mixed: boolean): number[][] =>
      [0, 1, 2, 3].map((i) => groupedIndices(rng, lengths, 2, i, { mixed }));
    // What sequences are padded to: 32, 64, 96 and 128 predictions.
    const spread = (list: number[][], lengths: readonly number[]): number =>
      Math.max(...list.map(([a, b]) => Math.abs(Math.ceil((lengths[a] - 1) / 32) - Math.ceil((lengths[b] - 1) / 32))));
    const [rising, mixed] = [
      [2, 33, 34, 65, 66, 97, 98, 129],
      [20, 40, 70, 100, 30, 60, 90, 120],
    ];
    for (const lengths of [rising, mixed, rising])
      for (const mix of [false, true]) {
        assert.equal(spread(groups(lengths, mix), lengths), 0);
        assert.deepEqual(groups(lengths, mix).flat().sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
      }
  });

  it('mixes what is padded alike on request, so that a batch is not of one kind', () => {
    const lengths = Array.from({ length: 256 }, (_, i) => (i % 2 ? 10 : 20));
    const rng = new Random(5);
    const mixed = Array.from(
      { length: 32 },
      (_, i) => new Set(groupedIndices(rng, lengths, 8, i, { mixed: true }).map((k) => k % 2)),
    );
    // By chance one of 128 batches of eight has one kind only.
    assert.ok(mixed.filter((kinds) => kinds.size === 2).length >= 28);
  });

  it('stops at a loss that is not finite, and refuses a checkpoint of another model', async () => {
    const options = {
      name: 'test',
      totalSteps: 3,
      checkpointEvery: 1,
      state: {},
      step: () => Promise.resolve({ state: {}, metrics: { loss: NaN } }),
    };
    await assert.rejects(trainLoop(memoryContext(), options), NonFiniteError);
    const context = memoryContext();
    context.last = { step: 1, tensors: { other: { dtype: 'float32', shape: [1], data: new Float32Array(1) } } };
    await assert.rejects(pretrain(context, pretrainOptions()), FormatError);
  });
});
