/** Captions of media and for media: what stages 1 and 2 learn from. */
import { ArgumentError } from '../errors';
import { Random } from '../nn/random';
import { captionOf } from './caption';
import { describeObjects } from './describe';
import { showsMotion } from './media';
import { parseScene } from './parse';
import type { Oracle } from './records';
import { drawScene } from './scene';
import type { Scene, SceneObject } from './scene';
import { MODALITIES } from './signals';
import type { Modality } from './signals';
import type { Split } from './splits';
import { Wording } from './wording';

/** A medium (its scene), and its description in one of very many wordings. */
export interface MediaCaption {
  modality: Modality;
  scene: Scene;
  text: string;
}

/** Caption `index` of a split, the modalities by turns: a pure function of the seed and these. */
export function makeMediaCaption(seed: number, split: Split, index: number): MediaCaption {
  const random = new Random(seed, `caption/${split}/${index}`);
  const modality = MODALITIES[index % MODALITIES.length];
  const scene = drawScene(random, { split });
  return {
    modality,
    scene,
    text: describeObjects(scene.objects, new Wording(random), { motion: showsMotion(modality) }),
  };
}

/** What a generated medium is to show: the objects as far as the modality shows them; untold motion is none. */
export const shownObjects = (
  modality: Modality,
  { objects, motion }: Pick<Oracle, 'objects' | 'motion'>,
): SceneObject[] =>
  (objects ?? []).map((o) => (showsMotion(modality) && motion ? o : { ...o, motion: 'still' as const }));

/** The objects that a canonical caption tells of. Throws ArgumentError for a text that does not tell a scene. */
export function captionObjects(caption: string): SceneObject[] {
  const { scene, problems } = parseScene(caption);
  if (!scene)
    throw new ArgumentError(
      'captionObjects',
      `expected a caption of a scene, got "${caption}": ${problems.join('; ')}`,
      'captionOf writes one',
    );
  return scene;
}

/** The canonical caption of what a modality is to show. */
export const targetCaption = (modality: Modality, oracle: Pick<Oracle, 'objects' | 'motion'>): string =>
  captionOf(shownObjects(modality, oracle), { motion: showsMotion(modality) });
