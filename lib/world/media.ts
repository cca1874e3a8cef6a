/**
 * Input media in a prompt. Until the encoders exist, a medium is shown to the language model as a short code of what
 * its encoder could know: a picture and a sound show no motion, a clip does. The code is not a sentence of the
 * grammar, so the model has to learn to put it into words.
 */
import { objectsCode } from './scene';
import type { SceneObject } from './scene';
import { CHAT_TOKENS } from './signals';
import type { Modality } from './signals';

/** Whether motion can be perceived in a modality. */
export const showsMotion = (modality: Modality): boolean => modality === 'video';

/** The placeholder segment of a medium, tokens included. */
export const mediaSegment = (modality: Modality, objects: readonly SceneObject[]): string =>
  `${CHAT_TOKENS[modality]}${objectsCode(objects, showsMotion(modality))}${CHAT_TOKENS.mediaEnd}`;

const SEGMENT = /<\|(image|audio|video)\|>(.*?)<\|media_end\|>/g;

/** The media of a prompt, in order, as their codes. */
export const mediaIn = (content: string): { modality: Modality; code: string }[] =>
  [...content.matchAll(SEGMENT)].map((m) => ({ modality: m[1] as Modality, code: m[2] }));
