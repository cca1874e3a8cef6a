/**
 * One request, answered: the model writes a turn; the router takes it apart; calls are executed and their results given
 * back to the model as turns of the tool, until it makes none or a limit is reached; then the media of its blocks are
 * decoded, steps of a plan in the plan's order. Nothing that the model writes makes this throw. The conversation that
 * is given stays as it is: the reply has the new one.
 */
import { ArgumentError, CancelledError } from '../errors';
import { Random } from '../nn/random';
import type { Medium } from '../io/media';
import { mediaSegment } from '../world/media';
import { parseCall } from '../world/response';
import type { Modality } from '../world/signals';
import { executeCall } from './executor';
import type { ToolCall } from './executor';
import type { AgentModel, ChatMessage } from './model';
import { PlanRun } from './planner';
import { Reply } from './reply';
import { route } from './router';
import type { Block } from './router';
import { checkTimeout } from './tool';
import type { ToolRegistry } from './tool';

/** What a user asks. */
export interface Request {
  text: string;
  media?: readonly Medium[];
}

/** What happens, as it happens. */
export type AgentEvent =
  | { kind: 'token'; piece: string; turn: number }
  | { kind: 'call'; json: string }
  | { kind: 'result'; call: ToolCall }
  | { kind: 'decode'; modality: Modality; done: number; total: number };

export interface TurnOptions {
  tools: ToolRegistry;
  /** Names of the tools that may be called; default: all. */
  allowed?: readonly string[];
  /** Most turns of the model. Default 6. */
  maxTurns?: number;
  /** Most tool calls. Default 10. */
  maxCalls?: number;
  /** Milliseconds for a tool that names no limit of its own. Default 10,000. */
  callTimeoutMs?: number;
  /** Characters of a tool's result that the model sees. Default 1000. */
  maxResult?: number;
  /** Default 0. The same conversation, request and seed give the same reply. */
  seed?: number;
  temperature?: number;
  topP?: number;
  /** For each turn. */
  maxNewTokens?: number;
  /** Tokens that must be left for an answer; older turns are left out for them. Default 64. */
  reserve?: number;
  onEvent?: (event: AgentEvent) => void;
  /** Aborting it ends the answer with CancelledError. */
  signal?: AbortSignal;
}

const RESERVE = 64;

/** A text from outside, in which nothing can be taken for the place of a medium. */
const withoutSegments = (text: string): string => text.replace(/<\|(?=(image|audio|video)\|>)/g, '< |');

/** The user's message: the media first, then the text. */
export const userMessage = ({ text, media = [] }: Request): ChatMessage => ({
  role: 'user',
  content: media.map((m) => mediaSegment(m.modality)).join('') + withoutSegments(text),
  ...(media.length ? { media } : {}),
});

/** What is gathered over the turns of one reply. */
interface Work {
  model: AgentModel;
  options: TurnOptions;
  messages: ChatMessage[];
  plan: PlanRun;
  calls: ToolCall[];
  blocks: { block: Block; step: ReturnType<PlanRun['claim']>; turn: number }[];
  texts: string[];
  thoughts: string[];
  incomplete: Set<Modality>;
  warnings: string[];
  /** Messages that the model's context had no room for. */
  leftOut: number;
  random: Random;
}

/**
 * Answers a request that continues a conversation.
 * @throws ArgumentError for limits that are none and a request that the model has no room for, CancelledError, and what
 *   the model throws of itself
 */
