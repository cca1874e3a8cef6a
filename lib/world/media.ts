/**
 * Input media in texts. In a conversation a medium stands as an empty segment, <|image|><|media_end|>, which the chat
 * template fills with slots for the input projector's vectors. In the backbone's corpus, which has no media, the segment
 * holds a short code of what an encoder could know, so that the language model learns what such a segment is about:
 * a picture and a sound show no motion, a clip does. The code is not a sentence of the grammar.
 */
import { objectsCode } from './scene';
import type { SceneObject } from './scene';
import { CHAT_TOKENS } from './signals';
import type { Modality } from './signals';

/** Whether motion can be perceived in a modality. */
export const showsMotion = (modality: Modality): boolean => modality === 'video';

/** The segment of an input medium in a conversation. */
export const mediaSegment = (modality: Modality): string => CHAT_TOKENS[modality] + CHAT_TOKENS.mediaEnd;

/** A segment that holds a scene's code instead of a medium (the corpus). */
export const codeSegment = (modality: Modality, objects: readonly SceneObject[]): string =>
  `${CHAT_TOKENS[modality]}${objectsCode(objects, showsMotion(modality))}${CHAT_TOKENS.mediaEnd}`;

const SEGMENT = /<\|(image|audio|video)\|><\|media_end\|>/g;

/** The media of a content, in order. */
export const mediaIn = (content: string): Modality[] => [...content.matchAll(SEGMENT)].map((m) => m[1] as Modality);

/** A content cut at its media: the texts around them, one more than there are media. */
export const textsAround = (content: string): string[] => content.split(/<\|(?:image|audio|video)\|><\|media_end\|>/);
