/** What the output projectors give for the blocks of examples, under parts that are being trained. */
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { inputProjector } from '../models/input-projector';
import { llamaHidden } from '../models/llama';
import type { LlamaParams } from '../models/llama';
import { fillSlots, projectBlocks } from '../models/omniagent';
import { embedding } from '../nn/linear';
import { jit } from '../runtime/jit';
import { MODALITIES } from '../world/signals';
import type { Modality } from '../world/signals';
import { tunedLanguageModel } from './omni';
import type { OmniOptions, OmniParts } from './omni';
import { omniBatch } from './omni-batch';
import type { OmniBatch, OmniExample } from './omni-batch';

export type ProjectOptions = Pick<OmniOptions, 'model' | 'base' | 'lora' | 'inputConfig' | 'outputConfig' | 'batch'> & {
  parts: OmniParts;
};

/** The conditioning for the first block of each modality in each example: [queries, width] with its modality. */
export async function projectExamples(
  o: ProjectOptions,
  examples: readonly OmniExample[],
  device?: string,
): Promise<{ example: number; modality: Modality; embeds: Tensor }[]> {
  const project = jit(
    (base: LlamaParams, parts: OmniParts, b: OmniBatch): Record<Modality, Tensor> => {
      const p = tunedLanguageModel(base, parts, o.lora);
      const tokens = embedding(p.model.embed_tokens, b.ids);
      const embeddings =
        b.input && parts.inputProjector && o.inputConfig
          ? fillSlots(tokens, b.input.slots, inputProjector(parts.inputProjector, o.inputConfig, b.input.media))
          : tokens;
      const hidden = llamaHidden(p, o.model, { embeddings });
      return Object.fromEntries(
        MODALITIES.map((m) => [
          m,
          projectBlocks(parts.outputProjectors![m], o.outputConfig![m], hidden, tokens, b.output![m].at),
        ]),
      ) as Record<Modality, Tensor>;
    },
    { device, name: 'project' },
  );
  const size = Math.min(16, examples.length);
  const found: { example: number; modality: Modality; embeds: Tensor }[] = [];
  for (let at = 0; at < examples.length; at += size) {
    const rows = Array.from({ length: size }, (_, k) => Math.min(at + k, examples.length - 1));
    const out = await project(
      o.base,
      o.parts,
      omniBatch(
        rows.map((r) => examples[r]),
        o.batch,
      ),
    );
    for (const m of MODALITIES) {
      const values = (await out[m].data()) as Float32Array;
      const shape = out[m].shape.slice(1);
      const each = shape[0] * shape[1];
      for (let k = 0; k < size && at + k < examples.length; k++)
        if (examples[at + k].blocks.some((b) => b.modality === m))
          found.push({
            example: at + k,
            modality: m,
            embeds: tensor(values.slice(k * each, (k + 1) * each), { shape: [1, ...shape] }),
          });
      out[m].dispose();
    }
  }
  project.release();
  return found.sort((a, b) => a.example - b.example);
}
