/**
 * OmniWorld's data as tokens: the tokenizer, the backbone's corpus, captions of media (stage 1) and for media (stage 2),
 * instructions (stage 3), preference pairs (stage 4; chosen and rejected files in one order), and the 300 evaluation
 * samples. Input media are kept as their scenes; what trains on them renders and encodes them.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { z } from 'zod';
import type { HostTensor } from '../../graph/dtype';
import type { Tokenizer } from '../../io/tokenizer';
import { trainTokenizer } from '../../io/tokenizer-train';
import { defineExperiment } from '../../pipeline/experiment';
import {
  ADDED_TOKENS,
  CHAT_TOKENS,
  documentMask,
  documents,
  encodeChat,
  evaluationSet,
  findBlocks,
  instructions,
  makeEncyclopaedia,
  makeInstruction,
  makeMediaCaption,
  makeSignalCaption,
  makeToolUse,
  makeUnderstanding,
  preferences,
  targetCaption,
  tokenizerTexts,
  toMessages,
} from '../../world';
import type { Encyclopaedia, Instruction, InstructionRecord, Message, Modality, Oracle, Split } from '../../world';
import { packExamples, storedMedia } from './examples';
import type { SceneExample } from './examples';
import { profileSizes, worldSchema } from './sizes';

const VALIDATION_DOCUMENTS = 500;
/** Held-out captions, and held-out instructions for the agent's evaluation. */
const HELD_OUT_CAPTIONS = 300;
/** Texts that the tokenizer is trained on, at most: documents and instructions, half and half. */
const TOKENIZER_TEXTS = 10000;

export const data = defineExperiment({
  name: 'omniagent/data',
  description: "OmniWorld's corpus, instructions, preference pairs and evaluation set as tokens",
  module: __filename,
  schema: z.strictObject({ world: worldSchema }),
  config: (profile) => ({ world: profileSizes(profile).world }),
  async run(ctx) {
    const { world } = ctx.config;
    const book = makeEncyclopaedia(ctx.seed, world.places);
    ctx.message('training the tokenizer');
    const tokenizer = trainTokenizer(tokenizerTexts(book, Math.min(TOKENIZER_TEXTS, 2 * world.documents)), {
      vocabSize: world.vocabulary,
      addedTokens: ADDED_TOKENS,
    });
    await tokenizer.save(path.join(ctx.dir, 'tokenizer'));

    const total =
      world.documents +
      VALIDATION_DOCUMENTS +
      2 * (world.captions + HELD_OUT_CAPTIONS) +
      world.instructions +
      2 * (world.preferences + world.heldOutPairs) +
      300;
    let done = 0;
    const advance = (): void => {
      if (++done % 200 === 0) ctx.progress(done, total);
    };
    const hash = createHash('sha256');
    const store = async (name: string, tensors: Record<string, HostTensor>): Promise<void> => {
      for (const t of Object.values(tensors))
        hash.update(new Uint8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength));
      await ctx.save(name, tensors);
    };

    let corpusTokens = 0;
    for (const [name, split, count] of [
      ['corpus', 'train', world.documents],
      ['corpus_validation', 'validation', VALIDATION_DOCUMENTS],
    ] as const) {
      const examples = Array.from(documents(book, split, count), ({ text }) => {
        const ids = tokenizer.encode(text);
        advance();
        return { ids, mask: documentMask(tokenizer, ids) };
      });
      await store(name, packExamples(examples));
      if (split === 'train') corpusTokens = examples.reduce((n, e) => n + e.ids.length, 0);
    }

    let longest = 0;
    const encode = (
      messages: readonly Message[],
      media: InstructionRecord['media'],
      oracle: Pick<Oracle, 'objects' | 'motion'>,
    ): SceneExample => {
      const { tokens, lossMask, media: slots } = encodeChat(tokenizer, messages, { slots: world.slots });
      longest = Math.max(longest, tokens.length);
      advance();
      return {
        ids: tokens,
        mask: lossMask,
        media: slots.map(({ modality, at }) => ({ at, medium: { modality, scene: media[modality]!.scene } })),
        blocks: findBlocks(tokenizer, tokens).blocks.map((b) => ({ ...b, caption: targetCaption(b.modality, oracle) })),
      };
    };
    const storeExamples = async (name: string, examples: readonly SceneExample[]): Promise<void> => {
      await store(name, packExamples(examples));
      const media = storedMedia(examples);
      hash.update(JSON.stringify(media));
      await ctx.saveJson(`${name}_media`, media);
    };

    // Stage 1: a medium, then its description. Stage 2: a description, then the signal tokens of all media.
    const { begin, end } = CHAT_TOKENS;
    const [opens, closes] = [tokenizer.id(begin), tokenizer.id(end)];
    for (const [split, count, suffix] of [
      ['train', world.captions, ''],
      ['test', HELD_OUT_CAPTIONS, '_test'],
    ] as const) {
      const encoding: SceneExample[] = [];
      const decoding: SceneExample[] = [];
      for (let i = 0; i < count; i++) {
        const { modality, scene, text } = makeMediaCaption(book.seed, split, i);
        const described = [...tokenizer.encode(text), closes];
        const head = [opens, ...slotTokens(tokenizer, modality, world.slots)];
        encoding.push({
          ids: [...head, ...described],
          mask: [...head.map(() => 0), ...described.map(() => 1)],
          media: [{ at: 2, medium: { modality, scene } }],
          blocks: [],
        });
        const other = makeSignalCaption(book.seed, split, i);
        const words = tokenizer.encode(other.caption);
        const ids = [opens, ...words];
        const blocks = other.blocks.map(({ modality, signals, target }) => {
          const at = ids.length;
          ids.push(...signals.map((t) => tokenizer.id(t)));
          return { modality, at, caption: target };
        });
        ids.push(closes);
        // The caption is read, not learned: out of nothing it could only be guessed.
        decoding.push({ ids, mask: ids.map((_, t) => Number(t > words.length)), media: [], blocks });
        advance();
        advance();
      }
      await storeExamples(`encoding${suffix}`, encoding);
      await storeExamples(`decoding${suffix}`, decoding);
    }

    const train = Array.from(stage3Samples(book, world.instructions), ({ turns, media, oracle }) =>
      encode(turns, media, oracle),
    );
    await storeExamples('instructions', train);

    const pairs = async (name: string, split: Split, count: number): Promise<Record<string, number>> => {
      const chosen: SceneExample[] = [];
      const rejected: SceneExample[] = [];
      const corruptions: Record<string, number> = {};
      for (const p of preferences(book, split, count)) {
        chosen.push(encode([...p.prompt, ...p.chosen], p.media, p.oracle));
        rejected.push(encode([...p.prompt, ...p.rejected], p.media, p.oracle));
        corruptions[p.corruption] = (corruptions[p.corruption] ?? 0) + 1;
      }
      await storeExamples(`${name}_chosen`, chosen);
      await storeExamples(`${name}_rejected`, rejected);
      return corruptions;
    };
    const corruptions = await pairs('preferences', 'train', world.preferences);
    await pairs('preferences_validation', 'validation', world.heldOutPairs);

    const samples = evaluationSet(book);
    const evaluation = samples.map((s) => encode(toMessages(s.record), s.record.media, s.oracle));
    await storeExamples('evaluation', evaluation);
    await ctx.saveJson('evaluation', {
      ids: samples.map((s) => s.record.id),
      categories: samples.map((s) => s.record.category),
    });
    ctx.recordData('omniworld', hash.digest('hex'));
    ctx.progress(total, total);

    const responseTokens = evaluation.reduce((n, e) => n + Array.from(e.mask).reduce((a, b) => a + b, 0), 0);
    return {
      vocabulary: tokenizer.vocabSize,
      corpusTokens,
      instructionTokens: train.reduce((n, e) => n + e.ids.length, 0),
      // Of all sets; the evaluation refuses what the model's length would cut.
      longestSample: longest,
      evaluationResponseTokens: responseTokens,
      // No model can have a lower perplexity: this is the wording's own entropy.
      perplexityBound: Math.exp(samples.reduce((n, s) => n + s.nats, 0) / responseTokens),
      ...Object.fromEntries(Object.entries(corruptions).map(([k, v]) => [`corruption/${k}`, v])),
    };
  },
});

