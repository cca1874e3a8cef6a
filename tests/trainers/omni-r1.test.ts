/** PeSFT and PeRPO on the smallest models: what is trained, what is logged, and that a killed run equals the straight one. */
import assert from 'node:assert/strict';
import { tensorsOf } from '../../lib/graph';
import { anoleLayout, chameleonInit, chameleonSizes, imageTokens } from '../../lib/models';
import type { LlamaParams, TokenLayout } from '../../lib/models';
import { Random } from '../../lib/nn';
import { closeDevices } from '../../lib/runtime';
import { memoryContext, optimizerSchema, trainPesft } from '../../lib/trainers';
import type { PesftOptions, PesftState, TrainContext } from '../../lib/trainers';
import { trainPerpo } from '../../lib/trainers/perpo';
import type { PerpoOptions } from '../../lib/trainers/perpo';
import type { ScoredRollout } from '../../lib/trainers/perpo-rollout';
import { groupRelative } from '../../lib/trainers/perpo-metrics';

const layout: TokenLayout = {
  ...anoleLayout,
  vocabSize: 40,
  imageCount: 8,
  eoi: 12,
  boi: 13,
  sep: 14,
  placeholder: 15,
  thoughtOpen: 16,
  thoughtClose: 17,
  answerOpen: 18,
  answerClose: 19,
  rows: 2,
  columns: 2,
};
const model = { ...chameleonSizes.nano, width: 32, layers: 1, hidden: 48, vocabSize: 40, maxLength: 64 };
const params = (): LlamaParams => chameleonInit(new Random(0, 'test'), model);
const codebook = new Random(1).normals(8 * 3);

/** The second image repeats the first. */
const examples = Array.from({ length: 24 }, (_, i) => {
  const codes = new Random(i, 'codes').permutation(8).slice(0, 4);
  const prompt = [0, 20, ...imageTokens(layout, codes)];
  const response = [21, ...imageTokens(layout, codes), 22 + codes[0], 2];
  return { ids: [...prompt, ...response], mask: [...prompt.map(() => 0), ...response.map(() => 1)] };
});
const optimizer = (steps: number) =>
  optimizerSchema.parse({ learningRate: 1e-2, batchSize: 4, steps, checkpointEvery: 3, schedule: 'constant' });

async function values(tree: unknown): Promise<Record<string, Float32Array>> {
  const out: Record<string, Float32Array> = {};
  for (const { path, tensor } of tensorsOf(tree)) out[path] = (await tensor.data()) as Float32Array;
  return out;
}

/** Runs twice: straight, and from the straight run's checkpoint after step 3. */
async function resumed<R>(
  run: (context: TrainContext) => Promise<R>,
): Promise<[R, R, ReturnType<typeof memoryContext>]> {
  const straight = memoryContext();
  const first = await run(straight);
  assert.equal(straight.last?.step, 3);
  const again = memoryContext();
  again.last = straight.last;
  return [first, await run(again), straight];
}

describe('PeSFT', () => {
  after(closeDevices);
  const run = (context: TrainContext, change: Partial<PesftOptions> = {}, steps = 5): Promise<PesftState> =>
    trainPesft(context, {
      model,
      layout,
      params: params(),
      codebook,
      optimizer: optimizer(steps),
      lambda: 1,
      projection: 'trained',
      scale: 'dimension',
      examples,
      seed: 0,
      ...change,
    });

  it('lowers both losses, resumes byte for byte, and trains W', async () => {
    const [a, b, context] = await resumed((c) => run(c));
    assert.deepEqual(await values(a), await values(b));
    const [first, last] = [context.rows[0].metrics, context.rows.at(-1)!.metrics];
    for (const name of ['loss', 'loss_local', 'loss_global']) assert.ok(last[name] < first[name], name);
    const total = last.loss_local + last.loss_global;
    assert.ok(Math.abs(last.loss - total) < 1e-4, `${last.loss} is the sum ${total}`);
  });

  it('leaves W as drawn where it is fixed, and out of the loss where lambda is 0', async () => {
    const fixed = await run(memoryContext(), { projection: 'fixed' }, 2);
    const other = await run(memoryContext(), { projection: 'fixed' }, 1);
    assert.deepEqual(await values(fixed.projection), await values(other.projection));
    const context = memoryContext();
    await run(context, { lambda: 0 }, 1);
    assert.ok(!('loss_global' in context.rows[0].metrics));
    assert.equal(context.rows[0].metrics.loss, context.rows[0].metrics.loss_local);
  });
});

