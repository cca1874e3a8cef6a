/** Omni-R1's model as the commands use it: from a folder, or from one in memory. */
import { Tokenizer } from '../../io/tokenizer';
import { pictureCoder } from '../../models/omni-r1';
import type { OmniR1 } from '../../models/omni-r1';
import { loadOmniR1 } from '../../models/omni-r1-folder';
import { layoutOf } from '../../models/r1-layout';
import { generate } from '../generate';
import { modeConstraint } from '../interleaved';
import type { InterleavedModel } from './interleaved-model';

export interface LoadOptions {
  device?: string;
  /** Another folder's tokenizer (the released --processor-path). */
  tokenizer?: string;
  /** Another folder's image tokenizer (the released --vq-ref-path). */
  imageTokenizer?: string;
}

/** The model on a device. Released checkpoints add a penalty for repetition (1.2), which is not there. */
export function interleavedModel(model: OmniR1, { device }: { device?: string } = {}): InterleavedModel {
  const { config, params, tokenizer, layout } = model;
  const coder = pictureCoder(model, { device });
  return {
    layout,
    maxLength: config.maxLength,
    encodeText: (text) => [layout.bos, ...tokenizer.encode(text)],
    decodeText: (ids) => tokenizer.decode(ids),
    encodeImage: async (picture) => (await coder.encode([picture]))[0].slice(1, -1),
    decodeImage: async (ids) => (await coder.decode([ids]))[0],
    async generate(prompts, { mode, maxLength, limits, sample, temperature, topP, seed, streams, signal }) {
      const made = await generate({ params, config }, prompts, {
        maxLength: Math.min(maxLength, config.maxLength),
        stop: [layout.eos],
        temperature: sample ? temperature : 0,
        ...(sample ? { topP } : {}),
        seed,
        streams,
        constraint: modeConstraint(layout, mode, prompts, { maxLength: limits ?? maxLength }),
        signal,
        device,
      });
      return made.map(({ tokens }, i) => [...prompts[i], ...tokens]);
    },
  };
}

/** @throws FormatError for a folder that is no saved Omni-R1 model */
export async function loadInterleavedModel(
  dir: string,
  { device, tokenizer, imageTokenizer }: LoadOptions = {},
): Promise<InterleavedModel> {
  let model = await loadOmniR1(dir);
  if (tokenizer !== undefined) {
    const other = Tokenizer.load(tokenizer);
    model = {
      ...model,
      tokenizer: other,
      layout: layoutOf(other, { rows: model.layout.rows, columns: model.layout.columns }),
    };
  }
  if (imageTokenizer !== undefined) model = { ...model, vqgan: (await loadOmniR1(imageTokenizer)).vqgan };
  return interleavedModel(model, { device });
}
