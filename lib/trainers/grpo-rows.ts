/** The responses of a step as the rows that training takes, and rows as padded batches. */
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { groupAdvantages, tokenAdvantages } from '../losses/advantages';
import { jit } from '../runtime/jit';
import { padBatch } from './batches';
import type { TokenBatch, TokenExample, VectorShape } from './batches';
import type { GrpoMethod } from './grpo-config';
import type { RlTask } from './rl-environment';

/** A response and all that its loss needs; the arrays are as long as its tokens. */
export interface PolicyRow {
  /** Index of its prompt among the tasks. */
  task: number;
  tokens: readonly number[];
  own: readonly boolean[];
  advantages: Float32Array;
  /** Log-probabilities of the policy that drew it and of the reference, at its temperature. */
  old: Float32Array;
  ref: Float32Array;
  temperature: number;
}

/** Lengths of responses are rounded up to multiples of this where advantages of tokens are computed. */
const ROUND = 64;

/** Prompt and response as one sequence: the loss is on the policy's own tokens. */
export const exampleOf = (
  task: RlTask,
  { tokens, own }: { tokens: readonly number[]; own: readonly boolean[] },
): TokenExample => ({
  ids: [...task.ids, ...tokens],
  mask: [...task.ids.map(() => 0), ...own.map(Number)],
  vectors: task.media.map(({ at, embeddings }) => ({ at, values: embeddings })),
});

export type PolicyBatch = TokenBatch & {
  /** float32 [B, T], about the same tokens as the labels. */
  advantages: Tensor;
  old: Tensor;
  ref: Tensor;
};

/** A batch of rows; `time` of the batch is that of the longest, a multiple of 64. */
export function policyBatch(
  tasks: readonly RlTask[],
  rows: readonly PolicyRow[],
  maxLength: number,
  vectors?: VectorShape,
): PolicyBatch {
  const batch = padBatch(
    rows.map((r) => exampleOf(tasks[r.task], r)),
    maxLength,
    vectors,
  );
  const [count, time] = batch.ids.shape;
  const column = (name: 'advantages' | 'old' | 'ref'): Tensor => {
    const out = new Float32Array(count * time);
    // A label is the token after its place.
    rows.forEach((r, i) =>
      out.set(r[name].subarray(0, time + 1 - tasks[r.task].ids.length), i * time + firstPlace(tasks[r.task])),
    );
    return tensor(out, { shape: [count, time] });
  };
  return { ...batch, advantages: column('advantages'), old: column('old'), ref: column('ref') };
}

/** The place in a batch's row of what is about a response's first token. */
export const firstPlace = (task: RlTask): number => task.ids.length - 1;

/** Temperatures of rows as [B], or null where all are 1 and nothing has to be divided. */
export const temperaturesOf = (rows: readonly Pick<PolicyRow, 'temperature'>[]): Tensor | null =>
  rows.every((r) => r.temperature === 1) ? null : tensor(Float32Array.from(rows, (r) => r.temperature));

/** A response, as far as advantages look at it. */
export interface Rewarded {
  own: readonly boolean[];
  reward: number;
  /** Rewards at single tokens; the outcome's is added at the last own token. */
  process: Float32Array;
}

/**
 * Advantages of groups of `n` neighbouring responses: for each response as many as it has tokens. `release` frees what was
 * compiled.
 */
export function advantagesFor(
  method: GrpoMethod['advantages'],
  n: number,
  device?: string,
): { of: (responses: readonly Rewarded[]) => Promise<Float32Array[]>; release: () => void } {
  if (method.of === 'responses') {
    const { scale, epsilon, correction } = method;
    const compute = jit((rewards: Tensor) => groupAdvantages(rewards, { scale, epsilon, correction }), {
      device,
      name: 'advantages',
    });
    const of = async (responses: readonly Rewarded[]): Promise<Float32Array[]> => {
      const rewards = Float32Array.from(responses, (r) => r.reward);
      const out = await compute(tensor(rewards, { shape: [responses.length / n, n] }));
      const values = await out.numbers();
      return responses.map(({ own }, i) => new Float32Array(own.length).fill(values[i]));
    };
    return { of, release: () => compute.release() };
  }
  const { gamma, epsilon, correction } = method;
  const compute = jit(
    (rewards: Tensor, mask: Tensor) => tokenAdvantages(rewards, mask, { gamma, epsilon, correction }),
    {
      device,
      name: 'token advantages',
    },
  );
  const of = async (responses: readonly Rewarded[]): Promise<Float32Array[]> => {
    const time = Math.ceil(Math.max(...responses.map((r) => r.own.length)) / ROUND) * ROUND;
    const rewards = new Float32Array(responses.length * time);
    const mask = new Float32Array(responses.length * time);
    responses.forEach(({ own, reward, process }, i) => {
      rewards.set(process, i * time);
      // A prompt that fills the length leaves no room for a response.
      const last = own.lastIndexOf(true);
      if (last >= 0) rewards[i * time + last] += reward;
      mask.set(own.map(Number), i * time);
    });
    const shape = [responses.length / n, n, time];
    const out = await compute(tensor(rewards, { shape }), tensor(mask, { shape }));
    const values = (await out.data()) as Float32Array;
    return responses.map(({ own }, i) => values.slice(i * time, i * time + own.length));
  };
  return { of, release: () => compute.release() };
}