export async function runTurn(
  model: AgentModel,
  conversation: readonly ChatMessage[],
  request: Request,
  options: TurnOptions,
): Promise<Reply> {
  const { maxTurns = 6, maxCalls = 10, seed = 0, callTimeoutMs } = options;
  for (const [name, value, least] of [
    ['maxTurns', maxTurns, 1],
    ['maxCalls', maxCalls, 0],
  ] as const)
    if (!(Number.isInteger(value) && value >= least))
      throw new ArgumentError(
        'chat',
        `expected ${name} to be a whole number of ${least} or more, got ${value}`,
        'leave it out for the default',
      );
  if (callTimeoutMs !== undefined) checkTimeout('chat', 'callTimeoutMs', callTimeoutMs);
  const work: Work = {
    model,
    options,
    messages: [...conversation, userMessage(request)],
    plan: new PlanRun([...options.tools.keys()]),
    calls: [],
    blocks: [],
    texts: [],
    thoughts: [],
    incomplete: new Set(),
    warnings: [],
    leftOut: 0,
    random: new Random(seed, `chat/${conversation.length}`),
  };
  for (let turn = 0; await oneTurn(work, turn, turn === maxTurns - 1); turn++);
  if (work.leftOut) work.warnings.push(`the first ${work.leftOut} messages were left out: the model's context is full`);
  const media = await decodeAll(work);
  return new Reply({
    text: work.texts.join(' '),
    thoughts: work.thoughts,
    plan: work.plan.finish(),
    toolCalls: work.calls,
    media,
    incomplete: [...work.incomplete],
    warnings: work.warnings,
    messages: work.messages,
  });
}

/** A turn of the model, and its calls. Returns whether there are results that it has to see. */
async function oneTurn(work: Work, turn: number, last: boolean): Promise<boolean> {
  const { model, options, plan } = work;
  const { temperature, topP, maxNewTokens, onEvent, signal } = options;
  checkAborted(signal);
  const messages = fitting(work);
  const room = model.room?.(messages) ?? Infinity;
  if (room < 1) {
    if (turn === 0)
      throw new ArgumentError(
        'chat',
        `expected a request that leaves room for an answer, got one that is ${1 - room} tokens too long`,
        "shorten the text, or give fewer media; the model's context is all that it can hold",
      );
    work.warnings.push("the answer was cut: the model's context is full");
    return false;
  }
  const response = await model.respond(messages, {
    seed: seedOf(work.random, `turn/${turn}`),
    temperature,
    topP,
    maxNewTokens,
    onToken: onEvent && ((piece) => onEvent({ kind: 'token', piece, turn })),
    signal,
  });
  work.messages.push({ role: 'assistant', content: response.text });
  const { thoughts, steps, actions, text, incomplete, warnings } = route(response);
  work.thoughts.push(...thoughts);
  plan.add(steps);
  for (const modality of incomplete) work.incomplete.add(modality);
  work.warnings.push(...warnings);
  let called = false;
  for (const action of actions)
    if (action.kind === 'call') {
      await oneCall(work, action.json, turn, last);
      called = true;
    } else {
      const { modality } = action.block;
      const step = plan.claim({ kind: modality });
      // Taken now, so that the next block of its kind gets the next step; decoding comes at the end.
      plan.settle(step, 'done', turn);
      plan.note({ kind: modality });
      work.blocks.push({ block: action.block, step, turn });
    }
  if (text) {
    work.texts.push(text);
    plan.note({ kind: 'text' });
    const step = plan.claim({ kind: 'text' });
    const obstacle = step && plan.obstacle(step, turn);
    plan.settle(step, obstacle ? 'skipped' : 'done', turn, obstacle ?? undefined);
  }
  return called && !last;
}

