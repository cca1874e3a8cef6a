/**
 * Rewards on OmniWorld, from its checkers (world/score.ts): nothing is learnt, and nothing is typed in.
 *
 * Of a response: the mean of the checkers' scores, each 0 to 1, over the parts that matter to it: the text always; img, aud
 * and vid where such a medium is asked for or was begun; task where a tool or a plan is asked for or a tool was called.
 * A medium counts by its block of signal tokens: decoding pictures in the loop would take longer than all the rest.
 *
 * Of a token (GRPO++'s process rewards): + scale where a signal is right, - scale where it is wrong:
 *
 *   last token of a block    +  the first whole block of a modality that is asked for;  - any other
 *   token of a broken block  -
 *   <THINK> <PLAN> <ACT>     +  the first, where the request asks for it (a tool or a plan; <PLAN>: a plan);  - any other
 *   <TOOL_CALL>              +  the first, where a tool is asked for;  - any other
 *   last token of a call     +  the right tool with the oracle's result;  - not well-formed, or another tool
 */
import {
  CHAT_TOKENS,
  findBlocks,
  MODALITIES,
  parseCall,
  parseResponse,
  runCall,
  scoreResponse,
  SEGMENTS,
  SIGNALS,
} from '../world';
import type { Encoder, Encyclopaedia, Message, Oracle, Segment } from '../world';

/** Scores by part, those that matter alone, and their mean. */
export function responseReward(
  book: Encyclopaedia,
  oracle: Oracle,
  turns: readonly Message[],
): { reward: number; rewards: Partial<Record<Segment, number>> } {
  const scores = scoreResponse(book, oracle, turns);
  const { blocks, calls } = parseResponse(turns);
  const matters: Record<Segment, boolean> = {
    text: true,
    img: false,
    aud: false,
    vid: false,
    task: oracle.tool !== null || oracle.plan.length > 0 || calls.length > 0,
  };
  for (const m of MODALITIES)
    matters[SIGNALS[m].segment] = oracle.outputs.includes(m) || blocks[m].complete + blocks[m].stray > 0;
  const parts = SEGMENTS.filter((s) => matters[s]);
  return {
    reward: parts.reduce((sum, s) => sum + scores[s], 0) / parts.length,
    rewards: Object.fromEntries(parts.map((s) => [s, scores[s]])),
  };
}

/** What is needed of a tokenizer. */
export type SignalCodec = Pick<Encoder, 'id'> & { decode(ids: readonly number[]): string };

/** Tokens of one response, `own` the policy's, to rewards of the same length. */
export function processRewards(
  codec: SignalCodec,
  book: Encyclopaedia,
  oracle: Oracle,
  { tokens, own }: { tokens: readonly number[]; own: readonly boolean[] },
  scale: number,
): Float32Array {
  const rewards = new Float32Array(tokens.length);
  if (!scale) return rewards;
  const agentic = oracle.tool !== null || oracle.plan.length > 0;
  const left = new Set<string>([
    ...oracle.outputs,
    ...(agentic ? ['think', 'act'] : []),
    ...(oracle.plan.length ? ['plan'] : []),
    ...(oracle.tool ? ['call'] : []),
  ]);
  const mark = (at: number, right: boolean | null): void => {
    if (right !== null) rewards[at] += right ? scale : -scale;
  };
  const names = new Map(Object.entries(SIGNALS).flatMap(([name, s]) => s.tokens.map((t) => [codec.id(t), name])));
  // What the environment wrote parts the policy's turns, and no signal stands in it.
  const mine = tokens.map((token, t) => (own[t] ? token : -1));
  const whole = new Map(findBlocks(codec, mine).blocks.map(({ modality, at }) => [at, modality]));
  for (let t = 0; t < tokens.length; t++) {
    const name = names.get(mine[t]);
    if (name === undefined) continue;
    const block = whole.get(t);
    if (block) {
      t += SIGNALS[block].tokens.length - 1;
      mark(t, left.delete(block));
    } else if (name === 'call') {
      const asked = left.delete('call');
      mark(t, asked);
      let end = t + 1;
      while (end < tokens.length && own[end] && !names.has(tokens[end]) && tokens[end] !== codec.id(CHAT_TOKENS.end))
        end++;
      mark(end - 1, asked ? callIsRight(book, oracle, codec.decode(tokens.slice(t + 1, end))) : false);
    } else mark(t, (MODALITIES as readonly string[]).includes(name) ? false : left.delete(name));
  }
  return rewards;
}

/** Null where the call is of the right tool with another result: neither praised nor punished. */
function callIsRight(book: Encyclopaedia, oracle: Oracle, json: string): boolean | null {
  const parsed = parseCall(json);
  if (parsed.call?.name !== oracle.tool) return false;
  return runCall(book, parsed) === oracle.result ? true : null;
}
