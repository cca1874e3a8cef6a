/** Responses: written from a draft, and read back from whatever a model wrote. */
import type { Message } from './chat';
import { TOOLS } from './records';
import { CHAT_TOKENS, MODALITIES, SIGNALS, SIGNAL_TOKENS } from './signals';
import type { Modality } from './signals';

/** A response before it is put into tokens. */
export interface Draft {
  think?: string;
  plan?: string[];
  /** The call as JSON text (perhaps damaged), and what the tool returned. */
  call?: { json: string; result: string };
  /** Whether the answer is opened with <ACT>. */
  act: boolean;
  text: string;
  /** The description within `text`. */
  caption?: string;
  /** Signal blocks after the text, each a list of tokens. */
  blocks: string[][];
}

/** The complete block of a modality. */
export const fullBlock = (modality: Modality): string[] => [...SIGNALS[modality].tokens];

/** A response as turns: the assistant's, and around a call the tool's result and the assistant's answer. */
export function renderDraft(draft: Draft): Message[] {
  const { think, plan, call } = draft;
  let head = '';
  if (think) head += `<THINK>${think}`;
  if (plan) head += `<PLAN>${plan.map((step, i) => `${i + 1}. ${step}`).join(' ')}`;
  const answer = `${draft.act ? '<ACT>' : ''}${draft.text}${draft.blocks.flat().join('')}`;
  if (!call) return [{ role: 'assistant', content: head + answer }];
  return [
    { role: 'assistant', content: `${head}<TOOL_CALL>${call.json}` },
    { role: 'tool', content: call.result },
    { role: 'assistant', content: answer },
  ];
}

export interface ParsedCall {
  /** The call's text, as it was. */
  json: string;
  /** Absent if the text is not a well-formed call. */
  call?: { name: string; arguments: Record<string, unknown> };
  /** Why it is not well-formed. */
  problem?: string;
}

/** What a response does. */
export interface ParsedResponse {
  thoughts: string[];
  /** Steps of all plans. */
  plan: string[];
  calls: ParsedCall[];
  /** Whether <ACT> opens an answer that is not empty. */
  acts: boolean;
  /** Text outside thoughts, plans and calls. */
  text: string;
  /** For each modality, how many whole blocks there are, and the tokens of broken ones. */
  blocks: Record<Modality, { complete: number; stray: number }>;
}

/**
 * Reads a tool call's JSON: {"name": ..., "arguments": {...}}, where the name is one of `tools`. Never throws.
 */
export function parseCall(json: string, tools: readonly string[] = TOOLS): ParsedCall {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return { json, problem: 'the call is not valid JSON' };
  }
  const { name, arguments: args } = (value ?? {}) as Record<string, unknown>;
  if (typeof name !== 'string') return { json, problem: 'the call has no name' };
  if (typeof args !== 'object' || args === null || Array.isArray(args))
    return { json, problem: 'the arguments are not an object' };
  if (!tools.includes(name)) return { json, problem: `no tool is named ${name}` };
  return { json, call: { name, arguments: args as Record<string, unknown> } };
}

const PIECES = new RegExp(`(${SIGNAL_TOKENS.join('|')})`);

/**
 * A piece of a response: text that belongs to an action (or to the answer), a whole block, or a token of a broken one.
 */
export type Part =
  /** 'act' is text right after <ACT>. */
  | { kind: 'think' | 'plan' | 'call' | 'act' | 'text'; text: string }
  | { kind: 'block'; modality: Modality }
  | { kind: 'stray'; modality: Modality; token: string };

/** Actions whose content follows their token, by the token. */
const SECTIONS: Record<string, 'think' | 'plan' | 'call' | 'act'> = Object.fromEntries(
  (['think', 'plan', 'call', 'act'] as const).map((name) => [SIGNALS[name].tokens[0], name]),
);

/** The parts of one turn, in order. Actions without content leave none. Never throws. */
export function readParts(turn: string): Part[] {
  const pieces = turn.replaceAll(CHAT_TOKENS.end, '').split(PIECES);
  const parts: Part[] = [];
  let section: 'think' | 'plan' | 'call' | 'act' | 'text' = 'text';
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i];
    const modality = MODALITIES.find((m) => (SIGNALS[m].tokens as readonly string[]).includes(piece));
    if (modality) {
      // split() alternates text and tokens, so neighbouring tokens have an empty piece between them.
      const tokens = SIGNALS[modality].tokens;
      if (tokens.every((token, k) => pieces[i + 2 * k] === token && (k === 0 || pieces[i + 2 * k - 1] === ''))) {
        parts.push({ kind: 'block', modality });
        i += 2 * (tokens.length - 1);
      } else parts.push({ kind: 'stray', modality, token: piece });
      section = 'text';
    } else if (Object.hasOwn(SECTIONS, piece)) section = SECTIONS[piece];
    else if (piece) parts.push({ kind: section, text: piece });
  }
  return parts;
}

/** Reads a response: text (of one turn), or turns, of which the assistant's count. Never throws. */
export function parseResponse(response: string | readonly Message[], tools: readonly string[] = TOOLS): ParsedResponse {
  const turns =
    typeof response === 'string' ? [response] : response.filter((m) => m.role === 'assistant').map((m) => m.content);
  const parsed: ParsedResponse = {
    thoughts: [],
    plan: [],
    calls: [],
    acts: false,
    text: '',
    blocks: { image: { complete: 0, stray: 0 }, audio: { complete: 0, stray: 0 }, video: { complete: 0, stray: 0 } },
  };
  for (const part of turns.flatMap(readParts)) {
    if (part.kind === 'block') parsed.blocks[part.modality].complete++;
    else if (part.kind === 'stray') parsed.blocks[part.modality].stray++;
    else if (part.kind === 'think') parsed.thoughts.push(part.text);
    else if (part.kind === 'plan') parsed.plan.push(...readSteps(part.text));
    else if (part.kind === 'call') parsed.calls.push(parseCall(part.text, tools));
    else {
      parsed.text += (parsed.text ? ' ' : '') + part.text.trim();
      if (part.kind === 'act') parsed.acts = true;
    }
  }
  return parsed;
}

/** "1. ... 2. ..." -> steps. The number in "as in step 1. 2. Draw it." begins none. */
export const readSteps = (text: string): string[] =>
  text
    .split(/(?:^|(?<!\b(?:steps?|and))\s)\d+\.\s+/i)
    .map((s) => s.trim())
    .filter(Boolean);
