/** As many "<image>" in a question as it has pictures, by the released script's rules. */
import { IMAGE_PLACEHOLDER } from '../../generate/omni-r1/prompt';

export interface Alignment {
  text: string;
  /** How many of the pictures stay: the first ones. */
  pictures: number;
}

export interface AlignmentOptions {
  /** Adds missing placeholders at the end; otherwise pictures without one go. Default true. */
  insert?: boolean;
  /** Takes placeholders without picture out; otherwise the row is refused. Default true. */
  remove?: boolean;
}

/** Undefined for a row that is refused. A question without any placeholder gets one in front, if there are pictures. */
export function alignPlaceholders(
  question: string,
  pictures: number,
  { insert = true, remove = true }: AlignmentOptions = {},
): Alignment | undefined {
  let text = pictures && !question.includes(IMAGE_PLACEHOLDER) ? IMAGE_PLACEHOLDER + question : question;
  const parts = text.split(IMAGE_PLACEHOLDER);
  const places = parts.length - 1;
  if (!pictures) return { text: parts.join(''), pictures: 0 };
  if (places < pictures) {
    if (!insert) return { text, pictures: places };
    const missing = Array.from({ length: pictures - places }, () => IMAGE_PLACEHOLDER);
    text = `${text.trimEnd()} ${missing.join(' ')}`;
  } else if (places > pictures) {
    if (!remove) return undefined;
    text = parts.slice(0, pictures + 1).join(IMAGE_PLACEHOLDER) + parts.slice(pictures + 1).join('');
  }
  return { text, pictures };
}
