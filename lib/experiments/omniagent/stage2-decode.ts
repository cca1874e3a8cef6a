/** Stage 2: the output projectors learn to give what the decoders' text encoders give for a caption. */
import { z } from 'zod';
import { releaseMediaPrograms } from '../../generate/diffusion';
import { countElements } from '../../graph/tree';
import { captionIds } from '../../models/caption-tokens';
import { encodeCaptions } from '../../models/decoder';
import type { Decoder, DecoderParams } from '../../models/decoder';
import type { OutputProjectorsConfig } from '../../models/omniagent';
import { saveOmniAgent } from '../../models/omniagent-folder';
import { replaceModules } from '../../nn/modules';
import { defineExperiment } from '../../pipeline/experiment';
import type { CaptionTokens } from '../../trainers/omni-batch';
import type { TextTargets } from '../../trainers/omni';
import { optimizerSchema } from '../../trainers/optimizer';
import { trainStage2 } from '../../trainers/stage2-decode';
import { MODALITIES, SIGNALS, SIGNAL_TOKENS } from '../../world';
import type { Modality } from '../../world';
import { decoderFolder, loadBackbone, loadDecoders, loadOmniExamples, loadTokenizer } from './load';
import { unpackExamples } from './examples';
import { illustrate } from './illustrate';
import { loraSchema, modelSchema, outputSizesSchema, profileSizes } from './sizes';

export const decoderParents = MODALITIES.map((m) => `omniagent/stage0_${m}`);

/** The text encoders of the decoders as alignment targets. */
export const textTargets = (decoders: Record<Modality, Decoder>): TextTargets =>
  ({
    params: Object.fromEntries(MODALITIES.map((m) => [m, decoders[m].params.text_encoder])),
    encode: (m: Modality, params: DecoderParams['text_encoder'], captions) =>
      encodeCaptions({ params: { text_encoder: params }, config: decoders[m].config }, captions),
  }) as TextTargets;

/** Caption tokens of each decoder, remembered: captions come again. */
export function captionTokensOf(decoders: Record<Modality, Decoder>): CaptionTokens {
  const known = new Map<string, Int32Array>();
  return (modality, caption) => {
    const key = `${modality} ${caption}`;
    const { tokenizer, config } = decoders[modality];
    const ids = known.get(key) ?? captionIds(tokenizer, [caption], config.length);
    known.set(key, ids);
    return ids;
  };
}

/** The projectors' configuration: their own sizes, between the language model and the decoders. */
export const outputConfigOf = (
  sizes: z.infer<typeof outputSizesSchema>,
  width: number,
  decoders: Record<Modality, Decoder>,
): OutputProjectorsConfig =>
  Object.fromEntries(
    MODALITIES.map((m) => [
      m,
      {
        ...sizes,
        inWidth: width,
        tokens: SIGNALS[m].tokens.length,
        queries: decoders[m].config.length,
        outWidth: decoders[m].config.textEncoder.hiddenSize,
      },
    ]),
  ) as OutputProjectorsConfig;

/** Pictures, sounds and clips that are generated at the end for held-out captions, of each as many. */
const HELD_OUT = 32;

export const stage2 = defineExperiment({
  name: 'omniagent/stage2_decode',
  description: "the output projectors, aligned to the decoders' text encoders",
  module: __filename,
  parents: ['omniagent/data', 'omniagent/stage0_backbone', ...decoderParents],
  schema: z.strictObject({
    model: modelSchema,
    projector: outputSizesSchema,
    optimizer: optimizerSchema,
    /** The adapter that is trained too, if any. */
    lora: loraSchema.nullable(),
    alignWeight: z.number().positive(),
    /** Of reading the captions from the projected states; 0: the alignment alone, as NExT-GPT. */
    readWeight: z.number().min(0),
    /** Documents of the backbone's corpus that are trained on beside each caption: without, the adapter forgets the language. */
    replay: z.number().min(0),
    /** The projectors' learning rate, in units of the adapter's. */
    projectorRate: z.number().positive(),
  }),
  config: (profile) => {
    const { model, outputProjector: projector, stage2: optimizer, sftLora } = profileSizes(profile);
    // NExT-GPT trains the projectors alone; see trainers/stage2-decode.ts for why a small model needs more.
    return {
      model,
      projector,
      optimizer,
      lora: { ...sftLora, modulesToSave: [] },
      alignWeight: 1,
      readWeight: 3,
      replay: 0.25,
      projectorRate: 3,
    };
  },
  async run(ctx) {
    const { model, projector, optimizer, lora, alignWeight, readWeight, replay, projectorRate } = ctx.config;
    const { device, seed } = ctx;
    const data = ctx.parent('omniagent/data');
    const tokenizer = loadTokenizer(data);
    const base = await loadBackbone(ctx.parent('omniagent/stage0_backbone'), model);
    const decoders = await loadDecoders((name) => ctx.parent(name));
    const outputConfig = outputConfigOf(projector, model.width, decoders);
    const captions = (await loadOmniExamples(data, 'decoding')).examples;
    const documents = unpackExamples('corpus', await data.load('corpus')).slice(
      0,
      Math.round(replay * captions.length),
    );
    const examples = [...captions, ...documents.map((d) => ({ ...d, media: [], blocks: [] }))];
    const held = (await loadOmniExamples(data, 'decoding_test')).examples;
    const few = held.slice(0, 3);
    const batch = {
      shape: { maxLength: model.maxLength, slots: 1, width: 1, length: 1 },
      captionTokens: captionTokensOf(decoders),
    };
    const show = (name: string, list: typeof held, parts: Parameters<typeof illustrate>[2]['parts']) =>
      illustrate(ctx, decoders, { model, base, lora: lora ?? undefined, outputConfig, batch, parts }, list, name);

    const trained = await trainStage2(ctx, {
      model,
      base,
      outputConfig,
      targets: textTargets(decoders),
      optimizer,
      examples,
      batch,
      seed,
      device,
      alignWeight,
      projectorRate,
      reading: readWeight
        ? {
            weight: readWeight,
            vocabularies: Object.fromEntries(
              MODALITIES.map((m) => [m, decoders[m].config.textEncoder.vocabSize]),
            ) as Record<Modality, number>,
          }
        : undefined,
      lora: lora ?? undefined,
      signals: { from: tokenizer.id(SIGNAL_TOKENS[0]), to: tokenizer.id(SIGNAL_TOKENS.at(-1)!) + 1 },
      evaluate: async (parts, step) => {
        const metrics = await show(`training/${step}`, few, parts);
        return Object.fromEntries(
          MODALITIES.flatMap((m) => ['shape', 'colour'].map((a) => [`eval/${m}/${a}`, metrics[`${m}/${a}`]])),
        );
      },
    });
    const metrics = await show('samples', held.slice(0, HELD_OUT), trained);
    const { outputProjectors, modules, adapter } = trained;
    releaseMediaPrograms();
    await saveOmniAgent(
      ctx.dir,
      {
        config: {
          model_type: 'omniagent',
          stage: 'stage2_decode',
          inputProjector: null,
          outputProjectors: outputConfig,
        },
        llama:
          adapter && lora
            ? { config: model, base, peft: { adapter, modules, lora } }
            : { config: model, base: replaceModules(base, modules) },
        outputProjectors,
        tokenizer,
      },
      { decoders: Object.fromEntries(MODALITIES.map((m) => [m, decoderFolder(ctx.parent(`omniagent/stage0_${m}`))])) },
    );
    return { parameters: countElements({ ...adapter, outputProjectors }), ...metrics };
  },
});
