/**
 * Omni-R1's answers to samples of the laptop world, and what is right in them: the answer, by the released reward's grader, and each
 * intermediate picture, by the oracle (world/omni-r1/oracle.ts).
 */
import { generate, modeConstraint } from '../generate';
import type { Generation, GenerationMode } from '../generate';
import { FormatError } from '../errors';
import type { Picture } from '../io/media';
import { imageLength, isImageToken, splitSegments } from '../models/r1-layout';
import type { OmniR1, PictureCoder } from '../models/omni-r1';
import { r1Prompt } from '../models/r1-template';
import type { R1TemplateOptions } from '../models/r1-template';
import { accuracyReward, formatReward } from '../rewards';
import {
  ACTIONS,
  BENCH_COUNTS,
  judgeStep,
  parseActions,
  problemImage,
  questionText,
  UNI_TASKS,
} from '../world/omni-r1';
import type { ActionName, R1Sample, UniTask } from '../world/omni-r1';

export interface R1Answer {
  sample: R1Sample;
  generation: Generation;
  /** "<image_1>" stands where the first picture is. */
  text: string;
  /** Null for one that is cut off or holds foreign tokens. */
  pictures: (Picture | null)[];
  /** 0 or 1. */
  accuracy: number;
  format: number;
  /** For each step of the true trajectory whether the answer's picture of that number is functionally right. */
  steps: boolean[];
  /** Whether all actions that the text holds are well-formed. */
  wellFormed: boolean;
}

export interface AnswerOptions extends Pick<R1TemplateOptions, 'mode' | 'prefixText' | 'suffixText'> {
  temperature?: number;
  topP?: number;
  generationMode?: GenerationMode;
  maxNewTokens?: number;
  maxBatch?: number;
  seed?: number;
  device?: string;
  onProgress?: (done: number, total: number) => void;
}

/** The text of tokens with its pictures numbered, and their tokens. Bytes that are no text are shown as question marks. */
export function readResponse(
  { layout, tokenizer }: Pick<OmniR1, 'layout' | 'tokenizer'>,
  tokens: readonly number[],
): { text: string; images: number[][] } {
  const images: number[][] = [];
  const parts = splitSegments(layout, tokens).map((segment) => {
    if (segment.kind === 'text')
      return tokenizer.decode(segment.tokens.filter((t) => t !== layout.eos)).replace(/\uFFFD/g, '?');
    images.push(segment.tokens);
    return `<image_${images.length}>`;
  });
  return { text: parts.join(''), images };
}

/** Control tokens are no part of the answer that is graded. */
export const gradedText = (text: string): string => text.replace(/<reserved\d{5}>/g, ' ').trim();

/** The model's answers to the samples, in their order. */
export async function answerSamples(
  model: OmniR1,
  coder: PictureCoder,
  samples: readonly R1Sample[],
  o: AnswerOptions,
): Promise<R1Answer[]> {
  const { layout, tokenizer, config } = model;
  const { temperature = 0, topP, generationMode = 'interleaved-text-image', maxBatch = 64, maxNewTokens } = o;
  const pictures = await coder.encode(samples.map((s) => s.image));
  const prompts = samples.map((s, i) =>
    r1Prompt(
      tokenizer,
      layout,
      { Question: questionText(s), 'Final Answer': s.answer, [problemImage(1)]: pictures[i] },
      o,
    )!,
  );
  const total = samples.length;
  let done = 0;
  const found: Generation[] = [];
  for (let at = 0; at < total; at += maxBatch) {
    const part = prompts.slice(at, at + maxBatch);
    const made = await generate(model, part, {
      temperature,
      topP,
      stop: [layout.eos],
      seed: o.seed,
      streams: samples.slice(at, at + maxBatch).map((s) => s.id),
      maxBatch,
      maxNewTokens,
      constraint: modeConstraint(layout, generationMode, part, { maxLength: config.maxLength }),
      device: o.device,
    });
    found.push(...made);
    o.onProgress?.((done += part.length), total);
  }
  const read = found.map((g) => readResponse(model, g.tokens));
  const whole = (tokens: number[]): boolean =>
    tokens.length === imageLength(layout) && tokens.every((t) => isImageToken(layout, t));
  const decoded = await coder.decode(read.flatMap(({ images }) => images.filter(whole)));
  let next = 0;
  return samples.map((sample, i) => {
    const { text, images } = read[i];
    const list = images.map((tokens) => (whole(tokens) ? decoded[next++] : null));
    const graded = gradedText(text);
    return {
      sample,
      generation: found[i],
      text,
      pictures: list,
      accuracy: accuracyReward(graded, sample.answer) === 1 ? 1 : 0,
      format: formatReward(graded),
      steps: sample.steps.map((_, k) => {
        const picture = list[k];
        return picture ? judgeStep(sample, k, picture).right : false;
      }),
      wellFormed: wellFormed(text),
    };
  });
}

function wellFormed(text: string): boolean {
  try {
    return parseActions(text).length > 0;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

const mean = (values: readonly number[]): number =>
  values.length ? values.reduce((a, b) => a + b, 0) / values.length : NaN;

/**
 * What is measured of graded answers, of the benchmark's or of some drawn from them: accuracy/<task>, accuracy (weighted as the
 * benchmark, 100 : 200 : 200 : 300) and right, the share of functionally right pictures.
 */
export function gradedMeasures(
  answers: readonly { task: UniTask; accuracy: number; right: readonly boolean[] }[],
): Record<string, number> {
  const out: Record<string, number> = {};
  let sum = 0;
  let weight = 0;
  for (const task of UNI_TASKS) {
    const list = answers.filter((a) => a.task === task);
    if (!list.length) continue;
    out[`accuracy/${task}`] = mean(list.map((a) => a.accuracy));
    sum += out[`accuracy/${task}`] * BENCH_COUNTS[task];
    weight += BENCH_COUNTS[task];
  }
  return { ...out, accuracy: sum / weight, right: mean(answers.flatMap((a) => a.right.map(Number))) };
}

/**
 * accuracy/<task>, accuracy/<kind>, accuracy (weighted as the benchmark, 100 : 200 : 200 : 300), format, well_formed,
 * right/<action> and right (functionally right pictures), images (a response).
 */
export function answerMetrics(answers: readonly R1Answer[]): Record<string, number> {
  const out: Record<string, number> = {};
  for (const kind of new Set(answers.map((a) => a.sample.kind)))
    out[`accuracy/${kind}`] = mean(answers.filter((a) => a.sample.kind === kind).map((a) => a.accuracy));
  out.format = mean(answers.map((a) => a.format));
  out.well_formed = mean(answers.map((a) => Number(a.wellFormed)));
  out.images = mean(answers.map((a) => a.pictures.length));
  const verdicts = answers.flatMap((a) =>
    a.sample.steps.map((step, k): [ActionName, boolean] => [step.action.name, a.steps[k]]),
  );
  for (const action of ACTIONS) {
    const list = verdicts.filter(([name]) => name === action);
    if (list.length) out[`right/${action}`] = mean(list.map(([, right]) => Number(right)));
  }
  return {
    ...out,
    ...gradedMeasures(answers.map((a) => ({ task: a.sample.task, accuracy: a.accuracy, right: a.steps }))),
  };
}
