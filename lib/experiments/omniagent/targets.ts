/**
 * What OmniAgent's stages are measured by, as rows for a table: the names under which the stages' runs give their figures, the
 * targets, and what else was measured that tells why one is missed. A figure that a run does not have gives no row.
 */
import { MEDIA_ATTRIBUTES } from '../../eval/media-attributes';
import type { MediaAttribute } from '../../eval/media-attributes';
import type { Metrics } from '../../pipeline/manifest';
import type { Run } from '../../pipeline/run-result';
import type { Measured } from '../../report/target-table';
import { formatNumber } from '../../report/numbers';
import { MODALITIES } from '../../world';
import type { Modality } from '../../world';

/** What a metric of this name is, with its interval and chance where the run has them; none if the run has no such metric. */
function measured(
  metrics: Metrics,
  name: string,
  rest: Pick<Measured, 'group' | 'what'> & Partial<Measured>,
): Measured[] {
  const number = (key: string): number | undefined => {
    const value = metrics[key];
    return typeof value === 'number' ? value : undefined;
  };
  const value = number(name);
  if (value === undefined) return [];
  const [low, high, chance, n] = ['low', 'high', 'chance', 'n'].map((end) => number(`${name}_${end}`));
  const known = Object.fromEntries(Object.entries({ low, high, chance, n }).filter(([, v]) => v !== undefined));
  return [{ value, ...known, ...rest }];
}

const NAMES: Record<Modality, string> = { image: 'pictures', audio: 'sounds', video: 'clips' };

/** Pairs of modalities in the joint space; the last two were never trained on. */
export const RETRIEVAL_PAIRS = {
  image_text: ['image', 'text'],
  image_audio: ['image', 'audio'],
  image_video: ['image', 'video'],
  video_text: ['video', 'text'],
  audio_text: ['audio', 'text'],
  audio_video: ['audio', 'video'],
} as const;

/** Retrieval of the joint encoder across each pair: recall at 1 among 50. */
export function retrievalMeasures(encoder: Run): Measured[] {
  const chance = encoder.metrics['retrieval/r1_chance'] as number;
  return Object.entries(RETRIEVAL_PAIRS).flatMap(([pair, [a, b]]) =>
    measured(encoder.metrics, `retrieval/${pair}/r1`, {
      group: 'joint encoder',
      what: `${a} and ${b}, recall at 1 among 50${pair.startsWith('audio') ? ' (never trained on)' : ''}`,
      chance,
      target: 'above chance',
    }),
  );
}

/** Recall at 1 as a matrix over the modalities, for a heat map; null where a modality would meet itself. */
export function retrievalMatrix(encoder: Run): { names: string[]; values: (number | null)[][] } {
  const names = ['image', 'audio', 'video', 'text'];
  const pairs = Object.entries(RETRIEVAL_PAIRS);
  const values = names.map((a) =>
    names.map((b) => {
      const pair = pairs.find(([, [x, y]]) => (x === a && y === b) || (x === b && y === a))?.[0];
      const value = pair && encoder.metrics[`retrieval/${pair}/r1`];
      return typeof value === 'number' ? value : null;
    }),
  );
  return { names, values };
}

/** What the captions of stage 1 get right, read by the grammar's parser. */
export const captionMeasures = ({ metrics }: Run): Measured[] =>
  MODALITIES.flatMap((m) =>
    (['shape', 'colour', 'place', 'size', 'motion', 'count', 'exact'] as const).flatMap((attribute) =>
      measured(metrics, `caption/${m}/${attribute}`, {
        group: `captions of ${NAMES[m]}`,
        what: attribute,
        n: metrics[`caption/${m}/captions`] as number,
        ...(['shape', 'colour', 'place'].includes(attribute) ? { target: 'above chance' as const } : {}),
      }),
    ),
  );

