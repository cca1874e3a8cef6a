/**
 * Stage 0: the clip decoder that the paper downloads (ModelScope), here made from the picture decoder as ModelScope was made from
 * Stable Diffusion, with its autoencoder. Two parts: text encoder and UNet learn captions that tell motion, on pictures; then
 * both learn clips, with the layers over frames that the UNet gets. Held-out clips are measured by the oracle: through the
 * autoencoder, and from their captions.
 */
import path from 'node:path';
import { attributeMetrics, mediaAttributes } from '../../eval/media-attributes';
import { generateMedia, releaseMediaPrograms } from '../../generate/diffusion';
import { countElements } from '../../graph/tree';
import type { Medium } from '../../io/media';
import { captionIds } from '../../models/caption-tokens';
import type { Decoder, DecoderConfig } from '../../models/decoder';
import { loadDecoder, saveDecoder } from '../../models/decoder-folder';
import { unet3d, unet3dConfigFrom, unet3dFromUnet, unet3dInit } from '../../models/unet-3d';
import type { Unet3dParams } from '../../models/unet-3d';
import { Random } from '../../nn/random';
import { defineExperiment } from '../../pipeline/experiment';
import { trainDiffusion, unetDenoiser } from '../../trainers/diffusion';
import type { DiffusionParams } from '../../trainers/diffusion';
import { precomputeLatents } from '../../trainers/latents';
import { trainPhases } from '../../trainers/phases';
import { fromHost, toHost } from '../../io/params';
import { decoderFolder } from './load';
import { saveSamples } from './samples';
import {
  clipOf,
  joinLatents,
  pictureOf,
  reconstructClips,
  videoCaption,
  videoCaptions,
  videoParaphrase,
  videoScenes,
} from './video-data';
import { videoSchema, videoSizes } from './video-sizes';
import { pictureUnet, textEncoderFor } from './video-start';

/** Clips that are saved while the denoiser learns, and times that they are. */
const SHOWN = 4;
const SHOWINGS = 3;

export const stage0Video = defineExperiment({
  name: 'omniagent/stage0_video',
  description: 'the clip decoder: latent diffusion with layers over frames, from the picture decoder',
  module: __filename,
  parents: ['omniagent/stage0_image'],
  schema: videoSchema,
  config: videoSizes,
  async run(ctx) {
    const { config: c, seed, device } = ctx;
    const picture = await loadDecoder(decoderFolder(ctx.parent('omniagent/stage0_image')));
    const spatial = pictureUnet(picture);
    const { vae, length } = picture.config;
    const train = videoScenes(seed, 'train', c.scenes);
    const held = videoScenes(seed, 'test', c.heldOut);
    const shape = [3, c.side, c.side] as const;
    const size = shape.reduce((a, b) => a * b);
    const show = (name: string, media: readonly Medium[]): Promise<void> =>
      saveSamples(
        ctx.dir,
        `samples/${name}`,
        media.slice(0, SHOWN).map((medium, i) => ({ medium, caption: videoCaption(held[i]) })),
      );
    /** Training takes its start over. */
    const copy = async <T>(tree: T): Promise<T> => fromHost('stage0_video', tree, await toHost(tree));

    const phases = trainPhases(ctx, c.pictures.steps + c.diffusion.steps);
    const clips = train.slice(0, c.clips).map((scene) => clipOf(scene, c));
    const autoencoder = picture.params.vae;
    const rebuilt = await reconstructClips(autoencoder, vae, c, held.slice(0, 16), device);
    await show(
      'autoencoder',
      rebuilt.samples.map((s) => s.medium),
    );

    const words = new Random(seed, 'video tokenizer');
    const text = await textEncoderFor(
      words.stream('new words'),
      picture,
      train.flatMap((scene, i) => [videoCaption(scene), videoParaphrase(scene, words.stream(i))]),
    );
    const captions = videoCaptions(text.tokenizer, train, { variants: c.paraphraseOneIn, length, seed });
    const { scheduler } = picture.config;
    const common = {
      textEncoder: text.config,
      scheduler,
      captions,
      empty: captionIds(text.tokenizer, [''], length),
      captionDropout: c.captionDropout,
      timestepShift: c.timestepShift,
      seed,
      device,
    };
    const frozen = { params: autoencoder, config: vae };
    const pictures = await phases.phase(
      'pictures',
      c.pictures.steps,
      { text_encoder: text.params, unet: spatial.params },
      async (context) =>
        trainDiffusion(context, {
          ...common,
          denoiser: unetDenoiser(spatial.config),
          start: await copy({ text_encoder: text.params, unet: spatial.params }),
          latents: await precomputeLatents(
            frozen,
            { count: c.scenes, shape, sample: (i) => pictureOf(train[i], c) },
            { device },
          ),
          optimizer: c.pictures,
        }),
    );

    const frames = await precomputeLatents(
      frozen,
      {
        count: c.clips * c.frames,
        shape,
        sample: (i) => {
          const at = (i % c.frames) * size;
          return clips[Math.floor(i / c.frames)].subarray(at, at + size);
        },
      },
      { device },
    );
    const [channels, ...space] = frames.shape;
    const unetConfig = unet3dConfigFrom(spatial.config, { framePositions: c.framePositions });
    const config: DecoderConfig = {
      ...picture.config,
      modality: 'video',
      latentShape: [channels, c.frames, ...space],
      textEncoder: text.config,
      unet: unetConfig,
      scheduler,
      sampling: c.sampling,
    };
    const decoderOf = (p: DiffusionParams<Unet3dParams>): Decoder => ({
      modality: 'video',
      config,
      params: { ...p, vae: autoencoder },
      tokenizer: text.tokenizer,
    });
    const generate = (decoder: Decoder, count: number): Promise<Medium[]> =>
      generateMedia(decoder, { prompts: held.slice(0, count).map(videoCaption), seed, device, signal: ctx.signal });
    const start: DiffusionParams<Unet3dParams> = {
      text_encoder: pictures.text_encoder,
      unet: unet3dFromUnet(new Random(seed, 'video unet'), spatial.config, pictures.unet),
    };
    const trained = await phases.phase('clips', c.diffusion.steps, start, async (context) =>
      trainDiffusion<Unet3dParams>(context, {
        ...common,
        captions: { ...captions, ids: captions.ids.subarray(0, c.clips * captions.variants * length) },
        denoiser: {
          init: (rng) => unet3dInit(rng, unetConfig),
          apply: (p, x) => unet3d(p, unetConfig, x),
        },
        start: await copy(start),
        latents: { values: joinLatents(frames.values, frames.shape, c.frames), shape: config.latentShape },
        optimizer: c.diffusion,
        evaluate: async (p, step) => {
          if (step) await show(`step-${step}`, await generate(decoderOf(p), SHOWN));
          return {};
        },
        evaluateEvery: Math.ceil(c.diffusion.steps / SHOWINGS),
      }),
    );
    const decoder = decoderOf(trained);
    await saveDecoder(path.join(ctx.dir, 'decoder'), decoder);
    const generated = await generate(decoder, c.heldOut);
    await show('generated', generated);
    releaseMediaPrograms();
    const reports = mediaAttributes(generated.map((medium, i) => ({ medium, expected: held[i].objects })));
    const through = attributeMetrics(mediaAttributes(rebuilt.samples));
    return {
      parameters: countElements(decoder.params),
      'autoencoder/mse': rebuilt.mse,
      ...Object.fromEntries(Object.entries(through).map(([key, value]) => [`autoencoder/${key}`, value])),
      ...attributeMetrics(reports),
    };
  },
});
