/**
 * Stage 0: the picture decoder that the paper downloads (Stable Diffusion 1.5), here trained on rendered scenes: an autoencoder
 * of pictures, and latent diffusion with its text encoder. Held-out scenes are looked at by the oracle: through the autoencoder,
 * and generated from their captions.
 */
import path from 'node:path';
import { attributeMetrics, mediaAttributes } from '../../eval/media-attributes';
import { generateMedia, releaseMediaPrograms } from '../../generate/diffusion';
import { tensor } from '../../graph/tensor';
import { countElements } from '../../graph/tree';
import type { Medium } from '../../io/media';
import { captionIds, trainCaptionTokenizer } from '../../models/caption-tokens';
import type { Decoder, DecoderConfig } from '../../models/decoder';
import { saveDecoder } from '../../models/decoder-folder';
import { clipTextInit } from '../../models/text-encoder';
import { lookingBackInit } from '../../models/text-encoder-start';
import { unetInit } from '../../models/unet';
import type { UnetParams } from '../../models/unet';
import { autoencoderInit } from '../../models/vae';
import { principalAutoencoder } from '../../models/vae-principal';
import { Random } from '../../nn/random';
import { defineExperiment } from '../../pipeline/experiment';
import { trainAutoencoder } from '../../trainers/autoencoder';
import { batchIndices } from '../../trainers/batches';
import { trainDiffusion, unetDenoiser } from '../../trainers/diffusion';
import type { DiffusionParams } from '../../trainers/diffusion';
import { precomputeLatents } from '../../trainers/latents';
import { trainPhases } from '../../trainers/phases';
import { renderMedium } from '../../world';
import {
  imageCaption,
  imageCaptions,
  imageParaphrase,
  imageScenes,
  pixelsOf,
  principalSamples,
  reconstructPictures,
} from './image-data';
import { imageSchema, imageSizes } from './image-sizes';
import { saveSamples } from './samples';

/** Pictures that are saved while the denoiser learns, and times that they are. */
const SHOWN = 8;
const SHOWINGS = 4;

