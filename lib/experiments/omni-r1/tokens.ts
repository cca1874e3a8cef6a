/** Samples of the laptop world as rows and as tokens: the vocabulary, trajectories, descriptions for the base model. */
import type { Tokenizer } from '../../io/tokenizer';
import { trainTokenizer } from '../../io/tokenizer-train';
import type { PictureCoder } from '../../models/omni-r1';
import { layoutTokens } from '../../models/r1-layout';
import type { TokenLayout } from '../../models/r1-layout';
import { TEMPLATE } from '../../models/r1-template';
import type { R1Example, R1Row } from '../../models/r1-template';
import { Random } from '../../nn/random';
import {
  describeFigure,
  describePlaces,
  finalAnswer,
  interleavedTrace,
  problemImage,
  questionText,
  r1Sample,
  reasoningImage,
  textChain,
} from '../../world/omni-r1';
import type { R1Sample } from '../../world/omni-r1';

/** Samples whose texts the tokenizer sees. */
const TEXTS = 800;
/** Coordinates of the world's actions are sixteenths: one token each, as a number with a decimal point. */
const COORDINATES = Array.from({ length: 15 }, (_, i) => String((i + 1) / 16));

const withoutImages = (text: string): string => text.replace(/<image_start>\[[^\]]*\]<image_end>|<image>/g, '');

/** A vocabulary in the order of Anole's: special tokens, image tokens, control tokens, then coordinates, bytes and words. */
export function trainR1Tokenizer(seed: number, codes: number, vocabSize: number): Tokenizer {
  const texts = Array.from({ length: TEXTS }, (_, i) => r1Sample(seed, 'train', i)).flatMap((s) => [
    withoutImages(s.question),
    withoutImages(interleavedTrace(s)),
    ...textChain(s),
    finalAnswer(s.answer),
    describeFigure(s),
  ]);
  const template = [TEMPLATE.prefix, TEMPLATE.suffix, ...TEMPLATE.leads];
  return trainTokenizer([...texts, ...template.flatMap((t) => new Array<string>(50).fill(t))], {
    vocabSize,
    addedTokens: [...layoutTokens(codes), ...COORDINATES],
  });
}

/** Rows of the released format, with true pictures. */
export async function trajectoryRows(coder: PictureCoder, samples: readonly R1Sample[]): Promise<R1Row[]> {
  const pictures = samples.flatMap((s) => [s.image, ...s.steps.map((step) => step.image)]);
  const tokens = await coder.encode(pictures);
  let next = 0;
  return samples.map((s) => {
    const row: R1Row = {
      Question: questionText(s),
      'Text Reasoning Trace': interleavedTrace(s),
      'Final Answer': finalAnswer(s.answer),
      [problemImage(1)]: tokens[next++],
    };
    s.steps.forEach((_, i) => (row[reasoningImage(i + 1)] = tokens[next++]));
    return row;
  });
}

/** Tokens of the words that stand between a picture and what is told of it, at most. */
const BETWEEN = 24;

/** How many of the samples are told rather than drawn: more of those of which places are told, the longest to learn. */
const TOLD = { located: 0.75, other: 0.5 };

/**
 * What the base model learns from: pictures and their descriptions, without a question. Told: the picture, as many words of another's
 * description as it happens, then what it shows, and where: told right after the picture, each place would be learned by its distance from
 * there, which is another one in a trajectory. Drawn: some of its facts, then the picture.
 */
export async function descriptionExamples(
  coder: PictureCoder,
  tokenizer: Tokenizer,
  layout: TokenLayout,
  samples: readonly R1Sample[],
  seed: number,
): Promise<R1Example[]> {
  const tokens = await coder.encode(samples.map((s) => s.image));
  const random = new Random(seed, 'descriptions');
  return samples.map((s, i) => {
    const own = random.stream(i);
    const some = (of: R1Sample): number[] => {
      const kept = of.facts.filter(() => own.uniform() < 0.5);
      return tokenizer.encode(describeFigure(of, kept.length ? kept : [own.choice(of.facts)]));
    };
    // Drawn, not by turns: the kinds of samples come in turns too, and each must be told and drawn.
    if (own.uniform() < (s.located ? TOLD.located : TOLD.other)) {
      const words = [...tokenizer.encode(describePlaces(s, own)), layout.eos];
      const other = some(samples[(i + 1) % samples.length]).slice(0, BETWEEN);
      const head = [layout.bos, ...tokens[i], ...other.slice(0, own.int(other.length + 1))];
      return { ids: [...head, ...words], mask: [...head.map(() => 0), ...words.map(() => 1)] };
    }
    const head = [layout.bos, ...some(s)];
    const picture = [...tokens[i], layout.eos];
    return { ids: [...head, ...picture], mask: [...head.map(() => 0), ...picture.map(() => 1)] };
  });
}
