/** What the picture decoder is trained on: rendered scenes and their captions as tokens; and what its autoencoder keeps. */
import { tensor } from '../../graph/tensor';
import type { Tensor } from '../../graph/tensor';
import { frameOf } from '../../io/media';
import type { Medium } from '../../io/media';
import type { Tokenizer } from '../../io/tokenizer';
import { captionIds } from '../../models/caption-tokens';
import { decodeLatents, encodeLatents } from '../../models/vae';
import type { AutoencoderConfig, AutoencoderParams } from '../../models/vae';
import { Random } from '../../nn/random';
import { jit } from '../../runtime/jit';
import { captionOf, describeObjects, drawScene, renderImage, renderVideo, Wording } from '../../world';
import type { Scene, Split } from '../../world';

/** Scenes of a split. */
export const imageScenes = (seed: number, split: Split, count: number): Scene[] => {
  const random = new Random(seed, `image ${split}`);
  return Array.from({ length: count }, (_, i) => drawScene(random.stream(i), { split }));
};

/** Pixels [3, side, side] from -1 to 1, as the autoencoder has them. */
export const pixelsOf = (scene: Scene, side: number): Float32Array =>
  renderImage(scene, { size: side }).data.map((v) => 2 * v - 1);

/**
 * What the autoencoder's components are taken from, as `pixelsOf`: of one half of the scenes the picture, of the other a frame
 * of the clip, so that the clip decoder can take the autoencoder over.
 */
export const principalSamples = (scenes: readonly Scene[], side: number): Float32Array[] =>
  scenes.map((scene, i) => {
    if (i % 2) return pixelsOf(scene, side);
    const clip = renderVideo(scene, { size: side });
    return frameOf(clip, (i / 2) % clip.frames).data.map((v) => 2 * v - 1);
  });

export const imageCaption = (scene: Scene): string => captionOf(scene.objects, { motion: false });

/** A paraphrase by the grammar. */
export const imageParaphrase = (scene: Scene, random: Random): string =>
  describeObjects(scene.objects, new Wording(random), { motion: false });

/**
 * Caption tokens of scenes, [scenes, variants, length] flat: all canonical but the last of each scene, a paraphrase where it
 * fits into `length`.
 */
export function imageCaptions(
  tokenizer: Tokenizer,
  scenes: readonly Scene[],
  { variants, length, seed }: { variants: number; length: number; seed: number },
): { ids: Int32Array; variants: number; length: number } {
  const random = new Random(seed, 'image captions');
  const ids = new Int32Array(scenes.length * variants * length);
  scenes.forEach((scene, i) => {
    const canonical = captionIds(tokenizer, [imageCaption(scene)], length);
    for (let v = 0; v < variants; v++) ids.set(canonical, (i * variants + v) * length);
    const other = imageParaphrase(scene, random.stream(i));
    // Begin and end take two places.
    if (tokenizer.encodePlain(other).length <= length - 2)
      ids.set(captionIds(tokenizer, [other], length), (i * variants + variants - 1) * length);
  });
  return { ids, variants, length };
}

/** Pictures that are computed together. */
const TOGETHER = 16;

/** Pictures of scenes through the autoencoder: what comes out, and the mean squared error of values from -1 to 1. */
export async function reconstructPictures(
  { params, config }: { params: AutoencoderParams; config: AutoencoderConfig },
  scenes: readonly Scene[],
  side: number,
  device?: string,
): Promise<{ media: Medium[]; mse: number }> {
  const size = 3 * side * side;
  const reconstruct = jit(
    (p: AutoencoderParams, x: Tensor) => decodeLatents(p, config, encodeLatents(p, config, x).mean),
    { device, name: 'reconstruction' },
  );
  const media: Medium[] = [];
  let sum = 0;
  for (let first = 0; first < scenes.length; first += TOGETHER) {
    // One size is compiled: the last batch is filled with the first scenes.
    const batch = new Float32Array(TOGETHER * size);
    for (let i = 0; i < TOGETHER; i++) batch.set(pixelsOf(scenes[(first + i) % scenes.length], side), i * size);
    const out = await reconstruct(params, tensor(batch, { shape: [TOGETHER, 3, side, side] }));
    const values = (await out.data()) as Float32Array;
    for (let i = 0; i < TOGETHER && first + i < scenes.length; i++) {
      const own = values.slice(i * size, (i + 1) * size);
      own.forEach((v, k) => (sum += (v - batch[i * size + k]) ** 2));
      const data = own.map((v) => Math.min(1, Math.max(0, 0.5 * v + 0.5)));
      media.push({ modality: 'image', picture: { width: side, height: side, data } });
    }
    out.dispose();
  }
  reconstruct.release();
  return { media, mse: sum / (scenes.length * size) };
}
