/** Evaluating one policy on the 300 samples: losses of the references, answers, what the answers are worth, and media. */
import { z } from 'zod';
import { taskMetrics } from '../../eval/agent-tasks';
import { answerSamples } from '../../eval/answer-samples';
import type { Answer } from '../../eval/answer-samples';
import { policyDrift } from '../../eval/drift';
import type { EvaluatedSample } from '../../eval/evaluated';
import { agenticPrompts, judgeAnswer } from '../../eval/judge-answers';
import { attributeMetrics, mediaAttributes } from '../../eval/media-attributes';
import type { GeneratedMedium } from '../../eval/media-attributes';
import { indexFigures } from '../../eval/novel-indices';
import { perplexities, sampleLosses } from '../../eval/perplexity';
import { decodeBlocks } from '../../generate/omni';
import type { OmniModel } from '../../generate/omni';
import { concat } from '../../graph/tensor';
import type { LlamaParams } from '../../models/llama';
import type { Profile } from '../../pipeline/profile';
import type { Run } from '../../pipeline/run-result';
import { vectorShape } from '../../trainers/batches';
import type { TokenExample } from '../../trainers/batches';
import {
  CATEGORIES,
  encodeChat,
  evaluationSet,
  makeEncyclopaedia,
  MODALITIES,
  shownObjects,
  targetCaption,
} from '../../world';
import type { Instruction } from '../../world';
import { fillExamples, loadOmniExamples } from './load';
import type { Sample } from './samples';

const count = z.number().int().min(0);
export const answersSchema = z.strictObject({
  /** Samples of each category that are answered (50 are there). Those that ACI needs come first. */
  answers: count.min(12),
  /** Media that are decoded, by modality. */
  media: z.strictObject({ image: count, audio: count, video: count }),
});

/** How much of the evaluation set is answered and decoded. */
export const answerSizes: Record<Exclude<Profile, 'paper'>, z.infer<typeof answersSchema>> = {
  smoke: { answers: 12, media: { image: 4, audio: 4, video: 2 } },
  laptop: { answers: 30, media: { image: 24, audio: 48, video: 6 } },
  gpu: { answers: 50, media: { image: 150, audio: 150, video: 100 } },
};

/** Tokens of one turn, at most (references have at most 104 in their longest), and answers that are generated together. */
export const ANSWER_LIMITS = { maxNewTokens: 160, maxBatch: 32 };

export interface EvaluateOptions extends z.infer<typeof answersSchema> {
  maxNewTokens: number;
  maxBatch: number;
  seed: number;
  device?: string;
  message: (text: string) => void;
}

export interface Evaluation {
  samples: EvaluatedSample[];
  answers: { sample: Instruction; answer: Answer }[];
  media: Sample[];
  metrics: Record<string, number>;
}

/** The samples that are answered: of each category the first, ACI's prompts before the others. */
export function answeredSamples(samples: readonly Instruction[], perCategory: number): Instruction[] {
  const agentic = new Set(agenticPrompts(samples));
  return CATEGORIES.flatMap((category) => {
    const own = samples.filter((s) => s.record.category === category);
    return [...own.filter((s) => agentic.has(s)), ...own.filter((s) => !agentic.has(s))].slice(0, perCategory);
  });
}

