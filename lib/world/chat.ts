/**
 * The chat template, and its encoding with a loss mask.
 *
 *   <|begin|><|user|>...<|end|><|assistant|>...<|end|><|tool|>...<|end|><|assistant|>...<|end|>
 *
 * No white space is added. An input medium stands inside a turn as <|image|><|media_end|> (likewise audio, video); encoding
 * puts a number of <|slot|> tokens between the two, whose embeddings the input projector's vectors replace.
 */
import { mediaIn, textsAround } from './media';
import { CHAT_TOKENS, SEGMENTS, SIGNALS } from './signals';
import type { Modality } from './signals';

export type Role = 'system' | 'user' | 'assistant' | 'tool';
export interface Message {
  role: Role;
  content: string;
}

/** What encodeChat needs of a tokenizer (io/tokenizer.ts). */
export interface Encoder {
  encode(text: string): number[];
  /** As `encode`, but the names of added tokens are spelled out in ordinary tokens. */
  encodePlain(text: string): number[];
  id(token: string): number;
}

/** The slots of an input medium: positions `at` to `at + slots - 1`. */
export interface MediaSlots {
  modality: Modality;
  at: number;
}

export interface EncodedChat {
  tokens: number[];
  /** 1 where the token is the model's to produce (assistants' content and their end token), else 0. */
  lossMask: number[];
  /** Index into SEGMENTS of each token; prompts and tools' results count as text, and their mask is 0. */
  segments: number[];
  /** The input media, in order. */
  media: MediaSlots[];
}

/** The conversation as text; with `generate`, up to the place where the assistant goes on. */
export function formatChat(messages: readonly Message[], { generate = false } = {}): string {
  const turns = messages.map((m) => `${CHAT_TOKENS[m.role]}${m.content}${CHAT_TOKENS.end}`);
  return CHAT_TOKENS.begin + turns.join('') + (generate ? CHAT_TOKENS.assistant : '');
}

/** token id -> the segment it opens (actions) or is (modalities). */
function signalIds(encoder: Encoder): Map<number, { segment: number; opens: number }> {
  const ids = new Map<number, { segment: number; opens: number }>();
  const task = SEGMENTS.indexOf('task');
  const text = SEGMENTS.indexOf('text');
  for (const signal of Object.values(SIGNALS))
    for (const token of signal.tokens) {
      // After a block of signal tokens, and after <ACT>, plain text goes on; the other actions own what follows them.
      const opens = signal.module === 'decoder' || signal.module === 'answer' ? text : task;
      ids.set(encoder.id(token), { segment: SEGMENTS.indexOf(signal.segment), opens });
    }
  return ids;
}

const known = new WeakMap<Encoder, ReturnType<typeof signalIds>>();

/** The segment of each token of an assistant's turn (indices into SEGMENTS). */
export function segmentsOf(encoder: Encoder, tokens: readonly number[]): number[] {
  let ids = known.get(encoder);
  if (!ids) known.set(encoder, (ids = signalIds(encoder)));
  let current = SEGMENTS.indexOf('text');
  return tokens.map((token) => {
    const signal = ids.get(token);
    if (!signal) return current;
    current = signal.opens;
    return signal.segment;
  });
}

export interface EncodeChatOptions {
  /** End with the assistant's role token: a prompt, for generation. */
  generate?: boolean;
  /** Slot tokens of each input medium. Default 8. */
  slots?: number;
}

/**
 * Encodes a conversation. What a user says and a tool returns comes from outside: names of added tokens in it are spelled
 * out in ordinary tokens, so that it can forge neither a role nor a signal; only the segments of input media are kept.
 */
export function encodeChat(
  encoder: Encoder,
  messages: readonly Message[],
  { generate = false, slots = 8 }: EncodeChatOptions = {},
): EncodedChat {
  const chat: EncodedChat = { tokens: [encoder.id(CHAT_TOKENS.begin)], lossMask: [0], segments: [0], media: [] };
  const end = encoder.id(CHAT_TOKENS.end);
  for (const { role, content } of messages) {
    chat.tokens.push(encoder.id(CHAT_TOKENS[role]));
    const start = chat.tokens.length;
    if (role === 'assistant' || role === 'system') chat.tokens.push(...encoder.encode(content));
    else {
      const found = mediaIn(content);
      for (const [i, text] of textsAround(content).entries()) {
        if (text) chat.tokens.push(...encoder.encodePlain(text));
        if (i === found.length) break;
        chat.tokens.push(encoder.id(CHAT_TOKENS[found[i]]));
        chat.media.push({ modality: found[i], at: chat.tokens.length });
        for (let k = 0; k < slots; k++) chat.tokens.push(encoder.id(CHAT_TOKENS.slot));
        chat.tokens.push(encoder.id(CHAT_TOKENS.mediaEnd));
      }
    }
    chat.tokens.push(end);
    const body = chat.tokens.slice(start);
    const trained = role === 'assistant' ? 1 : 0;
    chat.lossMask.push(0, ...body.map(() => trained));
    chat.segments.push(0, ...(trained ? segmentsOf(encoder, body) : body.map(() => 0)));
  }
  if (generate) {
    chat.tokens.push(encoder.id(CHAT_TOKENS.assistant));
    chat.lossMask.push(0);
    chat.segments.push(0);
  }
  return chat;
}
