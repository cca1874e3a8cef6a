/** Blocks of signal tokens in a sequence of token ids: which modality's decoder each goes to. */
import type { Encoder } from './chat';
import { MODALITIES, SIGNALS } from './signals';
import type { Modality } from './signals';

export interface BlockSearch {
  /** Whole ordered blocks, in order: the position of the first token. */
  blocks: { modality: Modality; at: number }[];
  /** Modalities with a block that was begun, broken or out of order; each named once. */
  incomplete: Modality[];
}

/** Finds whole blocks: all of a modality's tokens, one after the other, in order. */
export function findBlocks(encoder: Pick<Encoder, 'id'>, tokens: ArrayLike<number>): BlockSearch {
  const ids = MODALITIES.map((modality) => ({ modality, ids: SIGNALS[modality].tokens.map((t) => encoder.id(t)) }));
  const found: BlockSearch = { blocks: [], incomplete: [] };
  for (let t = 0; t < tokens.length;) {
    const signal = ids.find((s) => s.ids.includes(tokens[t]));
    if (!signal) t++;
    else if (signal.ids.every((id, k) => tokens[t + k] === id)) {
      found.blocks.push({ modality: signal.modality, at: t });
      t += signal.ids.length;
    } else {
      if (!found.incomplete.includes(signal.modality)) found.incomplete.push(signal.modality);
      t++;
    }
  }
  return found;
}
