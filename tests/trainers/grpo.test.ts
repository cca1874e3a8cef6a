/** Reward-based training on tiny tasks: rewards rise, sampling and training agree, a killed run equals the straight one. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, appendFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CancelledError } from '../../lib/errors';
import { llamaInit } from '../../lib/models';
import type { LlamaConfig } from '../../lib/models';
import { Random } from '../../lib/nn';
import { closeDevices } from '../../lib/runtime';
import {
  completionLog,
  grpoMethodSchema,
  grpoPresets,
  memoryContext,
  optimizerSchema,
  ReplayBuffer,
  samplingSchema,
  toHost,
  trainGrpo,
  vectorShape,
} from '../../lib/trainers';
import type { Completion, GrpoMethod, GrpoOptions, RlEnvironment, RlTask, TrainContext } from '../../lib/trainers';
import { groupStds } from '../../lib/trainers/grpo-metrics';

const model: LlamaConfig = {
  vocabSize: 16,
  width: 16,
  layers: 2,
  heads: 2,
  kvHeads: 2,
  hidden: 32,
  maxLength: 64,
  ropeBase: 10000,
  normEpsilon: 1e-5,
  tieEmbeddings: false,
};
const base = llamaInit(new Random(1), model);
const [END, TOOL] = [1, 2];

/**
 * A response is worth the share of its own tokens that are 5 or more and even; after token 3 a "tool" answers [TOOL, 4], once.
 */
const random = new Random(5);
const task = (name: string, i: number): RlTask => ({
  id: `${name}${i}`,
  category: i % 2 ? 'odd' : 'even',
  ids: Array.from({ length: 2 + (i % 3) }, () => 5 + random.int(11)),
  media: i % 4 ? [] : [{ at: 0, embeddings: random.normals(2 * model.width) }],
  text: `prompt ${i}`,
});
const environment: RlEnvironment = {
  tasks: Array.from({ length: 6 }, (_, i) => task('train', i)),
  heldOut: Array.from({ length: 4 }, (_, i) => task('held', i)),
  end: END,
  maxTurns: 2,
  reply: (_, turn) => (turn.includes(3) ? [TOOL, 4] : null),
  judge: (_, { tokens, own }) => {
    const mine = tokens.filter((__, t) => own[t]);
    const good = (token: number): boolean => token >= 5 && token % 2 === 0;
    const process = Float32Array.from(tokens, (token, t) => (own[t] && token === END ? 0.1 : 0));
    const reward = mine.filter(good).length / mine.length;
    const rewards = { text: reward, ...(mine.includes(END) ? { end: 1 } : {}) };
    return { reward, rewards, process, text: tokens.join(' '), calls: own.includes(false) ? 1 : 0, failedCalls: 0 };
  },
};

const vectors = vectorShape(
  environment.tasks.map((t) => ({
    ids: t.ids,
    mask: t.ids,
    vectors: t.media.map(({ at, embeddings }) => ({ at, values: embeddings })),
  })),
  2,
  model.width,
);

const options = (
  method: GrpoMethod,
  more: { steps?: number; seed?: number; iterations?: number } = {},
): GrpoOptions => ({
  model,
  base,
  lora: { rank: 4, alpha: 8, targets: ['q_proj', 'v_proj', 'up_proj', 'down_proj', 'lm_head'] },
  optimizer: optimizerSchema.parse({
    learningRate: 0.02,
    schedule: 'constant',
    batchSize: 3,
    steps: more.steps ?? 6,
    checkpointEvery: 2,
  }),
  sampling: samplingSchema.parse({ generations: 4, maxNewTokens: 8, maxLength: 32, iterations: more.iterations ?? 1 }),
  method,
  environment,
  vectors,
  seed: more.seed ?? 0,
});

/** A context that ends the run when it logs the step after `steps`. */
const dying = (context: ReturnType<typeof memoryContext>, steps: number): TrainContext => ({
  ...context,
  log(step, metrics) {
    if (step > steps) throw new CancelledError('test', 'killed', 'resume');
    context.log(step, metrics);
  },
});