/** What the oracles see in generated media. `targets` by attribute; `why` is asked for what misses its target. */
export const mediaMeasures = (
  { metrics }: Run,
  {
    from,
    targets = {},
    modalities = MODALITIES,
    why,
  }: {
    from?: string;
    targets?: Partial<Record<MediaAttribute, number>>;
    modalities?: readonly Modality[];
    why?: (modality: Modality, attribute: MediaAttribute) => string;
  } = {},
): Measured[] =>
  modalities.flatMap((m) =>
    MEDIA_ATTRIBUTES.flatMap((attribute) =>
      measured(metrics, `${m}/${attribute}`, {
        group: `${NAMES[m]}${from ? ` ${from}` : ''}`,
        what: attribute,
        n: metrics[`${m}/media`] as number,
        ...(targets[attribute] === undefined ? {} : { target: targets[attribute] }),
        ...(why ? { why: why(m, attribute) } : {}),
      }),
    ),
  );

/** The least shares of shapes and colours that the decoders get right: through the whole chain, and by themselves. */
export const CHAIN_TARGETS = { shape: 0.6, colour: 0.6 } as const;
export const DECODER_TARGETS = { shape: 0.85, colour: 0.85 } as const;

export interface AgentRuns {
  encoder: Run;
  /** stage0_image, stage0_audio, stage0_video. */
  decoders: Record<Modality, Run>;
  stage1: Run;
  stage2: Run;
  stage3: Run;
}

/** How often each thing went wrong, as the run of stage 3 counted it. */
export type Faults = Record<string, Record<string, number>>;

const listFaults = (faults: Record<string, number> | undefined, n: number | undefined): string => {
  const all = Object.entries(faults ?? {});
  return all.length ? `What went wrong, of ${n}: ${all.map(([what, k]) => `${what} (${k})`).join(', ')}.` : '';
};

/** Everything that OmniAgent is to show on held-out samples, in order: encoder, captions, media, tools, plans, perplexities. */
export async function agentMeasures({ encoder, decoders, stage1, stage2, stage3 }: AgentRuns): Promise<Measured[]> {
  const faults = await stage3.loadJson<Faults>('faults');
  const { metrics } = stage3;
  const figure = (run: Run, name: string): string => {
    const value = run.metrics[name];
    return typeof value === 'number' ? formatNumber(value) : 'not measured';
  };
  /** The chain, link by link: where the accuracy is lost. */
  const chain = (m: Modality, attribute: MediaAttribute): string =>
    `The decoder alone, given the caption's words, gets ${figure(decoders[m], `${m}/${attribute}`)}; given what stage 2 projects ` +
    `from a caption, ${figure(stage2, `${m}/${attribute}`)}.`;
  const task = (name: string, rest: Pick<Measured, 'group' | 'what'> & Partial<Measured>): Measured[] =>
    measured(metrics, `task/${name}`, { why: listFaults(faults[name], metrics[`task/${name}_n`] as number), ...rest });
  return [
    ...retrievalMeasures(encoder),
    ...captionMeasures(stage1).filter(({ target }) => target !== undefined),
    ...mediaMeasures(stage3, { from: 'of the whole chain', targets: CHAIN_TARGETS, why: chain }),
    // A program that is written without looking gives no right result: chance is none.
    ...task('tool_success', { group: 'tools', what: 'calls that give the right result', target: 0.8, chance: 0 }),
    ...task('answer', { group: 'tools', what: 'and the text states it', chance: 0 }),
    ...task('plan_valid', { group: 'plans', what: 'valid, and carried out', target: 0.9, chance: 0 }),
    ...task('modalities', { group: 'answers', what: 'just the media asked for, in order' }),
    ...measured(metrics, 'ppl', { group: 'perplexity', what: 'overall' }),
    ...measured(metrics, 'genPpl', { group: 'perplexity', what: 'generation' }),
    ...measured(metrics, 'toolPpl', { group: 'perplexity', what: 'tools' }),
    ...measured(metrics, 'planPpl', { group: 'perplexity', what: 'plans' }),
  ];
}