/** <|image|>, slots, <|media_end|>. */
function slotTokens(tokenizer: Tokenizer, modality: Modality, slots: number): number[] {
  const [open, close] = [CHAT_TOKENS[modality], CHAT_TOKENS.mediaEnd].map((t) => tokenizer.id(t));
  return [open, ...new Array<number>(slots).fill(tokenizer.id(CHAT_TOKENS.slot)), close];
}

/**
 * What stage 3's training samples are, by turns: conversations in the six categories, questions on media and tool questions (the card's MAgenIT,
 * Understanding and ToolBench) in proportions of 4 : 1 : 2, and one more of those that need a plan, the longest to learn.
 */
const STAGE3_TURNS = [
  'conversation',
  'understanding',
  'conversation',
  'tools',
  'conversation',
  'plan',
  'conversation',
  'tools',
] as const;

/** Of two samples the one with the longer plan: plans of many steps are rare, and the last to be learned. */
export function longerPlan(book: Encyclopaedia, index: number): Instruction {
  const [a, b] = [2 * index, 2 * index + 1].map((i) =>
    makeInstruction(book, 'multi_step_creation', 'train', i, 'plan'),
  );
  return b.oracle.plan.length > a.oracle.plan.length ? b : a;
}

/** Stage 3's training samples; each kind counts its own. */
function* stage3Samples(
  book: Encyclopaedia,
  count: number,
): Generator<{ turns: Message[]; media: InstructionRecord['media']; oracle: Pick<Oracle, 'objects' | 'motion'> }> {
  const conversations = instructions(book, 'train', count);
  const made = { conversation: 0, understanding: 0, tools: 0, plan: 0 };
  for (let i = 0; i < count; i++) {
    const kind = STAGE3_TURNS[i % STAGE3_TURNS.length];
    const index = made[kind]++;
    if (kind === 'understanding') {
      const { record, prompt, response } = makeUnderstanding(book.seed, 'train', index);
      yield { turns: [...prompt, ...response], media: record.media, oracle: NO_TARGET };
    } else if (kind === 'tools') {
      const { prompt, response } = makeToolUse(book, 'train', index);
      yield { turns: [...prompt, ...response], media: {}, oracle: NO_TARGET };
    } else {
      const { record, oracle } =
        kind === 'plan' ? longerPlan(book, index) : (conversations.next().value as Instruction);
      yield { turns: toMessages(record), media: record.media, oracle };
    }
  }
}

/** For responses that generate no media. */
const NO_TARGET = { objects: null, motion: false };
