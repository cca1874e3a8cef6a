/**
 * The canonical caption: one fixed way to say a scene, for the decoders' text encoders and for what is aligned to them.
 *
 *   small red circle top left and large blue star middle right
 *
 * Size, colour, shape, row, column, and for clips the motion: five or six words an object, objects in reading order, at
 * most 20 words. The parser (parse.ts) reads it as it reads the grammar.
 */
import { CAPTION_MOTIONS, CAPTION_PLACES } from './lexicon';
import { inReadingOrder } from './scene';
import type { SceneObject } from './scene';

/** The canonical caption of objects; with `motion` (for clips) each object's motion is told, stillness too. */
export const captionOf = (objects: readonly SceneObject[], { motion = false }: { motion?: boolean } = {}): string =>
  inReadingOrder(objects)
    .map((o) => {
      const words = [o.size, o.colour, o.shape, CAPTION_PLACES[o.cell[0]][o.cell[1]]];
      return (motion ? [...words, CAPTION_MOTIONS[o.motion]] : words).join(' ');
    })
    .join(' and ');
