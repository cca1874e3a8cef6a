/**
 * Seconds for pictures by latent diffusion: ours, and diffusers with the same weights, noise and caption states, in turns. The
 * pictures are compared.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cpuThreads, Random, tensor, treeMap } from '../../lib';
import type { Tensor } from '../../lib';
import { generateMedia } from '../../lib/generate';
import {
  autoencoderInit,
  autoencoderSizes,
  captionTensor,
  clipTextInit,
  clipTextSizes,
  encodeCaptions,
  saveDecoder,
  trainCaptionTokenizer,
  unetInit,
  unetSizes,
} from '../../lib/models';
import type { Decoder } from '../../lib/models';
import { noiseSchedule } from '../../lib/nn';
import { captionOf, drawScene } from '../../lib/world';
import { median, ratio, show, tableHead, tableRow } from './numbers';
import { startPeer } from './peer';

const STEPS = 20;
const GUIDANCE = 5;

/** The laptop profile's kinds of models, with weights in every layer: initial ones are zero in some. */
async function randomDecoder(rng: Random): Promise<Decoder> {
  const captions = Array.from({ length: 300 }, () => captionOf(drawScene(rng).objects, { motion: false }));
  const tokenizer = trainCaptionTokenizer(captions, 320);
  const textEncoder = { ...clipTextSizes.nano, vocabSize: tokenizer.vocabSize };
  const unet = { ...unetSizes.nano, crossAttentionDim: textEncoder.hiddenSize };
  const vae = autoencoderSizes.nano;
  const initial = {
    text_encoder: clipTextInit(rng, textEncoder),
    unet: unetInit(rng, unet),
    vae: autoencoderInit(rng, vae),
  };
  const values: Promise<Tensor>[] = [];
  treeMap(initial, (t) => {
    const noise = rng.normals(t.size);
    values.push(
      t.data().then((d) =>
        tensor(
          (d as Float32Array).map((x, i) => x + 0.02 * noise[i]),
          { shape: [...t.shape] },
        ),
      ),
    );
    return t;
  });
  const moved = await Promise.all(values);
  let next = 0;
  const side = unet.sampleSize ?? 8;
  return {
    modality: 'image',
    params: treeMap(initial, () => moved[next++]),
    tokenizer,
    config: {
      modality: 'image',
      length: 24,
      latentShape: [vae.latentChannels, side, side],
      textEncoder,
      unet,
      vae,
      // StableDiffusionPipeline sets an offset of 1 where there is none.
      scheduler: noiseSchedule({ stepsOffset: 1 }),
      sampling: { sampler: 'ddim', steps: STEPS, guidanceScale: GUIDANCE },
    },
  };
}

/** One row a batch. */
export async function benchPictures(
  rounds: number,
  diffusers: boolean,
  say: (text: string) => void,
): Promise<object[]> {
  const rng = new Random(0);
  const decoder = await randomDecoder(rng);
  const { config, tokenizer } = decoder;
  const folder = await mkdtemp(path.join(tmpdir(), 'omnilab-bench-'));
  const results: object[] = [];
  say(tableHead(['pictures', 'batch', 's a picture', 'diffusers, s', 'diffusers / ours', 'largest difference']));
  try {
    if (diffusers) await saveDecoder(folder, decoder);
    const peer = diffusers ? await startPeer('torch_pictures.py', [String(cpuThreads()), folder]) : null;
    const states = (captions: string[]): Tensor =>
      encodeCaptions(decoder, captionTensor(tokenizer, captions, config.length));
    const empty = (await states(['']).tolist()) as number[][][];
    for (const rows of [1, 8]) {
      const captions = Array.from({ length: rows }, () => captionOf(drawScene(rng).objects, { motion: false }));
      const promptEmbeds = states(captions);
      const shape = [rows, ...config.latentShape];
      const latents = tensor(rng.normals(shape.reduce((a, b) => a * b)), { shape });
      const asked = JSON.stringify({
        embeds: await promptEmbeds.tolist(),
        empty,
        latents: await latents.tolist(),
        steps: STEPS,
        guidance: GUIDANCE,
      });
      const [ours, theirs]: [number[], number[]] = [[], []];
      let difference: number | null = null;
      for (let round = -1; round < Math.max(3, rounds >> 1); round++) {
        const start = performance.now();
        const media = await generateMedia(decoder, { promptEmbeds, latents, maxBatch: rows });
        if (round >= 0) ours.push(performance.now() - start);
        if (!peer) continue;
        const { ms, pixels } = JSON.parse(await peer.ask(asked)) as { ms: number; pixels: number[] };
        if (round >= 0) theirs.push(ms);
        const mine = media.flatMap((m) => (m.modality === 'image' ? [...m.picture.data] : []));
        difference = Math.max(difference ?? 0, ...mine.map((x, i) => Math.abs(x - pixels[i])));
      }
      const row = {
        pictures: `${config.vae.sampleSize} x ${config.vae.sampleSize}, ${STEPS} steps of DDIM with guidance`,
        rows,
        seconds: median(ours) / rows / 1e3,
        diffusersSeconds: theirs.length ? median(theirs) / rows / 1e3 : null,
        ratio: ratio(theirs, ours),
        difference,
      };
      results.push(row);
      say(
        tableRow([
          row.pictures,
          String(rows),
          show(row.seconds, 3),
          show(row.diffusersSeconds, 3),
          show(row.ratio, 2),
          row.difference === null ? '-' : row.difference.toExponential(0),
        ]),
      );
    }
    peer?.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  say('');
  return results;
}
