/**
 * The registry of signal tokens: one row per modality or action. A row names the tokens that the language model emits,
 * and the part of a response that they and their content count as. Adding a modality or an action is adding a row.
 */

export const MODALITIES = ['image', 'audio', 'video'] as const;
export type Modality = (typeof MODALITIES)[number];

/** Parts of a response, for rewards and losses by modality. */
export const SEGMENTS = ['text', 'img', 'aud', 'vid', 'task'] as const;
export type Segment = (typeof SEGMENTS)[number];

export interface Signal {
  name: string;
  segment: Segment;
  /** In the order in which they must be emitted. */
  tokens: readonly string[];
  /** What reads the hidden states or the content: a decoder, or a part of the agent. */
  module: 'decoder' | 'tool' | 'planner' | 'thought' | 'answer';
}

const numbered = (stem: string, n: number): string[] => Array.from({ length: n }, (_, i) => `<${stem}${i}>`);

export const SIGNALS = {
  image: { name: 'image', segment: 'img', tokens: numbered('IMG', 5), module: 'decoder' },
  audio: { name: 'audio', segment: 'aud', tokens: numbered('AUD', 4), module: 'decoder' },
  video: { name: 'video', segment: 'vid', tokens: numbered('VID', 4), module: 'decoder' },
  call: { name: 'call', segment: 'task', tokens: ['<TOOL_CALL>'], module: 'tool' },
  plan: { name: 'plan', segment: 'task', tokens: ['<PLAN>'], module: 'planner' },
  think: { name: 'think', segment: 'task', tokens: ['<THINK>'], module: 'thought' },
  act: { name: 'act', segment: 'task', tokens: ['<ACT>'], module: 'answer' },
} as const satisfies Record<string, Signal>;

/** The 17 signal tokens, in the registry's order. */
export const SIGNAL_TOKENS: readonly string[] = Object.values(SIGNALS).flatMap((s) => [...s.tokens]);

/** Tokens of the chat template: filling, start of a sequence, roles, end of a turn, and input media with their slots. */
export const CHAT_TOKENS = {
  pad: '<|pad|>',
  begin: '<|begin|>',
  end: '<|end|>',
  system: '<|system|>',
  user: '<|user|>',
  assistant: '<|assistant|>',
  tool: '<|tool|>',
  image: '<|image|>',
  audio: '<|audio|>',
  video: '<|video|>',
  slot: '<|slot|>',
  mediaEnd: '<|media_end|>',
} as const;

/** All tokens that a tokenizer for OmniAgent adds, in order: padding is 0. */
export const ADDED_TOKENS: readonly string[] = [...Object.values(CHAT_TOKENS), ...SIGNAL_TOKENS];