describe('PeRPO', () => {
  after(closeDevices);
  const prompts = examples.slice(0, 6).map(({ ids, mask }, i) => ({
    id: String(i),
    ids: ids.slice(0, mask.indexOf(1)),
    answer: '',
  }));
  const seen: ScoredRollout[] = [];
  const run = (
    context: TrainContext,
    score: (tokens: readonly number[]) => number,
    steps = 4,
    change: Partial<PerpoOptions> = {},
  ): Promise<LlamaParams> => {
    const options: PerpoOptions = {
      model,
      layout,
      params: params(),
      reference: params(),
      prompts,
      judge: {
        read: (tokens) => ({ text: tokens.join(' '), images: tokens.filter((t) => t === layout.boi).length }),
        score: (_text, _prompt, tokens) => ({ score: score(tokens), acc: 0, format: 1 }),
        actionError: () => false,
      },
      optimizer: { ...optimizer(steps), batchSize: 2 },
      group: 3,
      rounds: 2,
      minibatches: 1,
      temperature: 1,
      topP: 0.95,
      maxNewTokens: 12,
      policy: {
        clipLow: 0.2,
        clipHigh: 0.28,
        kl: { beta: 0.003, estimator: 'k1' },
        entropyCoefficient: 0.001,
        aggregation: { mode: 'seq-mean-token-mean' },
      },
      delta: 1e-6,
      onRollouts: (_step, rollouts) => seen.push(...rollouts),
      seed: 0,
      ...change,
    };
    return trainPerpo(context, options);
  };

  it('resumes byte for byte, and logs what is watched', async () => {
    const [a, b, context] = await resumed((c) => run(c, (tokens) => tokens.filter((t) => t > 20).length));
    assert.deepEqual(await values(a), await values(b));
    const { metrics } = context.rows.find((r) => r.metrics.groups_used > 0)!;
    for (const name of ['reward', 'reward_std', 'frac_reward_zero_std', 'groups_used', 'distinct', 'kl', 'entropy'])
      assert.ok(Number.isFinite(metrics[name]), name);
    assert.ok(seen.every((r) => r.tokens.length <= 12));
  });

  it('several updates a batch: what was scored before the first is what the update sees, while the weights have hardly moved', async () => {
    const context = memoryContext();
    const rising = (tokens: readonly number[]): number => tokens.filter((t) => t > 20).length;
    const still = { minibatches: 2, optimizer: { ...optimizer(2), batchSize: 2, learningRate: 1e-12 } };
    await run(context, rising, 2, still);
    const one = memoryContext();
    await run(one, rising, 2, { ...still, minibatches: 1 });
    const used = context.rows.filter((r) => r.metrics.groups_used > 1);
    assert.ok(used.length > 0);
    for (const { metrics } of used) assert.ok(Math.abs(metrics.approx_kl) < 1e-5, `${metrics.approx_kl}`);
    // Unmoved, both draw the same.
    assert.deepEqual(
      context.rows.map((r) => r.metrics.reward),
      one.rows.map((r) => r.metrics.reward),
    );
  });

  it('drops groups whose rewards are alike: nothing changes', async () => {
    const context = memoryContext();
    const after = await run(context, () => 1, 1);
    assert.deepEqual(await values(after), await values(params()));
    const { metrics } = context.rows[0];
    assert.deepEqual([metrics.groups_used, metrics.groups_drawn, metrics.frac_reward_zero_std], [0, 4, 1]);
  });

  it('compares within the group', () => {
    assert.deepEqual(groupRelative([1, 1, 1], 1e-6), [0, 0, 0]);
    const found = groupRelative([0, 0, 1, 1], 1e-6);
    found.forEach((v, i) => assert.ok(Math.abs(v - (i < 2 ? -1 : 1)) < 1e-5));
  });
});
