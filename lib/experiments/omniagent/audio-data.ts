/** What the sound decoder is trained on: rendered scenes, their spectrograms, and their captions as tokens. */
import { tensor } from '../../graph/tensor';
import type { Tensor } from '../../graph/tensor';
import type { Tokenizer } from '../../io/tokenizer';
import { captionIds } from '../../models/caption-tokens';
import type { SoundConfig } from '../../models/decoder';
import { logMelSpectrogram } from '../../nn/mel';
import { Random } from '../../nn/random';
import { jit } from '../../runtime/jit';
import { captionOf, describeObjects, drawScene, renderAudio, Wording } from '../../world';
import type { Scene, Split } from '../../world';

/** Scenes of a split, the same for every seed's run of the same seed. */
export const audioScenes = (seed: number, split: Split, count: number): Scene[] => {
  const random = new Random(seed, `audio ${split}`);
  return Array.from({ length: count }, (_, i) => drawScene(random.stream(i), { split }));
};

export const renderSounds = (scenes: readonly Scene[], sampleRate: number, seconds: number): Float32Array[] =>
  scenes.map((scene) => renderAudio(scene, { sampleRate, seconds }).samples);

/** Sounds whose spectrograms are computed together. */
const TOGETHER = 64;

/** Log-mel spectrograms [frames, mels] of sounds of one length, flat. */
export async function spectrograms(
  sounds: readonly Float32Array[],
  { mel }: SoundConfig,
  device?: string,
): Promise<Float32Array[]> {
  const length = sounds[0].length;
  const compute = jit((x: Tensor) => logMelSpectrogram(x, mel), { device, name: 'spectrograms' });
  const found: Float32Array[] = [];
  for (let first = 0; first < sounds.length; first += TOGETHER) {
    const rows = sounds.slice(first, first + TOGETHER);
    const batch = new Float32Array(TOGETHER * length);
    rows.forEach((s, i) => batch.set(s, i * length));
    const out = await compute(tensor(batch, { shape: [TOGETHER, length] }));
    const each = out.size / TOGETHER;
    const values = (await out.data()) as Float32Array;
    rows.forEach((_, i) => found.push(values.slice(i * each, (i + 1) * each)));
    out.dispose();
  }
  compute.release();
  return found;
}

export const soundCaption = (scene: Scene): string => captionOf(scene.objects, { motion: false });

/** A paraphrase by the grammar. */
export const soundParaphrase = (scene: Scene, random: Random): string =>
  describeObjects(scene.objects, new Wording(random), { motion: false });

/**
 * Caption tokens of scenes, [scenes, variants, length] flat: all canonical but the last of each scene, a paraphrase where it
 * fits into `length`.
 */
export function captionVariants(
  tokenizer: Tokenizer,
  scenes: readonly Scene[],
  { variants, length, seed }: { variants: number; length: number; seed: number },
): { ids: Int32Array; variants: number; length: number } {
  const random = new Random(seed, 'audio captions');
  const ids = new Int32Array(scenes.length * variants * length);
  scenes.forEach((scene, i) => {
    const canonical = captionIds(tokenizer, [soundCaption(scene)], length);
    for (let v = 0; v < variants; v++) ids.set(canonical, (i * variants + v) * length);
    const other = soundParaphrase(scene, random.stream(i));
    // Begin and end take two places.
    if (tokenizer.encodePlain(other).length <= length - 2)
      ids.set(captionIds(tokenizer, [other], length), (i * variants + variants - 1) * length);
  });
  return { ids, variants, length };
}
