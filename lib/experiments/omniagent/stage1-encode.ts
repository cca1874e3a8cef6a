/** Stage 1: the input projector learns from captions of pictures, sounds and clips to stand in for what the model can read. */
import { z } from 'zod';
import { captionAccuracy } from '../../eval/caption-accuracy';
import { generate } from '../../generate/generate';
import { projectMedia } from '../../generate/omni';
import { countElements } from '../../graph/tree';
import { loadEncoder, releaseEncoder } from '../../models/joint-encoder';
import { saveOmniAgent } from '../../models/omniagent-folder';
import type { InputProjectorConfig, InputProjectorParams } from '../../models/input-projector';
import { defineExperiment } from '../../pipeline/experiment';
import { optimizerSchema } from '../../trainers/optimizer';
import { trainStage1 } from '../../trainers/stage1-encode';
import { CHAT_TOKENS, MODALITIES, renderMedium } from '../../world';
import { encoderFolder, encodeScenes, loadBackbone, loadOmniExamples, loadTokenizer } from './load';
import type { MediaExamples } from './load';
import { saveSamples } from './samples';
import { inputSizesSchema, modelSchema, profileSizes } from './sizes';

/** Captions that are generated at the end, at most. */
const CAPTIONS = 300;

export const stage1 = defineExperiment({
  name: 'omniagent/stage1_encode',
  description: 'the input projector, from captions of media',
  module: __filename,
  parents: ['omniagent/data', 'omniagent/stage0_backbone', 'omniagent/stage0_encoder'],
  schema: z.strictObject({
    model: modelSchema,
    slots: z.number().int().positive(),
    projector: inputSizesSchema,
    optimizer: optimizerSchema,
  }),
  config: (profile) => {
    const { model, world, inputProjector: projector, stage1: optimizer } = profileSizes(profile);
    return { model, slots: world.slots, projector, optimizer };
  },
  async run(ctx) {
    const { model, slots, projector, optimizer } = ctx.config;
    const { device, seed } = ctx;
    const data = ctx.parent('omniagent/data');
    const tokenizer = loadTokenizer(data);
    const base = await loadBackbone(ctx.parent('omniagent/stage0_backbone'), model);
    const encoder = await loadEncoder(encoderFolder(ctx.parent('omniagent/stage0_encoder')));
    const all = await loadOmniExamples(data, 'encoding');
    // No more than the steps take.
    const train = { ...all, examples: all.examples.slice(0, optimizer.steps * optimizer.batchSize) };
    const held = await loadOmniExamples(data, 'encoding_test');
    ctx.message('encoding the media');
    const onProgress = (done: number, total: number): void => ctx.progress(done, total);
    const [store, heldStore] = [
      await encodeScenes(encoder, train, { device, onProgress }),
      await encodeScenes(encoder, held, { device, onProgress }),
    ];
    releaseEncoder(encoder);
    const inputConfig: InputProjectorConfig = {
      ...projector,
      inWidth: store.width,
      modalities: MODALITIES.length,
      slots,
      outWidth: model.width,
      positions: Math.max(store.length, heldStore.length),
    };
    const shape = {
      maxLength: model.maxLength,
      slots,
      width: inputConfig.inWidth,
      length: Math.max(store.length, heldStore.length),
    };

    /** Captions of held-out media, greedily; and what they get right. */
    const describe = async (
      params: InputProjectorParams,
      { examples, media }: MediaExamples,
    ): Promise<{ texts: string[]; metrics: Record<string, number> }> => {
      const vectors = await projectMedia(
        { config: inputConfig, params },
        examples.map((e) => heldStore.get(e.media[0].medium)),
        device,
      );
      const prompts = examples.map(({ ids, mask }, i) => ({
        ids: Array.from(ids).filter((_, t) => !mask[t]),
        media: [{ at: 2, embeddings: vectors[i] }],
      }));
      const stop = tokenizer.id(CHAT_TOKENS.end);
      const made = await generate({ params: base, config: model }, prompts, {
        temperature: 0,
        maxNewTokens: 96,
        stop: [stop],
        device,
      });
      const texts = made.map(({ tokens }) => tokenizer.decode(tokens.filter((t) => t !== stop)));
      const metrics = captionAccuracy(
        texts.map((text, i) => {
          const { modality, scene } = media[examples[i].media[0].medium];
          return { modality, expected: scene.objects, text };
        }),
      );
      return { texts, metrics };
    };

    /** Media with what was said of them, to be looked at and listened to. */
    const show = (name: string, { examples, media }: MediaExamples, texts: readonly string[]): Promise<void> =>
      saveSamples(
        ctx.dir,
        name,
        texts.map((caption, i) => {
          const { modality, scene } = media[examples[i].media[0].medium];
          return { medium: renderMedium(modality, scene), caption };
        }),
      );

    const few = { ...held, examples: held.examples.slice(0, 48) };
    const inputProjector = await trainStage1(ctx, {
      model,
      base,
      inputConfig,
      optimizer,
      examples: train.examples,
      batch: { shape, store: store.get },
      seed,
      device,
      evaluate: async (parts, step) => {
        const { texts, metrics } = await describe(parts.inputProjector!, few);
        await show(`training/${step}`, few, texts.slice(0, MODALITIES.length));
        const mean = (name: string): number =>
          MODALITIES.reduce((sum, m) => sum + metrics[`caption/${m}/${name}`], 0) / MODALITIES.length;
        return { 'eval/shape': mean('shape'), 'eval/colour': mean('colour'), 'eval/place': mean('place') };
      },
    });
    const { texts, metrics } = await describe(inputProjector, { ...held, examples: held.examples.slice(0, CAPTIONS) });
    await show('samples', held, texts.slice(0, 4 * MODALITIES.length));
    await ctx.saveJson(
      'captions',
      texts.map((text, i) => ({ text, medium: held.media[held.examples[i].media[0].medium] })),
    );
    await saveOmniAgent(
      ctx.dir,
      {
        config: {
          model_type: 'omniagent',
          stage: 'stage1_encode',
          inputProjector: inputConfig,
          outputProjectors: null,
        },
        llama: { config: model, base },
        inputProjector,
        tokenizer,
      },
      { encoder: encoderFolder(ctx.parent('omniagent/stage0_encoder')) },
    );
    return { parameters: countElements(inputProjector), ...metrics };
  },
});