describe('reward-based training', () => {
  after(closeDevices);

  for (const name of ['grpo', 'grpoPlusPlus', 'onlineGrpo'] as const)
    it(`${name} raises the reward of held-out prompts`, async () => {
      const context = memoryContext();
      await trainGrpo(context, options(grpoPresets[name], { steps: 24 }));
      const evaluated = context.rows.flatMap(({ metrics }) => ('eval_reward' in metrics ? [metrics.eval_reward] : []));
      assert.equal(evaluated.length, 2);
      assert.ok(evaluated[1] > evaluated[0] + 0.2, `${evaluated[0]} to ${evaluated[1]}`);
      const drawn = context.rows.slice(1).map(({ metrics }) => metrics.reward);
      const mean = (list: number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
      assert.ok(mean(drawn.slice(-5)) > mean(drawn.slice(0, 5)) + 0.2, drawn.join(' '));
      // Policy and reference are one at the start, and part.
      assert.ok(Math.abs(context.rows[1].metrics.kl) < 1e-6 && context.rows.at(-1)!.metrics.kl > 0.01);
      for (const { metrics } of context.rows.slice(1)) {
        assert.ok(metrics['sampling/sampling_logp_difference/max'] < 1e-4);
        assert.ok(metrics['completions/max_length'] <= 16);
      }
    });

  it('on responses just drawn every ratio is 1, in later updates not', async () => {
    const [one, three] = [memoryContext(), memoryContext()];
    await trainGrpo(one, options(grpoPresets.grpo, { steps: 2 }));
    await trainGrpo(three, options(grpoPresets.grpo, { steps: 2, iterations: 3 }));
    const drift = ({ rows }: typeof one): number => Math.abs(rows[1].metrics.approx_kl);
    assert.ok(drift(one) < 1e-6, `${drift(one)}`);
    assert.ok(drift(three) > 1e-5, `${drift(three)}`);
  });

  it('the temperature follows the entropy, and log-probabilities are those of the tempered distribution', async () => {
    const method = grpoMethodSchema.parse({
      ...grpoPresets.onlineGrpo,
      dynamicTemperature: { rate: 0.5, target: 0.5, min: 0.6, max: 2 },
    });
    const context = memoryContext();
    await trainGrpo(context, options(method));
    const temperatures = context.rows.slice(1).map(({ metrics }) => metrics.temperature);
    assert.equal(temperatures[0], 1);
    assert.ok(temperatures[1] < 1 && Math.min(...temperatures) === Math.fround(0.6), temperatures.join(' '));
    const [first, second] = context.rows.slice(1);
    const expected = Math.exp(0.5 * (0.5 - first.metrics.entropy));
    assert.ok(Math.abs(temperatures[1] - Math.max(0.6, expected)) < 1e-5, `${temperatures[1]} ${expected}`);
    assert.ok(second.metrics['sampling/sampling_logp_difference/max'] < 1e-4);
  });

  it('groups without variance are replaced from the buffer', async () => {
    const flat: RlEnvironment = {
      ...environment,
      // Every second prompt gives the same reward to every response.
      judge: (t, rollout) => ({
        ...environment.judge(t, rollout),
        ...(t.category === 'odd' ? { reward: 0.5 } : {}),
      }),
    };
    const context = memoryContext();
    await trainGrpo(context, { ...options(grpoPresets.onlineGrpo), environment: flat });
    const sum = (name: string): number => context.rows.slice(1).reduce((n, { metrics }) => n + metrics[name], 0);
    assert.ok(sum('replay/replaced') > 0);
    assert.ok(sum('replay/replaced') / 3 <= sum('frac_reward_zero_std') + 1e-6);
    assert.ok(context.rows.at(-1)!.metrics['replay/size'] > 1);
  });

  it('a method that cannot be computed is refused as a configuration', () => {
    const refused = (more: object, message: RegExp): void =>
      void assert.throws(() => grpoMethodSchema.parse({ ...grpoPresets.onlineGrpo, ...more }), message);
    refused({ policy: { delta: 1.1 } }, /above 1 \+ clipHigh/);
    refused({ policy: { clipHigh: 0.6, delta: 1.5 } }, /above 1 \+ clipHigh/);
    assert.equal(grpoMethodSchema.parse({ ...grpoPresets.grpo, policy: { delta: 1.5 } }).policy.delta, 1.5);
    refused({ dynamicTemperature: { rate: 0.1, target: 'first', min: 2, max: 1 } }, /at least min/);
  });

  it('equal rewards are no variance, however their mean is rounded', async () => {
    for (const n of [2, 3, 6, 16])
      for (let k = 0; k <= 30; k++) assert.deepEqual(groupStds(new Array<number>(2 * n).fill(k / 30), n), [0, 0]);
    const [some] = groupStds([0.2, 0.2, 0.2, 0.2, 0.2, 0.21], 6);
    assert.ok(Math.abs(some - 0.01 / Math.sqrt(6)) < 1e-12);
    // Six times 0.2 is not 1.2.
    const flat: RlEnvironment = {
      ...environment,
      judge: (t, rollout) => ({ ...environment.judge(t, rollout), reward: 0.2 }),
    };
    const sampling = samplingSchema.parse({ generations: 6, maxNewTokens: 8, maxLength: 32 });
    const context = memoryContext();
    await trainGrpo(context, { ...options(grpoPresets.onlineGrpo, { steps: 2 }), environment: flat, sampling });
    for (const { metrics } of context.rows.slice(1)) {
      assert.equal(metrics.frac_reward_zero_std, 1);
      assert.equal(metrics['replay/size'], 0);
    }
  });

  it('a prompt that fills the length has an empty response, which teaches nothing', async () => {
    const long = { ...task('train', 1), ids: Array.from({ length: 32 }, (_, t) => 5 + (t % 11)) };
    const mixed: RlEnvironment = {
      ...environment,
      tasks: [long, ...environment.tasks.slice(1)],
      judge: (t, rollout) =>
        rollout.tokens.length
          ? environment.judge(t, rollout)
          : { reward: 0, rewards: {}, process: new Float32Array(0), text: '', calls: 0, failedCalls: 0 },
    };
    for (const name of ['onlineGrpo', 'grpoPlusPlus'] as const) {
      const context = memoryContext();
      await trainGrpo(context, { ...options(grpoPresets[name], { steps: 4 }), environment: mixed });
      const trained = context.rows.slice(1).map(({ metrics }) => metrics);
      assert.ok(trained.some((m) => m['completions/min_length'] === 0));
      assert.ok(trained.every((m) => Number.isFinite(m.loss)));
    }
  });

  const folder = mkdtempSync(path.join(tmpdir(), 'grpo-'));
  after(() => rmSync(folder, { recursive: true }));
  for (const [name, kill] of [
    ['grpo', 3],
    ['grpoPlusPlus', 4],
    ['onlineGrpo', 1],
    ['onlineGrpo', 3],
    ['onlineGrpo', 5],
  ] as const)
    it(`${name} killed after step ${kill} and resumed equals the straight run`, async () => {
      const files = ['straight', 'resumed'].map((side) => path.join(folder, `${name}-${kill}-${side}.jsonl`));
      const run = (context: TrainContext, file: string) =>
        trainGrpo(context, { ...options(grpoPresets[name], { iterations: 2 }), onCompletions: completionLog(file) });
      const straight = memoryContext();
      const expected = await toHost(await run(straight, files[0]));
      const killed = memoryContext();
      await assert.rejects(run(dying(killed, kill), files[1]), CancelledError);
      const resumed = memoryContext();
      resumed.last = killed.last;
      const from = killed.last?.step ?? 0;
      assert.equal(from, 2 * Math.floor(kill / 2));
      // As a write that was cut off leaves it.
      appendFileSync(files[1], '{"step": 9, "spl');
      const adapter = await run(resumed, files[1]);
      assert.deepEqual(await toHost(adapter), expected);
      assert.deepEqual([...killed.rows.filter((r) => r.step <= from && from > 0), ...resumed.rows], straight.rows);
      const [a, b] = files.map((file) => readFileSync(file));
      assert.ok(a.equals(b), 'the completions differ');
      const lines = a.toString().trim().split('\n');
      assert.equal(lines.length, 6 * 3 * 4 + 2 * 4);
      const { prompt, completion, reward } = JSON.parse(lines.at(-1)!) as Completion;
      assert.ok(prompt && completion && Number.isFinite(reward));
    });

  it('another seed draws other responses', async () => {
    const [a, b] = [memoryContext(), memoryContext()];
    await trainGrpo(a, options(grpoPresets.grpo, { steps: 1 }));
    await trainGrpo(b, options(grpoPresets.grpo, { steps: 1, seed: 1 }));
    assert.notEqual(a.rows[1].metrics['completions/mean_length'], b.rows[1].metrics['completions/mean_length']);
  });
});

describe('replay buffer', () => {
  const golden = JSON.parse(readFileSync(path.join(process.cwd(), 'tests/goldens/data/replay.json'), 'utf8')) as {
    cases: { capacity: number; scores: number[]; contents: number[][] }[];
    draws: Record<string, number[]>;
  };

  it("keeps the groups that TRL's keeps", () => {
    for (const { capacity, scores, contents } of golden.cases) {
      const buffer = new ReplayBuffer<number>(capacity);
      scores.forEach((score, i) => {
        buffer.add(score, i);
        assert.deepEqual(
          buffer.heap.map((g) => g.value).sort((a, b) => a - b),
          contents[i],
        );
        assert.equal(buffer.heap[0].score, Math.min(...buffer.heap.map((g) => g.score)));
      });
    }
  });

  it('draws them as often as TRL does, without replacement as long as there are enough', () => {
    const buffer = new ReplayBuffer<number>(4);
    [1, 4, 2, 0.5].forEach((score, i) => buffer.add(score, i));
    for (const [wanted, shares] of Object.entries(golden.draws)) {
      const counts = shares.map(() => 0);
      for (let i = 0; i < 6000; i++) {
        const drawn = buffer.sample(Number(wanted), new Random(i));
        if (Number(wanted) <= 4) assert.equal(new Set(drawn).size, drawn.length);
        for (const value of drawn) counts[value]++;
      }
      shares.forEach((share, i) =>
        assert.ok(Math.abs(counts[i] / 6000 - share) < 0.06, `${wanted}: ${i} ${counts[i] / 6000} ${share}`),
      );
    }
    assert.deepEqual(new ReplayBuffer<string>(2).sample(2, new Random(1)), []);
  });
});
