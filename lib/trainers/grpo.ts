/**
 * Reward-based training of a LoRA policy on the supervised model: GRPO (Shao et al. 2024, algorithm 1, outcome supervision),
 * and with other options GRPO++ and Online GRPO (grpo-config.ts). One step:
 *
 *   1. draw `generations` responses to each of `batchSize` prompts from the weights as they are;
 *   2. judge them (the environment's rewards, by part), and compare them within their group;
 *   3. log-probabilities of policy and reference (the adapter switched off) by the training graph; the gap to what sampling
 *      saw is logged and must be near zero;
 *   4. with a buffer: groups whose rewards differ go in, and groups without variance are replaced from it;
 *   5. `iterations` updates on the responses: tokens of prompts and of tools' results are masked out.
 *
 * What a step draws is a function of the seed and its number; temperature and buffer are part of the checkpoint. So a
 * killed run equals the straight one.
 *
 * Logged (TRL's names): loss, policy_loss, reward, reward_std, frac_reward_zero_std, rewards/<part>/mean and std, kl, entropy,
 * clip_ratio/..., approx_kl, completions/..., tools/..., sampling/sampling_logp_difference/..., grad_norm, learning_rate;
 * temperature; with a buffer replay/size and replay/replaced. On held-out prompts, answered greedily before the first and
 * after the last step: eval_reward, eval_rewards/<part>/mean, eval_reward/<category>, eval_completions/....
 */
import { rollouts } from '../generate/rollouts';
import type { Rollout } from '../generate/rollouts';
import type { Tensor } from '../graph/tensor';
import { overlongPenalty } from '../losses/overlong';
import type { LlamaConfig, LlamaParams } from '../models/llama';
import { adamWInit } from '../nn/adamw';
import { loraInit } from '../nn/lora';
import type { LoraAdapter, LoraConfig } from '../nn/lora';
import { Random } from '../nn/random';
import { batchIndices, padBatch } from './batches';
import type { VectorShape } from './batches';
import type { Completion } from './completion-log';
import type { TrainContext, TrainMetrics } from './context';
import type { GrpoMethod, SamplingSizes } from './grpo-config';
import {
  averaged,
  categoryMetrics,
  completionMetrics,
  groupStds,
  ownTokens,
  rewardMetrics,
  samplingGap,
} from './grpo-metrics';
import type { Judged } from './grpo-metrics';
import { grpoPrograms } from './grpo-programs';
import type { Scores } from './grpo-programs';
import { advantagesFor, exampleOf, firstPlace, policyBatch, temperaturesOf } from './grpo-rows';
import type { PolicyRow } from './grpo-rows';
import { initialState, packState, unpackState } from './grpo-state';
import { trainLoop } from './loop';
import { readMetrics } from './metrics';
import { stepScalars } from './optimizer';
import type { OptimizerConfig } from './optimizer';
import { replay } from './replay';
import type { RlEnvironment, RlTask } from './rl-environment';

export interface GrpoOptions<T extends RlTask = RlTask> {
  model: LlamaConfig;
  /** The supervised model: frozen, the start of the policy, and the reference. */
  base: LlamaParams;
  lora: LoraConfig;
  /** `batchSize` counts prompts, `steps` batches of responses. */
  optimizer: OptimizerConfig;
  sampling: SamplingSizes;
  method: GrpoMethod;
  environment: RlEnvironment<T>;
  /** The shape of the tasks' media, if any has some: `vectorShape`. */
  vectors?: VectorShape;
  seed: number;
  device?: string;
  /** Takes the responses of each step, and those to held-out prompts; see completion-log.ts. */
  onCompletions?: (completions: readonly Completion[]) => void;
}

/** Rows computed together in sampling. */
const MAX_BATCH = 64;

