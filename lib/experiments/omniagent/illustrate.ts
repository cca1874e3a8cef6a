/** Media for the blocks of examples, from an output projector that is being trained: shown, saved and measured. */
import { attributeMetrics, mediaAttributes } from '../../eval/media-attributes';
import { generateMedia } from '../../generate/diffusion';
import { concat } from '../../graph/tensor';
import type { Decoder } from '../../models/decoder';
import type { Context } from '../../pipeline/context';
import type { OmniExample } from '../../trainers/omni-batch';
import { projectExamples } from '../../trainers/omni-project';
import type { ProjectOptions } from '../../trainers/omni-project';
import { captionObjects, MODALITIES } from '../../world';
import type { Modality } from '../../world';
import { saveSamples } from './samples';
import type { Sample } from './samples';

export async function illustrate(
  ctx: Pick<Context<unknown>, 'dir' | 'device' | 'seed'>,
  decoders: Record<Modality, Decoder>,
  options: ProjectOptions,
  examples: readonly OmniExample[],
  name: string,
): Promise<Record<string, number>> {
  const { device, seed } = ctx;
  const blocks = await projectExamples(options, examples, device);
  const samples: Sample[] = [];
  for (const modality of MODALITIES) {
    const own = blocks.filter((b) => b.modality === modality);
    if (!own.length) continue;
    const media = await generateMedia(decoders[modality], {
      promptEmbeds: concat(own.map((b) => b.embeds)),
      streams: own.map((b) => b.example),
      seed,
      device,
    });
    media.forEach((medium, i) =>
      samples.push({
        medium,
        caption: examples[own[i].example].blocks.find((b) => b.modality === modality)!.caption,
      }),
    );
  }
  await saveSamples(ctx.dir, name, samples);
  return attributeMetrics(
    mediaAttributes(samples.map(({ medium, caption }) => ({ medium, expected: captionObjects(caption) }))),
  );
}
