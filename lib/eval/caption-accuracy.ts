/** What captions of media get right, read by the grammar's parser, for each modality. */
import { attributeAccuracy, chanceAccuracy, parseScene, showsMotion } from '../world';
import type { AttributeAccuracy, Modality, SceneObject } from '../world';
import { estimate, MEDIA_ATTRIBUTES } from './media-attributes';

export interface Captioned {
  modality: Modality;
  expected: readonly SceneObject[];
  text: string;
}

/**
 * Flat metrics: `caption/image/shape`, `caption/image/shape_low`, `_high` (95 % interval), `_chance`, ..., and
 * `caption/image/captions`.
 */
export function captionAccuracy(captions: readonly Captioned[]): Record<string, number> {
  const metrics: Record<string, number> = {};
  for (const modality of [...new Set(captions.map((c) => c.modality))]) {
    const motion = showsMotion(modality);
    const found: AttributeAccuracy[] = captions
      .filter((c) => c.modality === modality)
      .map(({ expected, text }) => attributeAccuracy(expected, parseScene(text).objects, { motion }));
    const chance = chanceAccuracy({ motion, samples: 2000 });
    for (const name of MEDIA_ATTRIBUTES) {
      if (name === 'motion' && !motion) continue;
      const { mean, low, high } = estimate(found.map((f) => f[name]!));
      const key = `caption/${modality}/${name}`;
      Object.assign(metrics, {
        [key]: mean,
        [`${key}_low`]: low,
        [`${key}_high`]: high,
        [`${key}_chance`]: chance[name],
      });
    }
    metrics[`caption/${modality}/captions`] = found.length;
  }
  return metrics;
}
