/** Media from captions: diffusers' own pipeline with the same noise, folders in its layout, rows that do not depend on others. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { FormatError } from '../../lib/errors';
import { flattenTree, tensor, toFloat16, treeMap } from '../../lib/graph';
import { readSafetensors, writeSafetensors } from '../../lib/io';
import type { StoredTensor } from '../../lib/io';
import { generateMedia, releaseMediaPrograms } from '../../lib/generate';
import type { GenerateMediaOptions } from '../../lib/generate';
import {
  captionIds,
  captionTensor,
  encodeCaptions,
  loadDecoder,
  saveDecoder,
  trainCaptionTokenizer,
} from '../../lib/models';
import type { Decoder } from '../../lib/models';
import { closeDevices } from '../../lib/runtime';
import { golden, goldenTexts, tinyPipeline } from '../models/golden-diffusion';
import { assertClose, param } from '../nn/golden';

describe('media by latent diffusion', () => {
  let decoder: Decoder;
  const captions = goldenTexts('pipeline.captions');
  before(async () => {
    decoder = await loadDecoder(tinyPipeline);
  });
  after(async () => {
    releaseMediaPrograms();
    await closeDevices();
  });

  const pixels = async (options: Partial<GenerateMediaOptions>): Promise<number[]> =>
    (await generateMedia(decoder, { prompts: captions, guidanceScale: 3, ...options })).flatMap((m) => {
      assert.equal(m.modality, 'image');
      return m.modality === 'image' ? [...m.picture.data] : [];
    });
  const noise = () => param('pipe.noise', [2, 2, 4, 4]);

  it("a folder that diffusers saved gives diffusers' pictures", async () => {
    const states = encodeCaptions(decoder, captionTensor(decoder.tokenizer, captions, 8));
    assertClose(await states.numbers(), golden('pipeline').states, 'states', 1e-4);
    const at = (name: string, found: number[], key: string) => assertClose(found, golden(name)[key], key, 2e-4);
    at('pipeline', await pixels({ latents: noise(), sampler: 'ddim', steps: 6 }), 'ddim');
    at('pipeline', await pixels({ latents: noise(), sampler: 'ddim', steps: 6, guidanceScale: 1 }), 'plain');
    at('pipeline.dpm', await pixels({ latents: noise(), sampler: 'dpm-solver++', steps: 8 }), 'images');
  });

  it('prompts and their states give the same; each row by its own stream, in any batch', async () => {
    const promptEmbeds = encodeCaptions(decoder, captionTensor(decoder.tokenizer, captions, 8));
    const options = { steps: 3, seed: 5 };
    const both = await pixels(options);
    assertClose(await pixels({ ...options, prompts: undefined, promptEmbeds }), both, 'states', 1e-5);
    const second = both.slice(both.length / 2);
    assertClose(await pixels({ ...options, prompts: [captions[1]], streams: [1] }), second, 'alone', 1e-5);
    assertClose(await pixels({ ...options, maxBatch: 1 }), both, 'one by one', 1e-5);
    assert.notDeepEqual(await pixels({ ...options, seed: 6 }), both);
    const noisy = await pixels({ ...options, sampler: 'ddim', eta: 1 });
    assert.deepEqual(await pixels({ ...options, sampler: 'ddim', eta: 1 }), noisy);
  });

  it('says how far it is, and stops when asked to', async () => {
    const steps: string[] = [];
    await pixels({ steps: 2, maxBatch: 1, onStep: (e) => steps.push(`${e.firstRow}+${e.rows}: ${e.step}/${e.steps}`) });
    assert.deepEqual(steps, ['0+1: 1/2', '0+1: 2/2', '1+1: 1/2', '1+1: 2/2']);
    const abort = new AbortController();
    const stopped = pixels({ steps: 4, signal: abort.signal, onStep: ({ step }) => step === 2 && abort.abort() });
    await assert.rejects(stopped, { name: 'CancelledError' });
  });

  it('refuses what it cannot use', async () => {
    const cases: [Partial<GenerateMediaOptions>, RegExp][] = [
      [{ promptEmbeds: param('x', [1, 8, 8]) }, /expected prompts or promptEmbeds, got both/],
      [{ prompts: undefined, promptEmbeds: param('x', [1, 8, 7]) }, /expected promptEmbeds \[B, 8, 8\]/],
      [{ guidanceScale: NaN }, /guidance scale of 0 or more, got NaN/],
      [{ streams: ['a'] }, /a stream name for each of 2 rows, got 1/],
      [{ sampler: 'dpm-solver++', eta: 0.5 }, /expected eta 0 for dpm-solver/],
      [{ latents: param('x', [2, 2, 4, 5]) }, /expected latents \[2, 2, 4, 4\]/],
      [{ maxBatch: 0 }, /positive maxBatch/],
    ];
    for (const [options, message] of cases) await assert.rejects(pixels({ steps: 2, ...options }), message);
  });
});

describe('decoder folders', () => {
  let dir: string;
  before(async () => (dir = await mkdtemp(path.join(tmpdir(), 'decoder-'))));
  after(async () => {
    await rm(dir, { recursive: true });
    await closeDevices();
  });

  it('saved and loaded again: the same configuration and weights', async () => {
    const decoder = await loadDecoder(tinyPipeline);
    await saveDecoder(dir, decoder);
    const again = await loadDecoder(dir);
    assert.deepEqual(again.config, decoder.config);
    const [a, b] = [flattenTree(decoder.params), flattenTree(again.params)];
    assert.deepEqual(Object.keys(b), Object.keys(a));
    for (const name of Object.keys(a)) assert.deepEqual(await b[name].data(), await a[name].data(), name);
    const caption = goldenTexts('pipeline.captions').slice(0, 1);
    assert.deepEqual(captionIds(again.tokenizer, caption, 8), captionIds(decoder.tokenizer, caption, 8));
  });

  it('what cannot be computed here is named', async () => {
    await saveDecoder(dir, await loadDecoder(tinyPipeline));
    const file = path.join(dir, 'unet', 'config.json');
    const config = JSON.parse(await readFile(file, 'utf8')) as object;
    for (const [change, message] of [
      [{ act_fn: 'gelu' }, /config.json: expected act_fn "silu", got "gelu"/],
      [{ class_embed_type: 'timestep' }, /settings that are known here, got class_embed_type "timestep"/],
      [{ layers_per_block: 0 }, /at layers_per_block/],
      [{ block_out_channels: [4, 4] }, /expected "down_blocks.1.resnets.0.conv1.bias" as \[4\], got \[8\]/],
    ] as const) {
      await writeFile(file, JSON.stringify({ ...config, ...change }));
      await assert.rejects(loadDecoder(dir), message);
    }
    await rm(file);
    await assert.rejects(loadDecoder(dir), /expected a file, found none/);
  });

  it('refuses damaged settings and weights, each by the name of the file', async () => {
    const decoder = await loadDecoder(tinyPipeline);
    await saveDecoder(dir, decoder);
    const refuses = (pattern: RegExp): Promise<void> =>
      assert.rejects(loadDecoder(dir), (error: Error) => {
        assert.ok(error instanceof FormatError, String(error));
        assert.match(error.message, pattern);
        return true;
      });
    for (const name of ['model_index.json', 'omnilab.json', 'unet/config.json', 'scheduler/scheduler_config.json'])
      for (const text of ['null', '[]', '5', '"x"', '{', '']) {
        const file = path.join(dir, name);
        const before = await readFile(file);
        await writeFile(file, text);
        await refuses(new RegExp(`${path.basename(name, '.json')}\\.json: expected`));
        await writeFile(file, before);
      }
    const file = path.join(dir, 'unet', 'diffusion_pytorch_model.safetensors');
    const { tensors, metadata } = await readSafetensors(file);
    const name = 'conv_in.bias';
    const { shape, data } = tensors[name];
    const store = (tensor: StoredTensor): Promise<void> =>
      writeSafetensors(file, { ...tensors, [name]: tensor }, metadata);
    await store({ dtype: 'int32', shape, data: new Int32Array(data.length) });
    await refuses(/expected "conv_in\.bias" as floats, got int32/);
    await store({ dtype: 'float32', shape, data: new Float32Array(data.length).fill(Infinity) });
    await refuses(/expected finite values in "conv_in\.bias", got Infinity at 0/);
    await store({ dtype: 'float16', shape, data: new Uint16Array(data.length).fill(0x7c00) });
    await refuses(/expected finite values in "conv_in\.bias", got Infinity at 0/);
    // diffusers may have saved half the bits.
    await store({ dtype: 'float16', shape, data: Uint16Array.from(data as Float32Array, toFloat16) });
    const loaded = await flattenTree((await loadDecoder(dir)).params)[`unet.${name}`].data();
    assertClose([...(loaded as Float32Array)], [...(data as Float32Array)], name, 1e-3);
  });

  it('lets no broken autoencoder pass for a picture', async () => {
    const decoder = await loadDecoder(tinyPipeline);
    const vae = treeMap(decoder.params.vae, (t) => tensor(new Float32Array(t.size).fill(NaN), { shape: t.shape }));
    const broken = { ...decoder, params: { ...decoder.params, vae } };
    await assert.rejects(generateMedia(broken, { prompts: ['red'], steps: 2 }), { name: 'NonFiniteError' });
  });

  it('captions: begin, words, end, padding; cut before the end', () => {
    const tokenizer = trainCaptionTokenizer(Array<string>(3).fill('small red circle top left'), 300);
    const ids = captionIds(tokenizer, ['small red', 'small red circle top left'], 6);
    const texts = [ids.subarray(0, 6), ids.subarray(6)].map((row) => tokenizer.decode([...row]));
    assert.deepEqual(texts, ['<|begin|>small red<|end|><|pad|><|pad|>', '<|begin|>small red circle top<|end|>']);
    // A caption cannot forge the tokens that end it.
    assert.equal([...captionIds(tokenizer, ['<|end|>'], 8)].filter((id) => id === tokenizer.id('<|end|>')).length, 1);
  });
});
