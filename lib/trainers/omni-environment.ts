/** OmniWorld's instructions as an environment for reinforcement learning: tools are run, responses judged by its checkers. */
import { stretches } from '../generate/rollouts';
import type { Rollout } from '../generate/rollouts';
import type { Tokenizer } from '../io/tokenizer';
import { CHAT_TOKENS, parseResponse, runCall } from '../world';
import type { Encyclopaedia, Message, Oracle } from '../world';
import { processRewards, responseReward } from './omni-rewards';
import type { Judgement, RlEnvironment, RlTask } from './rl-environment';

/** A prompt, and what a right response to it does. */
export interface OmniTask extends RlTask {
  oracle: Oracle;
}

export interface OmniEnvironmentOptions {
  book: Encyclopaedia;
  tokenizer: Tokenizer;
  tasks: readonly OmniTask[];
  heldOut: readonly OmniTask[];
  /** Turns of the policy in a response, at most. Default 2: a call, and the answer. */
  maxTurns?: number;
  /** Size of the rewards at signal tokens (omni-rewards.ts). Default 0: none. */
  processReward?: number;
}

/** The turns of a rollout as messages. */
export function turnsOf(tokenizer: Tokenizer, rollout: Pick<Rollout, 'tokens' | 'own'>): Message[] {
  const end = tokenizer.id(CHAT_TOKENS.end);
  return stretches(rollout).map(({ own, from, to }) => {
    const said = rollout.tokens.slice(from, to);
    // The environment's part is <|tool|> result <|end|> <|assistant|>.
    if (!own) return { role: 'tool', content: tokenizer.decode(said.slice(1, -2)) };
    return { role: 'assistant', content: tokenizer.decode(said.at(-1) === end ? said.slice(0, -1) : said) };
  });
}

export function omniEnvironment(o: OmniEnvironmentOptions): RlEnvironment<OmniTask> {
  const { book, tokenizer, tasks, heldOut, maxTurns = 2, processReward = 0 } = o;
  const { end, tool, assistant } = CHAT_TOKENS;
  const ids = { end: tokenizer.id(end), tool: tokenizer.id(tool), assistant: tokenizer.id(assistant) };
  return {
    tasks,
    heldOut,
    end: ids.end,
    maxTurns,
    reply(_, turn) {
      const call = parseResponse(tokenizer.decode([...turn])).calls.at(-1);
      if (!call) return null;
      return [ids.tool, ...tokenizer.encodePlain(runCall(book, call)), ids.end, ids.assistant];
    },
    judge({ oracle }, rollout): Judgement {
      const turns = turnsOf(tokenizer, rollout);
      const { calls } = parseResponse(turns);
      return {
        ...responseReward(book, oracle, turns),
        process: processRewards(tokenizer, book, oracle, rollout, processReward),
        text: turns.map((m) => (m.role === 'tool' ? `[${m.content}]` : m.content)).join('\n'),
        calls: calls.length,
        failedCalls: calls.filter((c) => runCall(book, c).startsWith('error:')).length,
      };
    },
  };
}
