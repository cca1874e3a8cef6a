/**
 * Stage 0: the sound decoder that the paper downloads (AudioLDM 2), here trained on rendered scenes: a vocoder, an autoencoder
 * of log-mel spectrograms, and latent diffusion with its text encoder. What held-out scenes sound like afterwards is heard by
 * the oracle: through the vocoder alone, through the autoencoder, and generated from their captions.
 */
import path from 'node:path';
import { attributeMetrics, mediaAttributes } from '../../eval/media-attributes';
import { generateMedia, releaseMediaPrograms } from '../../generate/diffusion';
import { countElements } from '../../graph/tree';
import { tensor } from '../../graph/tensor';
import type { Medium } from '../../io/media';
import { captionIds, trainCaptionTokenizer } from '../../models/caption-tokens';
import type { Decoder, DecoderConfig, DecoderParams } from '../../models/decoder';
import { saveDecoder } from '../../models/decoder-folder';
import { clipTextInit } from '../../models/text-encoder';
import { lookingBackInit } from '../../models/text-encoder-start';
import { unetInit } from '../../models/unet';
import type { UnetParams } from '../../models/unet';
import { autoencoderInit } from '../../models/vae';
import { principalAutoencoder } from '../../models/vae-principal';
import { vocoderInit } from '../../models/vocoder';
import { melFrames } from '../../nn/mel';
import { Random } from '../../nn/random';
import { defineExperiment } from '../../pipeline/experiment';
import { trainAutoencoder } from '../../trainers/autoencoder';
import { batchIndices } from '../../trainers/batches';
import { trainDiffusion, unetDenoiser } from '../../trainers/diffusion';
import { precomputeLatents } from '../../trainers/latents';
import { trainPhases } from '../../trainers/phases';
import { trainVocoder } from '../../trainers/vocoder';
import { audioScenes, captionVariants, renderSounds, soundCaption, soundParaphrase, spectrograms } from './audio-data';
import { soundMeasures } from './audio-measures';
import { audioSchema, audioSizes } from './audio-sizes';
import { saveSamples } from './samples';

/** Sounds that are saved while the denoiser learns, and times that they are. */
const SHOWN = 4;
const SHOWINGS = 3;

