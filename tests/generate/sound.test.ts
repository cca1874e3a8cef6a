/** Sounds from captions: the decoder's folder with its vocoder, and what is refused. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { flattenTree, tensorsOf } from '../../lib/graph';
import { generateMedia, releaseMediaPrograms } from '../../lib/generate';
import { clipTextInit, loadDecoder, saveDecoder, trainCaptionTokenizer, unetInit, vocoderInit } from '../../lib/models';
import type { Decoder, DecoderConfig } from '../../lib/models';
import { audioldm2 } from '../../lib/models/audioldm2';
import { autoencoderInit, autoencoderSchema } from '../../lib/models/vae';
import { unetConfig } from '../../lib/models/unet';
import { vocoderHop, vocoderSchema } from '../../lib/models/vocoder';
import { noiseSchedule, Random } from '../../lib/nn';
import { closeDevices } from '../../lib/runtime';

const mel = { sampleRate: 8000, nFft: 64, hop: 12, padding: 26, mels: 8, fMin: 500, scale: 'htk' as const };

function tinyDecoder(): Decoder {
  const rng = new Random(4, 'tiny decoder');
  const tokenizer = trainCaptionTokenizer(['red circle top left', 'blue star'], 280);
  const config: DecoderConfig = {
    modality: 'audio',
    length: 8,
    latentShape: [4, 4, 4],
    textEncoder: {
      vocabSize: tokenizer.vocabSize,
      hiddenSize: 16,
      intermediateSize: 32,
      numHiddenLayers: 1,
      numAttentionHeads: 2,
      maxPositionEmbeddings: 8,
      hiddenAct: 'quick_gelu',
      layerNormEps: 1e-5,
    },
    unet: unetConfig({
      inChannels: 4,
      outChannels: 4,
      blockOutChannels: [8, 8],
      layersPerBlock: 1,
      crossAttentionDim: 16,
      attentionHeadDim: 2,
      normNumGroups: 4,
    }),
    vae: autoencoderSchema.parse({
      inChannels: 1,
      outChannels: 1,
      patchSize: 2,
      latentChannels: 4,
      blockOutChannels: [8],
      layersPerBlock: 1,
      normNumGroups: 4,
      midBlockAddAttention: false,
    }),
    sound: {
      mel,
      vocoder: vocoderSchema.parse({
        modelInDim: 8,
        samplingRate: 8000,
        upsampleInitialChannel: 8,
        upsampleRates: [4, 3],
        upsampleKernelSizes: [8, 7],
        resblockKernelSizes: [3],
        resblockDilationSizes: [[1, 3]],
        source: { mel, iterations: 3 },
      }),
    },
    scheduler: noiseSchedule({ predictionType: 'v_prediction' }),
    sampling: { sampler: 'dpm-solver++', steps: 2, guidanceScale: 2 },
  };
  const params = {
    text_encoder: clipTextInit(rng, config.textEncoder),
    unet: unetInit(rng, config.unet as never),
    vae: autoencoderInit(rng, config.vae),
    vocoder: vocoderInit(rng, config.sound!.vocoder),
  };
  return { modality: 'audio', config, params, tokenizer };
}

describe('sounds by latent diffusion', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'sound-'));
  });
  after(async () => {
    releaseMediaPrograms();
    await closeDevices();
    await rm(folder, { recursive: true, force: true });
  });

  const samplesOf = async (decoder: Decoder): Promise<Float32Array[]> =>
    (await generateMedia(decoder, { prompts: ['red circle', 'blue star'], seed: 3 })).map((m) => {
      assert.equal(m.modality, 'audio');
      assert.ok(m.modality === 'audio' && m.sound.sampleRate === 8000);
      return m.sound.samples;
    });

  it('a saved decoder is loaded whole and gives the same sounds', async () => {
    const decoder = tinyDecoder();
    await saveDecoder(folder, decoder);
    const again = await loadDecoder(folder);
    assert.deepEqual(again.config, decoder.config);
    const [a, b] = [flattenTree(decoder.params), flattenTree(again.params)];
    assert.deepEqual(Object.keys(b).sort(), Object.keys(a).sort());
    for (const key of Object.keys(a)) assert.deepEqual(await b[key].data(), await a[key].data(), key);
    const sounds = await samplesOf(decoder);
    // 4 rows of latents, 2 frames each.
    assert.deepEqual(
      sounds.map((s) => s.length),
      [8 * vocoderHop(decoder.config.sound!.vocoder), 96],
    );
    assert.ok(sounds.every((s) => s.every((v) => v >= -1 && v <= 1)));
    assert.notDeepEqual(sounds[0], sounds[1]);
    assert.deepEqual(await samplesOf(again), sounds);
    // Without its own settings it would be taken for a decoder of pictures.
    const settings = path.join(folder, 'omnilab.json');
    const text = await readFile(settings, 'utf8');
    await rm(settings);
    await assert.rejects(
      loadDecoder(folder),
      /omnilab\.json: expected the settings of a decoder of sounds, found none/,
    );
    await writeFile(settings, text);
  });

  it("the vocoder's configuration has transformers' names and nothing else", async () => {
    const config = JSON.parse(await readFile(path.join(folder, 'vocoder/config.json'), 'utf8')) as object;
    assert.deepEqual(Object.keys(config).sort(), [
      'architectures',
      'leaky_relu_slope',
      'model_in_dim',
      'model_type',
      'normalize_before',
      'resblock_dilation_sizes',
      'resblock_kernel_sizes',
      'sampling_rate',
      'upsample_initial_channel',
      'upsample_kernel_sizes',
      'upsample_rates',
    ]);
  });

  it('a decoder without its vocoder is refused', async () => {
    const { vocoder: _, ...params } = tinyDecoder().params;
    await assert.rejects(samplesOf({ ...tinyDecoder(), params }), /a sound decoder with a vocoder/);
  });

  it('the published sizes fit each other', () => {
    const { vae, unet, sound, latentShape } = audioldm2;
    assert.deepEqual([unet.inChannels, unet.outChannels], [vae.latentChannels, vae.latentChannels]);
    assert.deepEqual(latentShape, [vae.latentChannels, 1024 / 4, sound.mel.mels / 4]);
    assert.equal(vocoderHop(sound.vocoder), sound.mel.hop);
  });

  it('every tensor of a tiny decoder has a name of its own', () => {
    const names = tensorsOf(tinyDecoder().params).map((t) => t.path);
    assert.equal(new Set(names).size, names.length);
    assert.ok(names.includes('vocoder.source_conv.weight'));
  });
});
