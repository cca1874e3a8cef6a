/** What the clip decoder is trained on: rendered scenes, as the autoencoder takes them, and their captions as tokens. */
import { tensor } from '../../graph/tensor';
import type { Tensor } from '../../graph/tensor';
import type { Tokenizer } from '../../io/tokenizer';
import { captionIds } from '../../models/caption-tokens';
import { decodeLatents, encodeLatents } from '../../models/vae';
import type { AutoencoderConfig, AutoencoderParams } from '../../models/vae';
import { Random } from '../../nn/random';
import { jit } from '../../runtime/jit';
import { captionOf, describeObjects, drawScene, renderImage, renderVideo, Wording } from '../../world';
import type { Scene, Split } from '../../world';
import type { GeneratedMedium } from '../../eval/media-attributes';
import type { VideoSizes } from './video-sizes';

export const videoScenes = (seed: number, split: Split, count: number): Scene[] => {
  const random = new Random(seed, `video ${split}`);
  return Array.from({ length: count }, (_, i) => drawScene(random.stream(i), { split }));
};

/** The canonical caption; motion is told. Pictures have it too: what they cannot show, the clips teach later. */
export const videoCaption = (scene: Scene): string => captionOf(scene.objects, { motion: true });

/** A paraphrase by the grammar. */
export const videoParaphrase = (scene: Scene, random: Random): string =>
  describeObjects(scene.objects, new Wording(random), { motion: true });

/**
 * Caption tokens of scenes, [scenes, variants, length] flat: all canonical but the last of each scene, a paraphrase where it
 * fits into `length`.
 */
export function videoCaptions(
  tokenizer: Tokenizer,
  scenes: readonly Scene[],
  { variants, length, seed }: { variants: number; length: number; seed: number },
): { ids: Int32Array; variants: number; length: number } {
  const random = new Random(seed, 'video captions');
  const ids = new Int32Array(scenes.length * variants * length);
  scenes.forEach((scene, i) => {
    const canonical = captionIds(tokenizer, [videoCaption(scene)], length);
    for (let v = 0; v < variants; v++) ids.set(canonical, (i * variants + v) * length);
    const other = videoParaphrase(scene, random.stream(i));
    // Begin and end take two places.
    if (variants > 1 && tokenizer.encodePlain(other).length <= length - 2)
      ids.set(captionIds(tokenizer, [other], length), (i * variants + variants - 1) * length);
  });
  return { ids, variants, length };
}

/** Values 0 to 1 -> -1 to 1. */
const centred = (data: Float32Array): Float32Array => data.map((v) => 2 * v - 1);

/** The picture of a scene [3, side, side], -1 to 1. */
export const pictureOf = (scene: Scene, { side }: VideoSizes): Float32Array =>
  centred(renderImage(scene, { size: side }).data);

/** The frames of a scene's clip [frames, 3, side, side], -1 to 1. */
export const clipOf = (scene: Scene, { side, frames }: VideoSizes): Float32Array =>
  centred(renderVideo(scene, { size: side, frames }).data);

/** Latents [clips * frames, channels, h, w] -> those of clips [clips, channels, frames, h, w], both flat. */
export function joinLatents(values: Float32Array, shape: readonly number[], frames: number): Float32Array {
  const [channels, height, width] = shape;
  const plane = height * width;
  const out = new Float32Array(values.length);
  for (let n = 0; n < values.length / plane; n++) {
    const channel = n % channels;
    const frame = Math.floor(n / channels) % frames;
    const clip = Math.floor(n / channels / frames);
    out.set(values.subarray(n * plane, (n + 1) * plane), ((clip * channels + channel) * frames + frame) * plane);
  }
  return out;
}

/** Clips of scenes through the autoencoder and back, for the oracle to look at. */
export async function reconstructClips(
  params: AutoencoderParams,
  vae: AutoencoderConfig,
  c: VideoSizes,
  scenes: readonly Scene[],
  device?: string,
): Promise<{ samples: GeneratedMedium[]; mse: number }> {
  const shape = [c.frames, 3, c.side, c.side];
  const rebuild = jit(
    (p: AutoencoderParams, x: Tensor) =>
      decodeLatents(p, vae, encodeLatents(p, vae, x).mean)
        .mul(0.5)
        .add(0.5)
        .clip(0, 1),
    { device, name: 'reconstructClips' },
  );
  const samples: GeneratedMedium[] = [];
  let squares = 0;
  for (const scene of scenes) {
    const clip = renderVideo(scene, { size: c.side, frames: c.frames });
    const out = await rebuild(params, tensor(centred(clip.data), { shape }));
    const data = (await out.data()) as Float32Array;
    out.dispose();
    for (let i = 0; i < data.length; i++) squares += (data[i] - clip.data[i]) ** 2 / data.length;
    samples.push({ expected: scene.objects, medium: { modality: 'video', clip: { ...clip, data } } });
  }
  rebuild.release();
  return { samples, mse: squares / scenes.length };
}
