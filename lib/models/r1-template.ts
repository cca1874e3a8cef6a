/**
 * Samples and prompts of Omni-R1 as tokens (released code, PeSFT data): plain, and templated with control tokens. Texts hold
 * `<image_start>[KEY]<image_end>` where the picture of that key stands; its tokens are given, BOI and EOI among them.
 */
import { ArgumentError } from '../errors';
import type { Tokenizer } from '../io/tokenizer';
import { Random } from '../nn/random';
import type { TokenLayout } from './r1-layout';

/** A row of the released JSON Lines: Zebra-CoT's names, and an id list for each picture. */
export type R1Row = {
  Question: string;
  'Text Reasoning Trace'?: string;
  'Final Answer': string;
  [image: string]: string | readonly number[] | undefined;
};

export interface R1TemplateOptions {
  mode: 'plain' | 'templated';
  /** Plain only: the trace and a line end before the answer. */
  plainIncludeRationale?: boolean;
  /** Templated only: before and after the question. */
  prefixText?: string;
  suffixText?: string;
  /** Longer samples are dropped. */
  maxLength: number;
  /** Chooses the lead phrases. Default 42. */
  seed?: number;
}

export const TEMPLATE = {
  prefix: 'You are a helpful assistant.\nUser: ',
  suffix:
    ' Think with images first, the thoughts inside <reserved12856> and <reserved12857>, the answer inside <reserved12866> and <reserved12867>.\nAssistant:',
  leads: [
    "Let's think step-by-step.",
    'Let me think about this step by step.',
    'First, I look at the picture.',
    'I will reason through this step by step.',
    'Let me work through this carefully.',
    'Step by step, this can be found.',
    "Let's break this down.",
    'Let me reason with images.',
  ],
} as const;

/** A sample as tokens; `mask` is 1 where the model is to learn. */
export interface R1Example {
  ids: number[];
  mask: number[];
}

const PLACEHOLDER = /<image_start>\[([^\]]+)\]<image_end>/g;

/** A text with its pictures' tokens in place, or null where a key is missing. */
export function tokensOfText(tokenizer: Tokenizer, text: string, images: R1Row): number[] | null {
  const ids: number[] = [];
  let from = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    const picture = images[match[1]];
    if (!Array.isArray(picture)) return null;
    if (match.index > from) ids.push(...tokenizer.encode(text.slice(from, match.index)));
    ids.push(...(picture as number[]));
    from = match.index + match[0].length;
  }
  return from < text.length ? [...ids, ...tokenizer.encode(text.slice(from))] : ids;
}

/** The prompt of a row: what comes before the response. Null for a missing picture. */
export function r1Prompt(
  tokenizer: Tokenizer,
  layout: TokenLayout,
  row: Pick<R1Row, 'Question'> & R1Row,
  o: Pick<R1TemplateOptions, 'mode' | 'prefixText' | 'suffixText'>,
): number[] | null {
  const { prefixText = TEMPLATE.prefix, suffixText = TEMPLATE.suffix } = o;
  const question = tokensOfText(tokenizer, row.Question, row);
  if (!question) return null;
  return o.mode === 'plain'
    ? [layout.bos, ...question]
    : [layout.bos, ...tokenizer.encode(prefixText), ...question, ...tokenizer.encode(suffixText)];
}

/**
 * A row as tokens, the prompt masked, or null where the released code drops it: no question or answer, in a template no
 * trace, a missing picture, or more than `maxLength` tokens. `index` chooses the lead phrase, with the seed.
 */
export function r1Example(
  tokenizer: Tokenizer,
  layout: TokenLayout,
  row: R1Row,
  index: number,
  o: R1TemplateOptions,
): R1Example | null {
  if (!(o.maxLength > 0))
    throw new ArgumentError(
      'r1Example',
      `expected a positive maxLength, got ${o.maxLength}`,
      'the released default is 5100',
    );
  const trace = row['Text Reasoning Trace'] ?? '';
  const answer = row['Final Answer'] ?? '';
  if (!row.Question?.trim() || !answer.trim() || (o.mode === 'templated' && !trace.trim())) return null;
  const prompt = r1Prompt(tokenizer, layout, row, o);
  // A picture that only an unused trace names is not missing.
  const withTrace = o.mode === 'templated' || (o.plainIncludeRationale && trace.trim() !== '');
  const thoughts = withTrace ? tokensOfText(tokenizer, trace, row) : [];
  const final = tokensOfText(tokenizer, answer, row);
  if (!prompt || !thoughts || !final) return null;
  const lead = new Random(o.seed ?? 42, 'lead phrases').stream(index).choice(TEMPLATE.leads);
  const response =
    o.mode === 'plain'
      ? [...(withTrace ? [...thoughts, ...tokenizer.encode('\n')] : []), ...final]
      : [
          ...tokenizer.encode(lead),
          layout.thoughtOpen,
          ...thoughts,
          layout.thoughtClose,
          layout.answerOpen,
          ...final,
          layout.answerClose,
        ];
  const ids = [...prompt, ...response, layout.eos];
  if (ids.length > o.maxLength) return null;
  return { ids, mask: ids.map((_, i) => (i < prompt.length ? 0 : 1)) };
}