/** Executes a call, if the limits and the plan let it be, and gives the result to the model. */
async function oneCall(work: Work, json: string, turn: number, last: boolean): Promise<void> {
  const { options, plan, calls } = work;
  const { tools, allowed, callTimeoutMs, maxResult, maxCalls = 10, maxTurns = 6, onEvent, signal } = options;
  const name = parseCall(json.trim(), [...tools.keys()]).call?.name ?? null;
  if (name !== null) plan.note({ kind: 'call', tool: name });
  const step = plan.claim({ kind: 'call', tool: name });
  const obstacle = step && plan.obstacle(step, turn);
  let call: ToolCall;
  if (last || calls.length >= maxCalls || obstacle) {
    const reason = obstacle
      ? `not called: ${obstacle}`
      : last
        ? `not called: this was the last of ${maxTurns} turns`
        : `not called: the limit is ${maxCalls} calls`;
    call = { json, ...(name === null ? {} : { name }), ok: false, result: `error: ${reason}`, milliseconds: 0 };
    work.warnings.push(`${name ?? 'a tool'} was ${reason}`);
  } else {
    onEvent?.({ kind: 'call', json });
    call = await executeCall(json, tools, {
      allowed,
      timeoutMs: callTimeoutMs,
      maxResult,
      seed: seedOf(work.random, `call/${calls.length}`),
      signal,
    });
  }
  calls.push(call);
  work.messages.push({ role: 'tool', content: '' });
  work.messages.at(-1)!.content = shortened(work, withoutSegments(call.result));
  onEvent?.({ kind: 'result', call });
  plan.settle(
    step,
    call.ok ? 'done' : obstacle ? 'skipped' : 'failed',
    turn,
    call.ok ? undefined : (obstacle ?? call.result),
  );
}

/** Decodes the blocks: those of a plan in its order, then the others as they came. */
async function decodeAll(work: Work): Promise<Medium[]> {
  const { model, options, plan } = work;
  const { onEvent, signal } = options;
  const order = [...work.blocks.keys()].sort((a, b) => rank(work.blocks[a].step) - rank(work.blocks[b].step) || a - b);
  const media: Medium[] = [];
  for (const index of order) {
    const { block, step, turn } = work.blocks[index];
    const { modality, embeds } = block;
    const obstacle = step && plan.obstacle(step, turn);
    if (step && obstacle) {
      plan.settle(step, 'skipped', turn, obstacle);
      work.warnings.push(`no ${modality} was made: ${obstacle}`);
      continue;
    }
    checkAborted(signal);
    try {
      media.push(
        await model.decode(modality, embeds, {
          seed: seedOf(work.random, `media/${index}`),
          onStep: onEvent && ((done, total) => onEvent({ kind: 'decode', modality, done, total })),
          signal,
        }),
      );
    } catch (error) {
      if (error instanceof CancelledError || signal?.aborted) throw error;
      const [reason] = (error as Error).message.split('\n');
      plan.settle(step, 'failed', turn, reason);
      work.warnings.push(`no ${modality} was made: ${reason}`);
    }
  }
  return media;
}

const rank = (step: { id: number } | null): number => step?.id ?? Infinity;

const seedOf = (random: Random, name: string): number => random.stream(name).int(2 ** 31);

function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted)
    throw new CancelledError('chat', 'the answer was cancelled', 'ask again; the conversation is as it was');
}

/** A tool's result, cut where the model's context has no room for all of it and an answer. */
function shortened({ model, messages, options }: Work, text: string): string {
  const current = messages.slice(messages.findLastIndex((m) => m.role === 'user'));
  const fits = (content: string): boolean =>
    !model.room || model.room([...current.slice(0, -1), { role: 'tool', content }]) >= (options.reserve ?? RESERVE);
  let content = text;
  for (let length = text.length; length > 40 && !fits(content); content = `${text.slice(0, length)}...`)
    length = Math.floor(length / 2);
  return content;
}

/** The messages that the model gets: where its context is short, the oldest exchanges are left out, whole. */
function fitting(work: Work): ChatMessage[] {
  const { model, messages, options } = work;
  const first = messages[0].role === 'system' ? 1 : 0;
  const current = messages.findLastIndex((m) => m.role === 'user');
  let start = first;
  const kept = (): ChatMessage[] => [...messages.slice(0, first), ...messages.slice(start)];
  while (start < current && model.room && model.room(kept()) < (options.reserve ?? RESERVE))
    start = messages.findIndex((m, i) => i > start && m.role === 'user');
  work.leftOut = Math.max(work.leftOut, start - first);
  return kept();
}
