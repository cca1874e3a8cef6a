/**
 * The records of stages 0 to 3 that records.ts does not have, one schema each: what a JSONL line holds. Media stand in them
 * as scenes, with the rendered file beside the records where one was written (media-files.ts reads either).
 *
 *   stage 0  corpus (documentSchema), pairs for the joint encoder, captioned media for the decoders
 *   stage 1  media with captions, plain (as CC3M, AudioCaps) and as conversations (as LLaVA's)
 *   stage 2  captions with what the signal tokens' projection is to match
 *   stage 3  conversations (instructionSchema), questions on media, use of tools
 */
import { z } from 'zod';
import { TOOLS, instructionSchema, oracleSchema } from './records';
import { objectSchema } from './scene';
import { MODALITIES } from './signals';
import { SPLITS } from './splits';

const { conversations, input_modalities, output_modalities, media, plan, tool_calls } = instructionSchema.shape;
const common = { id: z.string(), split: z.enum(SPLITS) };
const modality = z.enum(MODALITIES);

/** Stage 0, joint encoder: one scene's objects in every modality, each on a background of its own, and in words. */
export const pairSchema = z.strictObject({
  ...common,
  media: media.required(),
  /** The canonical captions: as a picture or a sound shows the scene, and as a clip does. */
  captions: z.strictObject({ still: z.string(), moving: z.string() }),
  /** Free wordings of the same. */
  texts: z.strictObject({ still: z.string(), moving: z.string() }),
});
export type PairRecord = z.infer<typeof pairSchema>;

/** Stage 0, decoders: a medium to generate, and its canonical caption. */
export const captionedSchema = z.strictObject({ ...common, modality, caption: z.string(), media });
export type CaptionedRecord = z.infer<typeof captionedSchema>;

/** Stage 1: a medium and what it shows, in one of very many wordings. */
export const mediaCaptionSchema = z.strictObject({
  ...common,
  modality,
  /** `caption`: medium and caption alone; `conversation`: the caption answers a request. */
  style: z.enum(['caption', 'conversation']),
  caption: z.string(),
  media,
  conversations: conversations.optional(),
});
export type MediaCaptionRecord = z.infer<typeof mediaCaptionSchema>;

/** Stage 2: a caption, the signal tokens that follow it, and the captions whose embeddings they are to give. */
export const signalCaptionSchema = z.strictObject({
  ...common,
  /** What the language model reads. */
  caption: z.string(),
  /** In the order of their blocks. */
  blocks: z.array(
    z.strictObject({
      modality,
      signals: z.array(z.string()),
      /** The canonical caption: its encoding by the decoder's text encoder is the target. */
      target: z.string(),
    }),
  ),
});
export type SignalCaptionRecord = z.infer<typeof signalCaptionSchema>;

export const QUESTIONS = ['colour', 'shape', 'size', 'place', 'motion', 'count', 'exists', 'caption'] as const;
export type QuestionKind = (typeof QUESTIONS)[number];

/** Stage 3, understanding: a question on a medium. */
export const understandingSchema = z.strictObject({
  ...common,
  modality,
  /** What is asked, and the answer: a value of the attribute, a cell as "a1", a number, yes or no, a canonical caption. */
  question: z.strictObject({ kind: z.enum(QUESTIONS), answer: z.string() }),
  objects: z.array(objectSchema).min(1).max(3),
  input_modalities,
  output_modalities,
  media,
  conversations,
});
export type UnderstandingRecord = z.infer<typeof understandingSchema>;

/** Stage 3, use of tools: a question that takes one call, without media. */
export const toolUseSchema = z.strictObject({
  ...common,
  tool: z.enum(TOOLS),
  input_modalities,
  output_modalities,
  conversations,
  plan,
  tool_calls,
  oracle: oracleSchema,
});
export type ToolUseRecord = z.infer<typeof toolUseSchema>;
