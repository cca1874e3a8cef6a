/** Media as the joint encoder sees them, in batches for the input projector. */
import { ArgumentError } from '../errors';
import { tensor } from '../graph/tensor';
import { MODALITIES } from '../world/signals';
import type { Modality } from '../world/signals';
import type { MediaStates } from './input-projector';

/** A medium as the joint encoder sees it. */
export interface EncodedMedium {
  modality: Modality;
  /** [length, width] */
  states: Float32Array;
  length: number;
}

/** States of media, padded to one length and width: `count` rows, of which those that are null are empty. */
export function packStates(media: readonly (EncodedMedium | null)[], width: number, length: number): MediaStates {
  const states = new Float32Array(media.length * length * width);
  const lengths = new Int32Array(media.length);
  const modality = new Int32Array(media.length);
  media.forEach((m, i) => {
    if (!m) return;
    const own = m.states.length / m.length;
    if (own > width || m.length > length)
      throw new ArgumentError(
        'packStates',
        `expected at most ${length} states of width ${width}, got ${m.length} of width ${own}`,
        'the input projector was made for another encoder',
      );
    for (let t = 0; t < m.length; t++) states.set(m.states.subarray(t * own, (t + 1) * own), (i * length + t) * width);
    lengths[i] = m.length;
    modality[i] = MODALITIES.indexOf(m.modality);
  });
  return {
    states: tensor(states, { shape: [media.length, length, width] }),
    lengths: tensor(lengths),
    modality: tensor(modality),
  };
}
