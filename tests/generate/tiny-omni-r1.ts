/** A small Omni-R1 with random weights, for what stands around models. */
import { trainTokenizer } from '../../lib/io';
import { chameleonInit, chameleonSizes } from '../../lib/models/chameleon';
import { saveOmniR1 } from '../../lib/models/omni-r1-folder';
import type { OmniR1 } from '../../lib/models/omni-r1';
import { layoutOf, layoutTokens } from '../../lib/models/r1-layout';
import { vqganGrid, vqganInit, vqganSizes } from '../../lib/models/vqgan';
import { Random } from '../../lib/nn';

export function tinyOmniR1(seed = 0): OmniR1 {
  const vq = vqganSizes.nano;
  const side = vqganGrid(vq);
  const added = layoutTokens(vq.numEmbeddings);
  const tokenizer = trainTokenizer(['what is this here', 'Final Answer: a red circle'], {
    vocabSize: added.length + 300,
    addedTokens: added,
  });
  const config = { ...chameleonSizes.nano, vocabSize: tokenizer.vocabSize, maxLength: 4 * side * side + 160 };
  return {
    config,
    params: chameleonInit(new Random(seed, 'model'), config),
    vqgan: { config: vq, params: vqganInit(new Random(seed, 'image tokenizer'), vq) },
    tokenizer,
    layout: layoutOf(tokenizer, { rows: side, columns: side }),
  };
}

export const saveTiny = (dir: string, seed = 0): Promise<void> => saveOmniR1(dir, tinyOmniR1(seed));
