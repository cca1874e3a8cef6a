/**
 * What a joint encoder has learnt, on held-out scenes: retrieval between each pair of modalities (the last two pairs were never
 * trained on), and what can be read out of its frozen token states.
 *
 * `<set>/<pair>/r1`, `/r5`: recall (retrieval.ts), `_low` and `_high` a 95 % interval of the mean over groups; `<set>/r1_chance`.
 * `probe/<modality>/<attribute>`: the share of objects whose attribute a probe reads at their place, and of places of which it
 * knows whether an object is there (`object`); `_chance`: the share of the most frequent value.
 */
import type { Tensor } from '../graph/tensor';
import { jointEncode } from '../models/imagebind';
import type { ImageBindParams } from '../models/imagebind';
import type { ImageBindConfig } from '../models/imagebind-config';
import { jit } from '../runtime/jit';
import { jointInput } from '../trainers/joint-batch';
import type { JointScenes } from '../trainers/joint-batch';
import { COLOURS, MODALITIES, MOTIONS, SHAPES, showsMotion, SIZES } from '../world';
import type { SceneObject } from '../world';
import { attentionProbe } from './attention-probe';
import type { ProbeData } from './attention-probe';
import { retrieval } from './retrieval';

/** What is encoded: media, captions without motion, captions with it. */
export const JOINT_VIEWS = ['image', 'audio', 'video', 'text', 'moving'] as const;
export type JointView = (typeof JOINT_VIEWS)[number];

export interface EncodedScenes {
  embeddings: Float32Array[];
  /** [length, width] of each scene. */
  tokens: Float32Array[];
  length: number;
}

/** Scenes in some views, encoded. */
export async function encodeViews(
  params: ImageBindParams,
  config: ImageBindConfig,
  scenes: JointScenes,
  views: readonly JointView[],
  { batchSize = 64, device }: { batchSize?: number; device?: string } = {},
): Promise<Partial<Record<JointView, EncodedScenes>>> {
  const out: Partial<Record<JointView, EncodedScenes>> = {};
  for (const view of views) {
    const input = view === 'moving' ? 'text' : view;
    const encode = jit((p: ImageBindParams, x: Tensor) => jointEncode(p, config, { [input]: x })[input], {
      device,
      name: `encode ${view}`,
    });
    const found: EncodedScenes = { embeddings: [], tokens: [], length: 0 };
    for (let at = 0; at < scenes.count; at += batchSize) {
      const rows = Array.from({ length: batchSize }, (_, k) => Math.min(at + k, scenes.count - 1));
      const { embedding, tokens } = await encode(params, jointInput(config, scenes, rows, view));
      const [vectors, states] = [await embedding.data(), await tokens.data()] as [Float32Array, Float32Array];
      const [, length, width] = tokens.shape;
      found.length = length;
      for (let k = 0; k < batchSize && at + k < scenes.count; k++) {
        found.embeddings.push(vectors.slice(k * config.embedWidth, (k + 1) * config.embedWidth));
        found.tokens.push(states.slice(k * length * width, (k + 1) * length * width));
      }
      embedding.dispose();
      tokens.dispose();
    }
    encode.release();
    out[view] = found;
  }
  return out;
}

/** A caption for a clip tells motion. */
const PAIRS: readonly (readonly [string, JointView, JointView])[] = [
  ['image_text', 'image', 'text'],
  ['image_audio', 'image', 'audio'],
  ['image_video', 'image', 'video'],
  ['video_text', 'video', 'moving'],
  ['audio_text', 'audio', 'text'],
  ['audio_video', 'audio', 'video'],
];

/** Recall for each pair, as metrics below a name. */
export function retrievalMetrics(
  name: string,
  encoded: Record<JointView, EncodedScenes>,
  groupSize: number,
): Record<string, number> {
  const out: Record<string, number> = {};
  const at = groupSize > 10 ? [1, 5] : [1];
  for (const [pair, a, b] of PAIRS) {
    const { recall, margin, chance } = retrieval(encoded[a].embeddings, encoded[b].embeddings, { groupSize, at });
    for (const k of at) {
      out[`${name}/${pair}/r${k}`] = recall[k];
      out[`${name}/${pair}/r${k}_low`] = Math.max(0, recall[k] - margin[k]);
      out[`${name}/${pair}/r${k}_high`] = Math.min(1, recall[k] + margin[k]);
      out[`${name}/r${k}_chance`] = chance[k];
    }
  }
  return out;
}

/** Values of each attribute. `object`: whether there is one at the place. */
const CLASSES: Record<string, number> = {
  object: 2,
  shape: SHAPES.length,
  colour: COLOURS.length,
  size: SIZES.length,
  motion: MOTIONS.length,
};

/** The class of each attribute at each of the 9 places; attributes other than `object` only where there is one. */
function labelsOf(scenes: readonly (readonly SceneObject[])[], motion: boolean): ProbeData['labels'] {
  const classes: Record<string, (o: SceneObject) => number> = {
    object: () => 1,
    shape: (o) => SHAPES.indexOf(o.shape),
    colour: (o) => COLOURS.indexOf(o.colour),
    size: (o) => SIZES.indexOf(o.size),
    ...(motion ? { motion: (o: SceneObject) => MOTIONS.indexOf(o.motion) } : {}),
  };
  return Object.fromEntries(
    Object.entries(classes).map(([name, of]) => [
      name,
      scenes.map((objects) => {
        const row = new Array<number>(9).fill(name === 'object' ? 0 : -1);
        for (const o of objects) row[o.cell[0] * 3 + o.cell[1]] = of(o);
        return row;
      }),
    ]),
  );
}

export interface ProbedScenes {
  encoded: Partial<Record<JointView, EncodedScenes>>;
  objects: readonly (readonly SceneObject[])[];
}

/** What a probe trained on some scenes reads from others, for each kind of medium. */
export async function probeMetrics(
  train: ProbedScenes,
  test: ProbedScenes,
  options: { steps?: number; learningRate?: number; seed?: number; device?: string } = {},
): Promise<Record<string, number>> {
  const out: Record<string, number> = {};
  for (const modality of MODALITIES) {
    const motion = showsMotion(modality);
    const data = ({ encoded, objects }: ProbedScenes): ProbeData => {
      const { tokens, length } = encoded[modality]!;
      return { tokens, length, labels: labelsOf(objects, motion) };
    };
    const held = data(test);
    const classes = Object.fromEntries(Object.keys(held.labels).map((name) => [name, CLASSES[name]]));
    const found = await attentionProbe(data(train), held, { classes, ...options });
    for (const [name, wanted] of Object.entries(held.labels)) {
      const counts = new Array<number>(classes[name]).fill(0);
      let right = 0;
      wanted.forEach((row, i) =>
        row.forEach((label, place) => {
          if (label < 0) return;
          counts[label]++;
          if (found[name][i][place] === label) right++;
        }),
      );
      const total = counts.reduce((a, b) => a + b, 0);
      out[`probe/${modality}/${name}`] = right / total;
      out[`probe/${modality}/${name}_chance`] = Math.max(...counts) / total;
    }
  }
  return out;
}
