/** The records of the data sets, one schema each: what a JSONL line holds. */
import { z } from 'zod';
import { PRODUCTS } from './encyclopaedia';
import { objectSchema, sceneSchema } from './scene';
import { MODALITIES } from './signals';
import { SPLITS } from './splits';
import { SUM_KINDS } from './sums';
import type { Sum } from './sums';

export const CATEGORIES = [
  'audio_to_image',
  'image_to_audio',
  'text_to_multimodal',
  'search_and_generate',
  'code_and_explain',
  'multi_step_creation',
] as const;
export type Category = (typeof CATEGORIES)[number];

export const CORRUPTIONS = [
  'wrong_attribute',
  'missing_modality',
  'extra_modality',
  'incomplete_block',
  'malformed_call',
  'wrong_call',
  'missing_plan',
  'rambling',
] as const;
export type CorruptionName = (typeof CORRUPTIONS)[number];

const PLAN_STEPS = ['search', 'compute', 'describe', 'image', 'audio', 'video'] as const;
export type PlanStep = (typeof PLAN_STEPS)[number];
export const TOOLS = ['web_search', 'code_interpreter'] as const;
export type ToolName = (typeof TOOLS)[number];

const anyModality = z.enum(['text', ...MODALITIES]);
const factSchema = z.union([
  z.strictObject({ place: z.string(), attribute: z.enum(['population', 'area', 'founded', 'region']) }),
  z.strictObject({ place: z.string(), attribute: z.literal('product'), product: z.enum(PRODUCTS), year: z.int() }),
]);
const sumSchema = z.strictObject({
  kind: z.enum(SUM_KINDS as [Sum['kind'], ...Sum['kind'][]]),
  numbers: z.array(z.int()).min(1),
});

/** What a right response must do: everything that the checkers (score.ts) need. */
export const oracleSchema = z.strictObject({
  /** What the text must describe, if anything. */
  objects: z.array(objectSchema).min(1).max(3).nullable(),
  /** Whether the description tells motion. */
  motion: z.boolean(),
  /** Whether `objects` are known only from the search's result (an emblem). */
  emblem: z.boolean(),
  /** Signal blocks to emit, in this order. */
  outputs: z.array(z.enum(MODALITIES)),
  /** Steps that the plan must have, in this order; none if no plan is asked for. */
  plan: z.array(z.enum(PLAN_STEPS)),
  fact: factSchema.nullable(),
  sum: sumSchema.nullable(),
  tool: z.enum(TOOLS).nullable(),
  /** What the right tool call returns. */
  result: z.string().nullable(),
  /** What the text must state. */
  answer: z.string().nullable(),
});
export type Oracle = z.infer<typeof oracleSchema>;

const mediumSchema = z.strictObject({
  role: z.enum(['input', 'output']),
  scene: sceneSchema,
  /** The rendered file beside the records, once there is one. */
  file: z.string().optional(),
});

const mediaSchema = z.strictObject({
  image: mediumSchema.optional(),
  audio: mediumSchema.optional(),
  video: mediumSchema.optional(),
});

const turnSchema = z.strictObject({
  from: z.enum(['human', 'gpt', 'tool']),
  value: z.string(),
  input_modality: z.array(anyModality).optional(),
  output_modality: z.array(anyModality).optional(),
  /** What a generated medium shows, in words. */
  caption: z.string().optional(),
});

/** One instruction sample (MAgenIT's fields, and the oracle). */
export const instructionSchema = z.strictObject({
  id: z.string(),
  category: z.enum(CATEGORIES),
  split: z.enum(SPLITS),
  input_modalities: z.array(anyModality),
  output_modalities: z.array(anyModality),
  media: mediaSchema,
  conversations: z.array(turnSchema).min(2),
  plan: z.array(z.string()),
  tool_calls: z.array(
    z.strictObject({ name: z.string(), arguments: z.record(z.string(), z.unknown()), result: z.string() }),
  ),
  oracle: oracleSchema,
});
export type InstructionRecord = z.infer<typeof instructionSchema>;

export const messageSchema = z.strictObject({
  role: z.enum(['system', 'user', 'assistant', 'tool']),
  content: z.string(),
});

const rewardSchema = z.strictObject({ chosen: z.number(), rejected: z.number() });

/** One preference pair (TRL's conversational format, and scores by modality). */
export const preferenceSchema = z.strictObject({
  id: z.string(),
  category: z.enum(CATEGORIES),
  split: z.enum(SPLITS),
  corruption: z.enum(CORRUPTIONS),
  prompt: z.array(messageSchema).min(1),
  media: mediaSchema,
  /** Scenes of the pictures in the prompt. */
  images: z.array(mediumSchema),
  chosen: z.array(messageSchema).min(1),
  rejected: z.array(messageSchema).min(1),
  /** Media that the chosen or the rejected response emits. */
  modalities: z.array(z.enum(MODALITIES)),
  rewards: z.strictObject({
    text: rewardSchema,
    img: rewardSchema,
    aud: rewardSchema,
    vid: rewardSchema,
    task: rewardSchema,
  }),
  oracle: oracleSchema,
});
export type PreferenceRecord = z.infer<typeof preferenceSchema>;

/** One document of the backbone's corpus; it may hold tokens of the chat template. */
export const documentSchema = z.strictObject({ id: z.string(), kind: z.string(), text: z.string() });
export type DocumentRecord = z.infer<typeof documentSchema>;
