/** What captions of media get right, read by the grammar's parser, for each modality. */
import { attributeAccuracy, chanceAccuracy, meanAccuracy, parseScene, showsMotion } from '../world';
import type { AttributeAccuracy, Modality, SceneObject } from '../world';

export interface Captioned {
  modality: Modality;
  expected: readonly SceneObject[];
  text: string;
}

/** Means as flat metrics: `caption/image/shape`, ..., `caption/image/exact`, and chance by attribute for pictures. */
export function captionAccuracy(captions: readonly Captioned[]): Record<string, number> {
  const metrics: Record<string, number> = {};
  for (const modality of [...new Set(captions.map((c) => c.modality))]) {
    const motion = showsMotion(modality);
    const found: AttributeAccuracy[] = captions
      .filter((c) => c.modality === modality)
      .map(({ expected, text }) => attributeAccuracy(expected, parseScene(text).objects, { motion }));
    const [accuracy, chance] = [meanAccuracy(found), chanceAccuracy({ motion, samples: 2000 })];
    for (const name of Object.keys(accuracy) as (keyof AttributeAccuracy)[]) {
      metrics[`caption/${modality}/${name}`] = accuracy[name]!;
      metrics[`caption/${modality}/${name}_chance`] = chance[name]!;
    }
  }
  return metrics;
}
