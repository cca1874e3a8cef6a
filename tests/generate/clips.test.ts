/** Clips by latent diffusion: a decoder made from one of pictures, its frames, its folder. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { evaluate, flattenTree, tensorsOf } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { generateMedia, releaseMediaPrograms } from '../../lib/generate';
import { isClipUnet, loadDecoder, saveDecoder, unet3dConfigFrom, unet3dFromUnet, unet3dInit } from '../../lib/models';
import type { Decoder } from '../../lib/models';
import { Random } from '../../lib/nn';
import { closeDevices } from '../../lib/runtime';
import { goldenTexts, tinyPipeline } from '../models/golden-diffusion';
import { assertClose, param } from '../nn/golden';

const FRAMES = 3;
const prompts = goldenTexts('pipeline.captions').slice(0, 1);

describe('clips by latent diffusion', () => {
  let pictures: Decoder;
  let clips: Decoder;
  let dir: string;
  before(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'clips-'));
    pictures = await loadDecoder(tinyPipeline);
    const { config, params, tokenizer } = pictures;
    assert.ok(!isClipUnet(config.unet));
    const unet = unet3dFromUnet(new Random(1, 'clips'), config.unet, params.unet);
    await evaluate(...tensorsOf(unet).map((t) => t.tensor));
    const [channels, ...space] = config.latentShape;
    clips = {
      modality: 'video',
      config: {
        ...config,
        modality: 'video',
        unet: unet3dConfigFrom(config.unet),
        latentShape: [channels, FRAMES, ...space],
      },
      params: { ...params, unet },
      tokenizer,
    };
  });
  after(async () => {
    releaseMediaPrograms();
    await closeDevices();
    await rm(dir, { recursive: true });
  });

  it('each frame is the picture of its noise, as long as the layers over frames are identities', async () => {
    const latents = param('clips.noise', [1, ...clips.config.latentShape]);
    const options = { prompts, steps: 3, guidanceScale: 3 };
    const [medium] = await generateMedia(clips, { ...options, latents });
    assert.ok(medium.modality === 'video');
    const { frames, fps, width, height, data } = medium.clip;
    assert.deepEqual([frames, fps, data.length], [FRAMES, FRAMES, FRAMES * 3 * width * height]);
    for (let f = 0; f < FRAMES; f++) {
      const [still] = await generateMedia(pictures, { ...options, latents: latents.slice(null, null, f) });
      assert.ok(still.modality === 'image');
      const size = still.picture.data.length;
      assertClose(data.subarray(f * size, (f + 1) * size), still.picture.data, `frame ${f}`, 1e-4);
    }
  });

  it('frames see each other once the layers over frames are not', async () => {
    const init = unet3dInit(new Random(2, 'clips'), clips.config.unet as ReturnType<typeof unet3dConfigFrom>);
    const unet = Object.assign({}, clips.params.unet, { transformer_in: init.transformer_in });
    const { weight, bias } = init.transformer_in.proj_out;
    unet.transformer_in = {
      ...init.transformer_in,
      proj_out: { weight: param('proj_out', weight.shape, 0.3), bias },
    };
    const mixed = { ...clips, params: { ...clips.params, unet } };
    const noise = param('clips.noise', [1, ...clips.config.latentShape]);
    // Another last frame's noise: the first frame changes with it.
    const last = noise.slice(null, null, [FRAMES - 1, FRAMES]).neg();
    const other = noise.scatterElements(
      last
        .mul(0)
        .add(FRAMES - 1)
        .cast('int32'),
      last,
      2,
    );
    const first = async (latents: Tensor): Promise<Float32Array> => {
      const [m] = await generateMedia(mixed, { prompts, steps: 2, guidanceScale: 1, latents });
      assert.ok(m.modality === 'video');
      return m.clip.data.slice(0, m.clip.data.length / FRAMES);
    };
    const [a, b] = [await first(noise), await first(other)];
    assert.ok(a.some((v, i) => Math.abs(v - b[i]) > 1e-3));
  });

  it('saved and loaded again: the same decoder, with the classes of the published pipeline', async () => {
    await saveDecoder(dir, clips);
    const index = JSON.parse(await readFile(path.join(dir, 'model_index.json'), 'utf8')) as Record<string, unknown>;
    assert.equal(index._class_name, 'TextToVideoSDPipeline');
    assert.deepEqual(index.unet, ['diffusers', 'UNet3DConditionModel']);
    const again = await loadDecoder(dir);
    assert.deepEqual(again.config, clips.config);
    const [a, b] = [flattenTree(clips.params), flattenTree(again.params)] as Record<string, Tensor>[];
    assert.deepEqual(Object.keys(b), Object.keys(a));
    for (const name of Object.keys(a)) assert.deepEqual(await b[name].data(), await a[name].data(), name);
  });
});