/** `agent` answers with the policy's weights; `supervised` are those that the policy started from. */
export async function evaluate(
  data: Run,
  agent: OmniModel,
  supervised: LlamaParams,
  { answers: perCategory, maxNewTokens, maxBatch, media, seed, device, message }: EvaluateOptions,
): Promise<Evaluation> {
  const { params: policy, config } = agent.llama;
  const book = makeEncyclopaedia(data.seed, (data.config.world as { places: number }).places);
  const all = evaluationSet(book);
  message('perplexities of the references');
  const filled = await fillExamples(agent, await loadOmniExamples(data, 'evaluation'), device);
  const { slots, outWidth } = agent.input!.config;
  const vectors = vectorShape(filled, slots, outWidth);
  const losses = await sampleLosses(
    policy,
    config,
    filled.map((e, i) => ({ ...e, category: all[i].record.category })),
    { vectors, device },
  );

  message('answering');
  const chosen = answeredSamples(all, perCategory);
  const answers = await answerSamples(agent, book, chosen, { seed, device, maxNewTokens, maxBatch });
  const place = new Map(all.map((s, i) => [s, i]));
  // The conversation as it went, with the prompt's media where they were.
  const spoken = chosen.map((s, i): TokenExample => {
    const { tokens, lossMask } = encodeChat(agent.tokenizer, [...s.prompt, ...answers[i].turns], { slots });
    return { ids: tokens, mask: lossMask, vectors: filled[place.get(s)!].vectors };
  });
  message('divergence from the supervised model');
  const drifts =
    policy === supervised ? null : await policyDrift(policy, supervised, config, spoken, { vectors, device });

  const agentic = new Set(agenticPrompts(all));
  const answered = new Map(
    chosen.map((s, i) => {
      const judged = judgeAnswer(book, s, answers[i], { agentic: agentic.has(s) });
      const drift = drifts?.[i] ?? { drift: 0, tokens: spoken[i].mask.length };
      return [s, { ...judged, drift: drift.drift, driftTokens: drift.tokens }] as const;
    }),
  );
  const samples = all.map((s, i): EvaluatedSample => {
    const answer = answered.get(s);
    return { id: s.record.id, ...losses[i], category: s.record.category, ...(answer ? { answer } : {}) };
  });

  const { generated, shown } = await decodeAnswers(agent, chosen, answers, { media, seed, device, message });
  return {
    samples,
    answers: chosen.map((sample, i) => ({ sample, answer: answers[i] })),
    media: shown,
    metrics: {
      ...perplexities(losses),
      ...indexFigures(samples, config.vocabSize),
      ...taskMetrics(book, chosen, answers),
      ...(generated.length ? attributeMetrics(mediaAttributes(generated)) : {}),
    },
  };
}

/** `count` of the items, or all, at equal distances: of each kind its share, where the kinds come one after the other. */
export function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)]);
}

/** Media that are kept to be looked at, of each modality. */
const SHOWN = 8;

/**
 * Media of each modality, decoded, where they are asked for: of each category its share. Which they are does not depend on the answers, so
 * that policies are measured on the same requests; an answer without its medium gives none.
 */
async function decodeAnswers(
  agent: OmniModel,
  chosen: readonly Instruction[],
  answers: readonly Answer[],
  { media, seed, device, message }: Pick<EvaluateOptions, 'media' | 'seed' | 'device' | 'message'>,
): Promise<{ generated: GeneratedMedium[]; shown: Sample[] }> {
  const generated: GeneratedMedium[] = [];
  const shown: Sample[] = [];
  for (const modality of MODALITIES) {
    const asked = chosen.flatMap(({ oracle, record }, i) =>
      oracle.objects && oracle.outputs.includes(modality) ? [{ oracle, id: record.id, answer: answers[i] }] : [],
    );
    const blocks = spread(asked, media[modality]).flatMap(({ oracle, id, answer }) => {
      const block = answer.blocks.find((b) => b.modality === modality);
      return block ? [{ oracle, embeds: block.embeds, stream: id }] : [];
    });
    if (!blocks.length) continue;
    message(`decoding ${blocks.length} of ${modality}`);
    const made = await decodeBlocks(agent, modality, concat(blocks.map((b) => b.embeds)), {
      seed,
      streams: blocks.map((b) => b.stream),
      device,
    });
    const pairs = made.map((medium, i) => ({ medium, oracle: blocks[i].oracle }));
    for (const { medium, oracle } of pairs) generated.push({ medium, expected: shownObjects(modality, oracle) });
    for (const { medium, oracle } of spread(pairs, SHOWN))
      shown.push({ medium, caption: targetCaption(modality, oracle) });
  }
  return { generated, shown };
}