export const stage0Image = defineExperiment({
  name: 'omniagent/stage0_image',
  description: 'the picture decoder: autoencoder, latent diffusion',
  module: __filename,
  schema: imageSchema,
  config: imageSizes,
  async run(ctx) {
    const { config: c, seed, device } = ctx;
    const train = imageScenes(seed, 'train', c.scenes);
    const held = imageScenes(seed, 'test', c.heldOut);
    const pixels = train.map((scene) => pixelsOf(scene, c.side));
    const shape = [3, c.side, c.side] as const;
    const seen = (media: readonly Medium[]): Record<string, number> =>
      attributeMetrics(mediaAttributes(media.map((medium, i) => ({ medium, expected: held[i].objects }))));
    const show = (name: string, media: readonly Medium[]): Promise<void> =>
      saveSamples(
        ctx.dir,
        `samples/${name}`,
        media.slice(0, SHOWN).map((medium, i) => ({ medium, caption: imageCaption(held[i]) })),
      );
    await show(
      'rendered',
      held.slice(0, SHOWN).map((scene) => renderMedium('image', scene)),
    );

    const like = new Random(0, 'shapes');
    const phases = trainPhases(ctx, c.autoencoder.steps + c.diffusion.steps);
    const order = new Random(seed, 'image autoencoder');
    const autoencoder = await phases.phase(
      'autoencoder',
      c.autoencoder.steps,
      { params: autoencoderInit(like, c.vae), scalingFactor: tensor(new Float32Array(1)) },
      async (context) => {
        const found = await trainAutoencoder(context, {
          model: c.vae,
          ...(c.principalSamples
            ? {
                start: await principalAutoencoder(
                  order.stream('start'),
                  c.vae,
                  principalSamples(train.slice(0, c.principalSamples), c.side),
                  c.side,
                  { equalize: c.equalize, device },
                ),
              }
            : {}),
          optimizer: c.autoencoder,
          loss: { reconstruction: 'l2', klWeight: c.klWeight },
          shape,
          batch: (i) => {
            const rows = batchIndices(order, c.scenes, c.autoencoder.batchSize, i);
            const batch = new Float32Array(rows.length * pixels[0].length);
            rows.forEach((row, k) => batch.set(pixels[row], k * pixels[0].length));
            return batch;
          },
          seed,
          device,
        });
        return { params: found.params, scalingFactor: tensor(Float32Array.of(found.config.scalingFactor)) };
      },
    );
    const vae = { ...c.vae, scalingFactor: await autoencoder.scalingFactor.item() };
    const frozen = { params: autoencoder.params, config: vae };
    const rebuilt = await reconstructPictures(frozen, held, c.side, device);
    await show('autoencoder', rebuilt.media);

    const latents = await precomputeLatents(frozen, { count: c.scenes, shape, sample: (i) => pixels[i] }, { device });
    const words = new Random(seed, 'image tokenizer');
    const tokenizer = trainCaptionTokenizer(
      train.flatMap((scene, i) => [imageCaption(scene), imageParaphrase(scene, words.stream(i))]),
      c.textEncoder.vocabSize,
    );
    const textEncoder = { ...c.textEncoder, vocabSize: tokenizer.vocabSize };
    const decoderConfig: DecoderConfig = {
      modality: 'image',
      length: c.length,
      latentShape: [...latents.shape],
      textEncoder,
      unet: c.unet,
      vae,
      scheduler: c.scheduler,
      sampling: c.sampling,
    };
    const decoderOf = (p: DiffusionParams<UnetParams>): Decoder => ({
      modality: 'image',
      config: decoderConfig,
      params: { ...p, vae: autoencoder.params },
      tokenizer,
    });
    const generate = (decoder: Decoder, count: number): Promise<Medium[]> =>
      generateMedia(decoder, { prompts: held.slice(0, count).map(imageCaption), seed, device, signal: ctx.signal });
    const diffusion = await phases.phase<DiffusionParams<UnetParams>>(
      'diffusion',
      c.diffusion.steps,
      { text_encoder: clipTextInit(like, textEncoder), unet: unetInit(like, c.unet) },
      (context) =>
        trainDiffusion(context, {
          textEncoder,
          denoiser: unetDenoiser(c.unet),
          scheduler: c.scheduler,
          start: {
            text_encoder: lookingBackInit(words.stream('text encoder'), textEncoder, { gain: c.textGain }),
            unet: unetInit(words.stream('unet'), c.unet),
          },
          optimizer: c.diffusion,
          latents,
          captions: imageCaptions(tokenizer, train, { variants: c.paraphraseOneIn, length: c.length, seed }),
          empty: captionIds(tokenizer, [''], c.length),
          captionDropout: c.captionDropout,
          timestepShift: c.timestepShift,
          emaDecay: c.emaDecay,
          evaluate: async (p, step) => {
            if (step) await show(`step-${step}`, await generate(decoderOf(p), SHOWN));
            return {};
          },
          evaluateEvery: Math.ceil(c.diffusion.steps / SHOWINGS),
          seed,
          device,
        }),
    );
    const decoder = decoderOf(diffusion);
    await saveDecoder(path.join(ctx.dir, 'decoder'), decoder);
    const generated = await generate(decoder, c.heldOut);
    await show('generated', generated);
    releaseMediaPrograms();
    const named = (prefix: string, metrics: Record<string, number>): Record<string, number> =>
      Object.fromEntries(Object.entries(metrics).map(([key, value]) => [`${prefix}/${key}`, value]));
    return {
      parameters: countElements(decoder.params),
      ...named('autoencoder', { mse: rebuilt.mse, ...seen(rebuilt.media) }),
      ...seen(generated),
    };
  },
});