export const stage0Audio = defineExperiment({
  name: 'omniagent/stage0_audio',
  description: 'the sound decoder: vocoder, autoencoder of spectrograms, latent diffusion',
  module: __filename,
  schema: audioSchema,
  config: audioSizes,
  async run(ctx) {
    const { config: c, seed, device } = ctx;
    const { mel } = c.sound;
    const train = audioScenes(seed, 'train', c.scenes);
    const held = audioScenes(seed, 'test', c.heldOut);
    const sounds = renderSounds(train, mel.sampleRate, c.seconds);
    const heldSounds = renderSounds(held, mel.sampleRate, c.seconds);
    const mels = await spectrograms(sounds, c.sound, device);
    const frames = melFrames(mel, sounds[0].length);
    const shape: [number, number, number] = [1, frames, mel.mels];
    const measures = soundMeasures(c.sound, heldSounds, device);
    const asMedium = (samples: Float32Array): Medium => ({
      modality: 'audio',
      sound: { sampleRate: mel.sampleRate, samples },
    });
    const heard = (media: readonly Medium[]): Record<string, number> =>
      attributeMetrics(mediaAttributes(media.map((medium, i) => ({ medium, expected: held[i].objects }))));
    const show = (name: string, media: readonly Medium[]): Promise<void> =>
      saveSamples(
        ctx.dir,
        `samples/${name}`,
        media.slice(0, SHOWN).map((medium, i) => ({ medium, caption: soundCaption(held[i]) })),
      );
    await show('rendered', heldSounds.map(asMedium));

    const like = new Random(0, 'shapes');
    const phases = trainPhases(ctx, c.vocoder.steps + c.autoencoder.steps + c.diffusion.steps);
    const vocoder = await phases.phase('vocoder', c.vocoder.steps, vocoderInit(like, c.sound.vocoder), (context) =>
      trainVocoder(context, {
        model: c.sound.vocoder,
        mel,
        optimizer: c.vocoder,
        sounds: sounds.slice(0, c.vocoderSounds),
        segmentFrames: c.segmentFrames,
        resolutions: [
          { nFft: 256, hop: 64 },
          { nFft: 1024, hop: 256 },
        ],
        // Magnitudes of the backgrounds' noise: what lies below is not asked for.
        epsilon: 0.01,
        convergenceWeight: 0,
        seed,
        device,
      }),
    );
    const vocoded = await measures.vocoder(vocoder);
    await show('vocoder', vocoded.sounds.map(asMedium));

    const order = new Random(seed, 'audio autoencoder');
    const autoencoder = await phases.phase(
      'autoencoder',
      c.autoencoder.steps,
      { params: autoencoderInit(like, c.vae), scalingFactor: tensor(new Float32Array(1)) },
      async (context) => {
        const found = await trainAutoencoder(context, {
          model: c.vae,
          optimizer: c.autoencoder,
          ...(c.principalSamples
            ? {
                start: await principalAutoencoder(
                  order.stream('start'),
                  c.vae,
                  mels.slice(0, c.principalSamples),
                  [frames, mel.mels],
                  { equalize: c.equalize, device },
                ),
              }
            : {}),
          loss: { reconstruction: 'l2', klWeight: c.klWeight },
          shape,
          batch: (i) => {
            const batch = new Float32Array(c.autoencoder.batchSize * mels[0].length);
            const rows = batchIndices(order, c.scenes, c.autoencoder.batchSize, i);
            rows.forEach((row, k) => batch.set(mels[row], k * mels[0].length));
            return batch;
          },
          seed,
          device,
        });
        return { params: found.params, scalingFactor: tensor(Float32Array.of(found.config.scalingFactor)) };
      },
    );
    const vae = { ...c.vae, scalingFactor: await autoencoder.scalingFactor.item() };
    const reconstructed = await measures.autoencoder(autoencoder.params, vae, vocoder);
    await show('autoencoder', reconstructed.sounds.map(asMedium));

    const latents = await precomputeLatents(
      { params: autoencoder.params, config: vae },
      { count: c.scenes, shape, sample: (i) => mels[i] },
      { device },
    );
    const words = new Random(seed, 'audio tokenizer');
    const tokenizer = trainCaptionTokenizer(
      train.flatMap((scene, i) => [soundCaption(scene), soundParaphrase(scene, words.stream(i))]),
      c.textEncoder.vocabSize,
    );
    const textEncoder = { ...c.textEncoder, vocabSize: tokenizer.vocabSize };
    const decoderConfig: DecoderConfig = {
      modality: 'audio',
      length: c.length,
      latentShape: [...latents.shape],
      textEncoder,
      unet: c.unet,
      vae,
      sound: c.sound,
      scheduler: c.scheduler,
      sampling: c.sampling,
    };
    const decoderOf = (p: Pick<DecoderParams, 'text_encoder' | 'unet'>): Decoder => ({
      modality: 'audio',
      config: decoderConfig,
      params: { ...p, vae: autoencoder.params, vocoder },
      tokenizer,
    });
    const generate = (decoder: Decoder, count: number): Promise<Medium[]> =>
      generateMedia(decoder, { prompts: held.slice(0, count).map(soundCaption), seed, device, signal: ctx.signal });
    const denoiser = unetDenoiser(c.unet);
    const evaluateEvery = Math.ceil(c.diffusion.steps / SHOWINGS);
    const diffusion = await phases.phase<{ text_encoder: DecoderParams['text_encoder']; unet: UnetParams }>(
      'diffusion',
      c.diffusion.steps,
      { text_encoder: clipTextInit(like, textEncoder), unet: unetInit(like, c.unet) },
      (context) =>
        trainDiffusion(context, {
          textEncoder,
          denoiser,
          scheduler: c.scheduler,
          start: {
            text_encoder: lookingBackInit(words.stream('text encoder'), textEncoder, { gain: c.textGain }),
            unet: unetInit(words.stream('unet'), c.unet),
          },
          optimizer: c.diffusion,
          latents,
          captions: captionVariants(tokenizer, train, { variants: c.paraphraseOneIn, length: c.length, seed }),
          empty: captionIds(tokenizer, [''], c.length),
          captionDropout: c.captionDropout,
          timestepShift: c.timestepShift,
          emaDecay: c.emaDecay,
          evaluate: async (p, step) => {
            if (step) await show(`step-${step}`, await generate(decoderOf(p), SHOWN));
            return {};
          },
          evaluateEvery,
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
      ...named('vocoder', { ...vocoded.metrics, ...heard(vocoded.sounds.map(asMedium)) }),
      ...named('autoencoder', { ...reconstructed.metrics, ...heard(reconstructed.sounds.map(asMedium)) }),
      ...heard(generated),
    };
  },
});
