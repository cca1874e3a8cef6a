/**
 * Rollouts: responses of several turns as the very tokens that were drawn. Between two turns an environment may answer (a
 * tool's result), and its tokens go into the sequence as they are; nothing is decoded and encoded again, so that training
 * sees what sampling saw. What a row gets depends on neither the batch nor the order of rows.
 */
import { ArgumentError } from '../errors';
import { generate } from './generate';
import type { FinishReason, GenerateOptions, LlamaModel, MediaSpan } from './options';

/** A prompt's tokens, and the vectors of its media. */
export interface RolloutPrompt {
  ids: readonly number[];
  media?: readonly MediaSpan[];
}

/** A response: all that follows the prompt. The lists are of one length. */
export interface Rollout {
  tokens: number[];
  /** Which tokens the model wrote, end tokens included; the others came from the environment. */
  own: boolean[];
  /** log pi of the model itself at its own tokens (temperature 1), 0 at the others. */
  logProbs: number[];
  /** Turns that the model took. */
  turns: number;
  /** Why the last turn ended: 'stop' where the response came to its end. */
  finish: FinishReason;
}

export interface RolloutOptions extends Pick<
  GenerateOptions,
  'temperature' | 'topK' | 'topP' | 'maxNewTokens' | 'maxLength' | 'seed' | 'maxBatch' | 'signal' | 'device'
> {
  /** The token that ends a turn. */
  end: number;
  /**
   * The environment's answer to a turn (its tokens, without the end token) of prompt `row`: tokens that lead to the next
   * turn, or null where the response is over. Default: one turn.
   */
  reply?: (row: number, turn: readonly number[]) => readonly number[] | null;
  /** Turns of the model, at most. Default 3. */
  maxTurns?: number;
  /** Names of the rows' random streams; default: their indices. */
  streams?: readonly (string | number)[];
}

/** The response to each prompt, in order. Throws ArgumentError, NonFiniteError, CancelledError. */
export async function rollouts(
  model: LlamaModel,
  prompts: readonly RolloutPrompt[],
  { end, reply, maxTurns = 3, streams, ...options }: RolloutOptions,
): Promise<Rollout[]> {
  if (!(Number.isInteger(maxTurns) && maxTurns >= 1))
    throw new ArgumentError('rollouts', `expected maxTurns of at least 1, got ${maxTurns}`, 'one turn is the least');
  const maxLength = options.maxLength ?? model.config.maxLength;
  const out: Rollout[] = prompts.map(() => ({ tokens: [], own: [], logProbs: [], turns: 0, finish: 'stop' }));
  let open = prompts.map((_, i) => i);
  for (let turn = 1; turn <= maxTurns && open.length; turn++) {
    const made = await generate(
      model,
      open.map((i) => ({ ids: [...prompts[i].ids, ...out[i].tokens], media: prompts[i].media })),
      { ...options, stop: [end], streams: open.map((i) => `${streams?.[i] ?? i} turn ${turn}`) },
    );
    const next: number[] = [];
    open.forEach((i, k) => {
      const { tokens, logProbs, finish } = made[k];
      const rollout = out[i];
      append(rollout, tokens, logProbs);
      rollout.turns = turn;
      rollout.finish = finish;
      const answer = finish === 'stop' && turn < maxTurns ? reply?.(i, tokens.slice(0, -1)) : null;
      if (!answer) return;
      // The next turn needs room for one token at least.
      if (prompts[i].ids.length + rollout.tokens.length + answer.length >= maxLength) {
        rollout.finish = 'max-length';
        return;
      }
      append(rollout, answer);
      next.push(i);
    });
    open = next;
  }
  return out;
}

function append(rollout: Rollout, tokens: readonly number[], logProbs?: readonly number[]): void {
  tokens.forEach((token, k) => {
    rollout.tokens.push(token);
    rollout.own.push(logProbs !== undefined);
    rollout.logProbs.push(logProbs?.[k] ?? 0);
  });
}

/** Stretches of a rollout that one side wrote, in order: the token positions [from, to). */
export function stretches({ own }: Pick<Rollout, 'own'>): { own: boolean; from: number; to: number }[] {
  const out: { own: boolean; from: number; to: number }[] = [];
  own.forEach((mine, i) => {
    const last = out.at(-1);
    if (last?.own === mine) last.to = i + 1;
    else out.push({ own: mine, from: i, to: i + 1 });
  });
  return out;
}