export async function trainGrpo<T extends RlTask>(context: TrainContext, o: GrpoOptions<T>): Promise<LoraAdapter> {
  const { model, base, sampling, method, environment, device, seed } = o;
  const { tasks, heldOut } = environment;
  const { generations, iterations } = sampling;
  const rng = new Random(seed, 'grpo');
  const optimizer = { ...o.optimizer, steps: o.optimizer.steps * iterations };
  const adjust = method.dynamicTemperature;
  const programs = grpoPrograms(context, { ...o, optimizer, policy: method.policy, entropies: !!adjust });
  const advantages = advantagesFor(method.advantages, generations, device);
  const buffer = { capacity: method.replay?.capacity ?? 0, generations, length: sampling.maxLength };

  const draw = (
    adapter: LoraAdapter,
    asked: readonly T[],
    temperature: number,
    streams: readonly string[],
  ): Promise<Rollout[]> =>
    programs.withPolicy(adapter, (params) =>
      rollouts({ params, config: model }, asked, {
        temperature,
        maxNewTokens: sampling.maxNewTokens,
        maxLength: sampling.maxLength,
        maxTurns: environment.maxTurns,
        end: environment.end,
        reply: (row, turn) => environment.reply(asked[row], turn),
        maxBatch: MAX_BATCH,
        seed,
        streams,
        device,
      }),
    );

  const judge = (task: T, rollout: Rollout): Judged => {
    const judgement = environment.judge(task, rollout);
    const { overlong } = method;
    const last = rollout.own.length - 1 - rollout.own.lastIndexOf(false);
    const shaped = overlong ? overlongPenalty(last, { ...overlong, maxLength: sampling.maxNewTokens }) : 0;
    return { category: task.category, rollout, judgement, reward: judgement.reward + shaped };
  };

  const report = (
    step: number,
    split: Completion['split'],
    asked: readonly T[],
    judged: readonly Judged[],
    temperature: number,
    means?: readonly number[],
  ): void =>
    o.onCompletions?.(
      judged.map(({ rollout, judgement, reward }, i) => ({
        step,
        split,
        id: asked[i].id,
        category: asked[i].category,
        prompt: asked[i].text,
        completion: judgement.text,
        reward,
        rewards: judgement.rewards,
        advantage: means?.[i] ?? null,
        tokens: ownTokens(rollout),
        finished: rollout.finish === 'stop',
        temperature,
      })),
    );

  /** Log-probabilities of drawn responses by the training graph: arrays as long as the responses. */
  const scored = async (
    adapter: LoraAdapter,
    rows: readonly { task: number; rollout: Rollout; temperature: number }[],
  ): Promise<Record<keyof Scores, Float32Array[]>> => {
    const examples = rows.map(({ task, rollout }) => exampleOf(tasks[task], rollout));
    const batch = padBatch(examples, model.maxLength, o.vectors);
    const found = await programs.score(adapter, base, batch, temperaturesOf(rows));
    const time = batch.ids.shape[1];
    const cut = async (t: Tensor): Promise<Float32Array[]> => {
      const values = (await t.data()) as Float32Array;
      return rows.map(({ task, rollout }, i) => {
        const from = i * time + firstPlace(tasks[task]);
        return values.slice(from, from + rollout.tokens.length);
      });
    };
    const out = {
      plain: await cut(found.plain),
      old: await cut(found.old),
      ref: await cut(found.ref),
      entropies: found.entropies ? await cut(found.entropies) : [],
    };
    for (const t of Object.values(found)) t.dispose();
    return out;
  };

  const evaluate = async (adapter: LoraAdapter, step: number): Promise<TrainMetrics> => {
    if (!heldOut.length) return {};
    const drawn = await draw(
      adapter,
      heldOut,
      0,
      heldOut.map((t) => t.id),
    );
    const judged = drawn.map((rollout, i) => judge(heldOut[i], rollout));
    report(step, 'heldOut', heldOut, judged, 0);
    const metrics = { ...rewardMetrics(judged), ...categoryMetrics(judged), ...completionMetrics(drawn) };
    return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`eval_${name}`, value]));
  };

  const adapter = loraInit(rng.stream('init'), base, o.lora);
  const state = await trainLoop(context, {
    name: 'grpo',
    totalSteps: o.optimizer.steps,
    checkpointEvery: o.optimizer.checkpointEvery,
    state: { adapter, adam: adamWInit(adapter), online: packState(initialState(sampling.temperature, buffer), buffer) },
    show: ['reward', 'kl', 'entropy'],
    evaluate: ({ adapter }, step) => evaluate(adapter, step),
    step: async ({ adapter, adam, online }, i) => {
      const carried = await unpackState(online, buffer);
      const { temperature } = carried;
      const asked = batchIndices(rng.stream('order'), tasks.length, optimizer.batchSize, i).flatMap((task) =>
        new Array<number>(generations).fill(task),
      );
      const drawn = await draw(
        adapter,
        asked.map((t) => tasks[t]),
        temperature,
        asked.map((_, k) => `step ${i} row ${k}`),
      );
      const judged = drawn.map((rollout, k) => judge(tasks[asked[k]], rollout));
      const relative = await advantages.of(
        judged.map(({ rollout, reward, judgement }) => ({ own: rollout.own, reward, process: judgement.process })),
      );
      const found = await scored(
        adapter,
        drawn.map((rollout, k) => ({ task: asked[k], rollout, temperature })),
      );
      const fresh = drawn.map(({ tokens, own }, k): PolicyRow => {
        const [old, ref] = [found.old[k], found.ref[k]];
        return { task: asked[k], tokens, own, advantages: relative[k], old, ref, temperature };
      });
      report(
        i + 1,
        'train',
        asked.map((t) => tasks[t]),
        judged,
        temperature,
        fresh.map(meanAdvantage),
      );

      const stds = groupStds(
        judged.map((j) => j.reward),
        generations,
      );
      const { rows, replaced } = replay(carried.buffer, fresh, stds, generations, rng.stream(`replay ${i}`));
      const batch = policyBatch(tasks, rows, model.maxLength, o.vectors);
      const temperatures = temperaturesOf(rows);
      const updates: TrainMetrics[] = [];
      let next = { adapter, adam };
      for (let k = 0; k < iterations; k++) {
        const { learningRate, scalars } = stepScalars(optimizer, i * iterations + k);
        const out = await programs.step(next.adapter, next.adam, base, batch, temperatures, scalars);
        next = { adapter: out.adapter, adam: out.adam };
        updates.push({ ...(await readMetrics(out.metrics)), learning_rate: learningRate });
      }

      if (adjust) {
        const entropy = meanEntropy(drawn, found.entropies);
        carried.target ??= Math.fround(adjust.target === 'first' ? entropy : adjust.target);
        const moved = temperature * Math.exp(adjust.rate * (carried.target - entropy));
        carried.temperature = Math.fround(Math.min(adjust.max, Math.max(adjust.min, moved)));
      }
      return {
        state: { ...next, online: packState(carried, buffer) },
        metrics: {
          ...averaged(updates),
          ...rewardMetrics(judged),
          frac_reward_zero_std: stds.filter((s) => s === 0).length / stds.length,
          ...completionMetrics(drawn),
          ...samplingGap(drawn, found.plain),
          temperature,
          ...(method.replay ? { 'replay/size': carried.buffer.heap.length, 'replay/replaced': replaced } : {}),
        },
      };
    },
  });
  programs.release();
  advantages.release();
  return state.adapter;
}

/** Over own tokens, for the reader of the completions. */
function meanAdvantage({ own, advantages }: PolicyRow): number {
  const values = advantages.filter((_, t) => own[t]);
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** Mean entropy of the distributions that own tokens were drawn from. */
function meanEntropy(drawn: readonly Rollout[], entropies: readonly Float32Array[]): number {
  let [sum, count] = [0, 0];
  drawn.forEach(({ own }, i) =>
    own.forEach((mine, t) => {
      if (!mine) return;
      sum += entropies[i][t];
      count++;
    }),
  );
  return sum / count;
}
