/**
 * OmniWorld's data as tokens: the tokenizer, the backbone's corpus, instructions, preference pairs (chosen and rejected
 * files in one order), and the 300 evaluation samples.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { z } from 'zod';
import type { HostTensor } from '../../graph/dtype';
import { trainTokenizer } from '../../io/tokenizer-train';
import { defineExperiment } from '../../pipeline/experiment';
import type { TokenExample } from '../../trainers/batches';
import {
  ADDED_TOKENS,
  documents,
  encodeChat,
  evaluationSet,
  instructions,
  makeEncyclopaedia,
  preferences,
  tokenizerTexts,
  toMessages,
} from '../../world';
import type { Message, Split } from '../../world';
import { packExamples } from './examples';
import { profileSizes, worldSchema } from './sizes';

const VALIDATION_DOCUMENTS = 500;
/** Texts that the tokenizer is trained on: documents and instructions, half and half. */
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
    const texts = [...documents(book, 'train', world.documents)].map((d) => d.text);
    ctx.message('training the tokenizer');
    const tokenizer = trainTokenizer(tokenizerTexts(book, TOKENIZER_TEXTS), {
      vocabSize: world.vocabulary,
      addedTokens: ADDED_TOKENS,
    });
    await tokenizer.save(path.join(ctx.dir, 'tokenizer'));

    const total = world.documents + world.instructions + world.preferences + world.heldOutPairs + 300;
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

    const stream = (list: Iterable<string>): Record<string, HostTensor> => {
      const ids: number[] = [];
      for (const text of list) {
        for (const id of tokenizer.encode(text)) ids.push(id);
        advance();
      }
      return { ids: { dtype: 'int32', shape: [ids.length], data: Int32Array.from(ids) } };
    };
    const corpus = stream(texts);
    await store('corpus', corpus);
    await store(
      'corpus_validation',
      stream([...documents(book, 'validation', VALIDATION_DOCUMENTS)].map((d) => d.text)),
    );

    let longest = 0;
    const encode = (messages: readonly Message[]): TokenExample => {
      const { tokens, lossMask } = encodeChat(tokenizer, messages);
      longest = Math.max(longest, tokens.length);
      advance();
      return { ids: tokens, mask: lossMask };
    };
    const train = Array.from(instructions(book, 'train', world.instructions), (i) => encode(toMessages(i.record)));
    await store('instructions', packExamples(train));

    const pairs = async (name: string, split: Split, count: number): Promise<Record<string, number>> => {
      const chosen: TokenExample[] = [];
      const rejected: TokenExample[] = [];
      const corruptions: Record<string, number> = {};
      for (const p of preferences(book, split, count)) {
        chosen.push(encode([...p.prompt, ...p.chosen]));
        rejected.push(encode([...p.prompt, ...p.rejected]));
        corruptions[p.corruption] = (corruptions[p.corruption] ?? 0) + 1;
      }
      await store(`${name}_chosen`, packExamples(chosen));
      await store(`${name}_rejected`, packExamples(rejected));
      return corruptions;
    };
    const corruptions = await pairs('preferences', 'train', world.preferences);
    await pairs('preferences_validation', 'validation', world.heldOutPairs);

    const samples = evaluationSet(book);
    const evaluation = samples.map((s) => encode(toMessages(s.record)));
    await store('evaluation', packExamples(evaluation));
    await ctx.saveJson('evaluation', {
      ids: samples.map((s) => s.record.id),
      categories: samples.map((s) => s.record.category),
    });
    ctx.recordData('omniworld', hash.digest('hex'));
    ctx.progress(total, total);

    const responseTokens = evaluation.reduce((n, e) => n + Array.from(e.mask).reduce((a, b) => a + b, 0), 0);
    return {
      vocabulary: tokenizer.vocabSize,
      corpusTokens: corpus.ids.data.length,
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
