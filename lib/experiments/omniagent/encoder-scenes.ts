/** The joint encoder's data: groups of near-variants of scenes, rendered once in every modality. */
import { tensor } from '../../graph/tensor';
import type { Tensor } from '../../graph/tensor';
import type { Tokenizer } from '../../io/tokenizer';
import { trainTokenizer } from '../../io/tokenizer-train';
import type { ImageBindConfig } from '../../models/imagebind-config';
import { JOINT_TOKENS, pieceLength, spectrogramOf, textIds } from '../../models/joint-input';
import type { Random } from '../../nn/random';
import { jit } from '../../runtime/jit';
import type { JointScenes } from '../../trainers/joint-batch';
import { captionOf, describeObjects, drawScene, objectsCode, splitOf, Wording } from '../../world';
import type { Scene, SceneObject, Split } from '../../world';
import { renderAudio } from '../../world/render-audio';
import { renderImage } from '../../world/render-image';
import { renderVideo } from '../../world/render-video';
import { changeAttribute } from '../../world/scene';

/** Free wordings of each scene, of either kind. */
const PARAPHRASES = 2;

/** Draws of a variant before a scene is given up: few scenes of one object have enough neighbours in a small split. */
const TRIES = 400;

/**
 * Group after group, `groupSize` scenes each: one drawn from a split, and variants of it that differ from it (or from one
 * another) in one attribute, of that split too. With `motion`, that may be the motion of an object.
 */
export function drawGroups(
  random: Random,
  split: Split,
  groups: number,
  groupSize: number,
  motion = true,
): SceneObject[][] {
  const draw = (): SceneObject[][] => {
    const group = [drawScene(random, { split }).objects];
    for (let tries = 0; group.length < groupSize; tries++) {
      if (tries === TRIES) return draw();
      const variant = changeAttribute(random, random.choice(group), motion);
      const known = group.some((g) => objectsCode(g) === objectsCode(variant));
      // Shapes and sizes are the hardest to see: variants with the first scene's are taken half as often.
      if (outlines(variant) === outlines(group[0]) && random.uniform() < 0.5) continue;
      if (!known && splitOf(objectsCode(variant, false)) === split) group.push(variant);
    }
    return group;
  };
  return Array.from({ length: groups }, draw).flat();
}

const outlines = (objects: readonly SceneObject[]): string =>
  objects
    .map((o) => `${o.shape} ${o.size}`)
    .sort()
    .join();

/** The first `count` of some scenes; they share memory. */
export function firstScenes(scenes: JointScenes, count: number): JointScenes {
  const cut = <T extends Uint8Array | Float32Array>(data: T): T =>
    data.subarray(0, (data.length / scenes.count) * count) as T;
  return { ...scenes, count, image: cut(scenes.image), video: cut(scenes.video), audio: cut(scenes.audio) };
}

/** Trained on captions and descriptions of the training split. */
export function trainJointTokenizer(random: Random, texts: number, vocabSize: number): Tokenizer {
  const wording = new Wording(random);
  const list = Array.from({ length: texts }, (_, i) => {
    const { objects } = drawScene(random, { split: 'train' });
    const motion = i % 4 < 2;
    return i % 2 ? captionOf(objects, { motion }) : describeObjects(objects, wording, { motion });
  });
  return trainTokenizer(list, { vocabSize, addedTokens: JOINT_TOKENS });
}

/** Sounds whose spectrograms are computed in one run. */
const SOUNDS = 64;

/**
 * Renders scenes. Each modality gets a background of its own: a tint that picture and clip share would give partners away.
 */
export async function renderScenes(
  c: ImageBindConfig,
  tokenizer: Tokenizer,
  list: readonly (readonly SceneObject[])[],
  random: Random,
  options: { device?: string; onProgress?: (done: number, total: number) => void } = {},
): Promise<JointScenes> {
  const { imageSize, frames } = c.vision;
  const { device, onProgress } = options;
  const count = list.length;
  const picture = 3 * imageSize * imageSize;
  const image = new Uint8Array(count * picture);
  const video = new Uint8Array(count * frames * picture);
  const spectrogram = c.audio.mel.mels * c.audio.frames;
  const audio = new Float32Array(count * spectrogram);
  const toMel = jit((samples: Tensor) => spectrogramOf(c, samples), { device, name: 'spectrograms' });
  const seconds = pieceLength(c) / c.audio.mel.sampleRate;
  const wording = new Wording(random.stream('wording'));
  const numbers = new Map<string, number>();
  const numberOf = (code: string): number => {
    const found = numbers.get(code) ?? numbers.size;
    numbers.set(code, found);
    return found;
  };
  const texts: JointScenes['texts'][number][] = [];
  const samples = new Float32Array(SOUNDS * pieceLength(c));
  for (let at = 0; at < count; at += SOUNDS) {
    const end = Math.min(count, at + SOUNDS);
    for (let i = at; i < end; i++) {
      const objects = [...list[i]];
      const scene = (): Scene => ({ objects, background: drawBackground(random) });
      quantize(renderImage(scene(), { size: imageSize }).data, image, i * picture);
      quantize(renderVideo(scene(), { size: imageSize, frames }).data, video, i * frames * picture);
      const { samples: sound } = renderAudio(scene(), { sampleRate: c.audio.mel.sampleRate, seconds });
      samples.set(sound, (i - at) * pieceLength(c));
      const ids = (motion: boolean): number[][] =>
        [
          captionOf(objects, { motion }),
          ...Array.from({ length: PARAPHRASES }, () => describeObjects(objects, wording, { motion })),
        ].map((text) => textIds(c, tokenizer, text));
      texts.push({ plain: ids(false), moving: ids(true) });
    }
    const mel = await toMel(tensor(samples, { shape: [SOUNDS, pieceLength(c)] }));
    audio.set(((await mel.data()) as Float32Array).subarray(0, (end - at) * spectrogram), at * spectrogram);
    mel.dispose();
    onProgress?.(end, count);
  }
  toMel.release();
  return {
    count,
    image,
    video,
    audio,
    texts,
    looks: Int32Array.from(list, (o) => numberOf(objectsCode(o, false))),
    motions: Int32Array.from(list, (o) => numberOf(`moving ${objectsCode(o)}`)),
  };
}

const drawBackground = (random: Random): Scene['background'] => drawScene(random, { count: 1 }).background;

function quantize(from: Float32Array, to: Uint8Array, offset: number): void {
  for (let i = 0; i < from.length; i++) to[offset + i] = Math.round(from[i] * 255);
}
