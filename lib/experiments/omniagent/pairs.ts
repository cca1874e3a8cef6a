/** Preference pairs as stage 4 trains on them: tokens with the vectors of their media, and for MM-DPO segments, scores and corrupted images. */
import type { Tokenizer } from '../../io/tokenizer';
import { projectMedia } from '../../generate/omni';
import type { OmniModel } from '../../generate/omni';
import { encodeMedia } from '../../models/joint-encoder';
import { Random } from '../../nn/random';
import type { Run } from '../../pipeline/run-result';
import type { TokenExample } from '../../trainers/batches';
import { corruptPicture } from '../../trainers/corrupt-image';
import type { SegmentedPair } from '../../trainers/mm-dpo';
import type { PreferencePair } from '../../trainers/preference';
import { makeEncyclopaedia, preferences, renderImage, SEGMENTS, segmentsOf } from '../../world';
import type { Split } from '../../world';
import { unpackExamples } from './examples';
import { fillExamples, loadOmniExamples } from './load';
import type { MediaExamples } from './load';

/** The two sets of pairs in the data's run, and the split that each was drawn from. */
const SETS = { preferences: 'train', preferences_validation: 'validation' } as const satisfies Record<string, Split>;
export type PairSet = keyof typeof SETS;

type Reader = Pick<OmniModel, 'input' | 'encoder'>;

async function chosenExamples(data: Run, name: PairSet, count: number): Promise<MediaExamples> {
  const all = await loadOmniExamples(data, `${name}_chosen`);
  return { ...all, examples: all.examples.slice(0, count) };
}

async function joinPairs(
  data: Run,
  name: PairSet,
  chosen: MediaExamples,
  model: Reader,
  device?: string,
): Promise<PreferencePair[]> {
  const filled = await fillExamples(model, chosen, device);
  const rejected = unpackExamples(data.file(`${name}_rejected.safetensors`), await data.load(`${name}_rejected`));
  // Both have the same prompt, and so the same media at the same places.
  return filled.map((example, i) => ({
    chosen: example,
    rejected: { ...rejected[i], vectors: example.vectors },
  }));
}

/** The first `count` pairs of a set, with the vectors of their media. */
export const loadPairs = async (
  data: Run,
  name: PairSet,
  model: Reader,
  { count = Infinity, device }: { count?: number; device?: string } = {},
): Promise<PreferencePair[]> => joinPairs(data, name, await chosenExamples(data, name, count), model, device);

/** The segment of each token of a conversation: each stretch of response tokens is a turn of its own. */
export function exampleSegments(tokenizer: Tokenizer, { ids, mask }: TokenExample): number[] {
  const out = new Array<number>(ids.length).fill(0);
  for (let from = 0; from < ids.length; from++) {
    if (!mask[from]) continue;
    let to = from;
    while (to < ids.length && mask[to]) to++;
    const turn = Array.from({ length: to - from }, (_, k) => ids[from + k]);
    segmentsOf(tokenizer, turn).forEach((s, k) => (out[from + k] = s));
    from = to;
  }
  return out;
}

/** The same pairs with what MM-DPO needs besides. The crop of a pair's image depends on nothing but the pair. */
export async function loadSegmentedPairs(
  data: Run,
  name: PairSet,
  model: Reader & Pick<OmniModel, 'tokenizer'>,
  { count = Infinity, device }: { count?: number; device?: string } = {},
): Promise<SegmentedPair[]> {
  const chosen = await chosenExamples(data, name, count);
  const pairs = await joinPairs(data, name, chosen, model, device);
  const { seed, config } = data;
  const book = makeEncyclopaedia(seed, (config.world as { places: number }).places);
  const records = [...preferences(book, SETS[name], pairs.length)];

  const images = chosen.examples.flatMap(({ media }, pair) =>
    media.flatMap(({ medium }, at) => {
      const { modality, scene } = chosen.media[medium];
      return modality === 'image' ? [{ pair, at, picture: renderImage(scene) }] : [];
    }),
  );
  const corrupted = images.map(({ pair, at, picture }) =>
    corruptPicture(new Random(seed, `corrupted image/${name}/${pair}/${at}`), picture),
  );
  const encoded = await encodeMedia(
    model.encoder!,
    corrupted.map((picture) => ({ modality: 'image' as const, picture })),
    { device },
  );
  const vectors = await projectMedia(
    model.input!,
    encoded.map((e) => ({ modality: 'image' as const, states: e.tokens, length: e.length })),
    device,
  );
  const out: SegmentedPair[] = pairs.map((pair, i) => {
    const { rewards } = records[i];
    const scores = (side: 'chosen' | 'rejected') => SEGMENTS.map((s) => rewards[s][side]);
    return {
      ...pair,
      segments: {
        chosen: exampleSegments(model.tokenizer, pair.chosen),
        rejected: exampleSegments(model.tokenizer, pair.rejected),
      },
      scores: { chosen: scores('chosen'), rejected: scores('rejected') },
    };
  });
  images.forEach(({ pair, at }, k) => {
    const { corrupted: before, chosen: example } = out[pair];
    const from = before ?? example;
    const list = [...(from.vectors ?? [])];
    list[at] = { ...list[at], values: vectors[k] };
    out[pair].corrupted = { ...from, vectors: list };
  });
  return out;
}
