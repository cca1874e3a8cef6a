/** Scenes in all modalities at once, and batches of them for the joint encoder. */
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import type { ImageBindConfig } from '../models/imagebind-config';
import { padIds } from '../models/joint-input';
import type { Random } from '../nn/random';

/** Scenes in all modalities; scene i is row i of each list. */
export interface JointScenes {
  count: number;
  /** Pixels 0..255, [count, 3, H, W]. */
  image: Uint8Array;
  /** [count, frames, 3, H, W]. */
  video: Uint8Array;
  /** Normalised log-mel spectrograms, [count, 1, M, T]. */
  audio: Float32Array;
  /** Ids of the texts of each scene, the canonical one first: without motion, and with it. */
  texts: readonly { plain: readonly (readonly number[])[]; moving: readonly (readonly number[])[] }[];
  /** Equal where scenes look alike, their motion aside. */
  looks: Int32Array;
  /** Equal where they are alike in motion too. */
  motions: Int32Array;
}

export type JointBatch = {
  /** As the trunks take them. */
  image: Tensor;
  video: Tensor;
  audio: Tensor;
  text: Tensor;
  /** Pairs of rows that do not contradict each other: of pictures with anything, and of clips (rows) with texts (columns). */
  alike: Tensor;
  alikeMoving: Tensor;
};

/** Some scenes as one trunk takes them; as texts the canonical ones, without motion or with it. */
export function jointInput(
  { vision, audio, text }: ImageBindConfig,
  scenes: JointScenes,
  rows: readonly number[],
  view: 'image' | 'video' | 'audio' | 'text' | 'moving',
): Tensor {
  const { imageSize, frames } = vision;
  if (view === 'text' || view === 'moving')
    return padIds(
      rows.map((r) => scenes.texts[r][view === 'text' ? 'plain' : 'moving'][0]),
      text.contextLength,
    );
  const data = scenes[view];
  const size = data.length / scenes.count;
  const values = new Float32Array(rows.length * size);
  rows.forEach((r, k) => values.set(data.subarray(r * size, (r + 1) * size), k * size));
  if (view === 'audio') return tensor(values, { shape: [rows.length, 1, audio.mel.mels, audio.frames] });
  normalizeBytes(values, vision);
  const frame = [3, imageSize, imageSize];
  return tensor(values, { shape: [rows.length, ...(view === 'image' ? [] : [frames]), ...frame] });
}

/** Bytes of pictures [..., 3, H, W] as normalised pixels, in place. */
function normalizeBytes(values: Float32Array, { imageSize, mean, std }: ImageBindConfig['vision']): void {
  const plane = imageSize * imageSize;
  for (let at = 0; at < values.length; at += plane) {
    const c = (at / plane) % 3;
    const [scale, shift] = [1 / (255 * std[c]), mean[c] / std[c]];
    for (let i = at; i < at + plane; i++) values[i] = values[i] * scale - shift;
  }
}

export interface BatchWording {
  /** Draws which text of each scene is taken. */
  random: Random;
  canonical: boolean;
  /** Tokens; shorter texts are padded. */
  length: number;
}

/** A batch of the rows of some scenes. */
export function jointBatch(
  c: ImageBindConfig,
  scenes: JointScenes,
  rows: readonly number[],
  { random, canonical, length }: BatchWording,
): JointBatch {
  const n = rows.length;
  const moving = rows.map(() => random.uniform() < 0.5);
  const texts = rows.map((r, k) => {
    const list = scenes.texts[r][moving[k] ? 'moving' : 'plain'];
    return canonical ? list[0] : random.choice(list);
  });
  const matrix = (of: (i: number, j: number) => boolean): Tensor =>
    tensor(
      Uint8Array.from({ length: n * n }, (_, k) => Number(of(Math.floor(k / n), k % n))),
      { shape: [n, n] },
    );
  const { looks, motions } = scenes;
  const alike = (i: number, j: number): boolean => looks[rows[i]] === looks[rows[j]];
  return {
    image: jointInput(c, scenes, rows, 'image'),
    video: jointInput(c, scenes, rows, 'video'),
    audio: jointInput(c, scenes, rows, 'audio'),
    text: padIds(texts, length),
    alike: matrix(alike),
    alikeMoving: matrix((i, j) => alike(i, j) && (!moving[j] || motions[rows[i]] === motions[rows[j]])),
  };
}
