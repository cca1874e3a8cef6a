/** Prompts of text and pictures as token ids, as Chameleon's processor builds them. */
import { ArgumentError } from '../../errors';
import type { Picture } from '../../io/media';
import type { InterleavedModel } from './interleaved-model';

export const IMAGE_PLACEHOLDER = '<image>';

/** What the templated form puts before and after a question; the reserved tokens enclose thoughts and answer. */
export const TEMPLATE_PREFIX = 'You are a helpful assistant.\nUser: ';
export const TEMPLATE_SUFFIX =
  ' Think with images first. The image reasoning process and the final answer are enclosed within <reserved12856> ' +
  '<reserved12857> and <reserved12866> <reserved12867> XML tags, respectively.\nAssistant:';

export interface PromptOptions {
  /** Ends the prompt with BOI, so that an image comes first. It counts as one of `max images`. */
  appendBoi?: boolean;
  /** Id that stands for a picture, where it is not the layout's. */
  placeholder?: number;
}

/**
 * BOS, the text, and in the place of each placeholder BOI, the picture's tokens and EOI.
 * @throws ArgumentError if placeholders and pictures differ in number
 */
export async function encodePrompt(
  model: InterleavedModel,
  text: string,
  pictures: readonly Picture[],
  { appendBoi = false, placeholder = model.layout.placeholder }: PromptOptions = {},
): Promise<number[]> {
  const { boi, eoi } = model.layout;
  const ids = model.encodeText(text);
  const places = ids.filter((id) => id === placeholder).length;
  if (places !== pictures.length)
    throw new ArgumentError(
      'prompt',
      `expected as many ${IMAGE_PLACEHOLDER} as pictures, got ${places} and ${pictures.length}`,
      `write one ${IMAGE_PLACEHOLDER} where each picture stands`,
    );
  const encoded = await Promise.all(pictures.map((picture) => model.encodeImage(picture)));
  let next = 0;
  const whole = ids.flatMap((id) => (id === placeholder ? [boi, ...encoded[next++], eoi] : [id]));
  return appendBoi ? [...whole, boi] : whole;
}
