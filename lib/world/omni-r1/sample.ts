/** What a sample of Omni-R1's laptop world is: the types that generators, oracles, trainers and the benchmark share. */
import type { Picture } from '../../io/media';
import type { Random } from '../../nn/random';
import type { Split } from '../splits';
import type { Action, Predict } from './actions';

/** The four Uni-Tasks (paper, section 3.1), and the benchmark's share of each: 100, 200, 200, 300 of 800. */
export const UNI_TASKS = ['natural', 'structured', 'diagrammatic', 'vision-op'] as const;
export type UniTask = (typeof UNI_TASKS)[number];
export const BENCH_COUNTS: Record<UniTask, number> = {
  natural: 100,
  structured: 200,
  diagrammatic: 200,
  'vision-op': 300,
};

/** One step of a trajectory: an action and the picture that it truly makes. */
export interface Step {
  action: Action;
  image: Picture;
  /** What a frame or an enlargement is of, as the question names it. */
  of?: string;
  /** The step in words alone, as Zero's chains have it; a description in the language of captions. */
  says: string;
}

export interface R1Sample {
  /** Split, task and number: unique. */
  id: string;
  task: UniTask;
  /** Which question of the task: "bar-value", "slide", .... */
  kind: string;
  split: Split;
  /** With "<image>" where the picture stands. */
  question: string;
  image: Picture;
  steps: Step[];
  answer: string;
  /** What the picture shows, for the base model: facts in the order in which a description says them. */
  facts: string[];
  /**
   * What of it can be asked for: what it is called, the action that would show it, then what else is said of it: "1
   * BBOX(0.125,0.625,0.125,0.25) 2". The place has to be seen, since nothing that is said before tells it.
   */
  located?: string[];
  /** What kind of figure it is; a description begins with it. */
  figure: string;
  /** The pictures that PRED can announce. */
  predict: Predict;
  /**
   * For each step the pictures that it might have been taken for: of other actions of its kind on this sample, and the picture before.
   * The true one is not among them.
   */
  alternatives: (step: number) => Picture[];
}

/** What a generator makes; the rest is added in generate.ts. */
export type Draft = Omit<R1Sample, 'id' | 'task' | 'split' | 'kind'> & {
  /** What decides the sample but for its ground: it decides the split. */
  key: string;
};
/** Draws the content from `random`, the ground from `paint`. */
export type Generator = (random: Random, paint: Random) => Draft;

/** A description of the picture: all facts, or those chosen. */
export const describe = ({ figure, facts }: Pick<R1Sample, 'figure' | 'facts'>, chosen = facts): string =>
  `${figure}: ${chosen.join(', ')}.`;

/** Parts that one description tells the places of, at most. */
const PLACES = 4;

/**
 * A description that says where each part is, too: "bars: 1 BBOX(0.125,0.625,0.125,0.25) 2, ...". In any order: in reading order the
 * place would follow from the number of those before. Of many parts some.
 */
export const describePlaces = (
  { figure, facts, located }: Pick<R1Sample, 'figure' | 'facts' | 'located'>,
  random: Random,
): string => {
  if (!located) return describe({ figure, facts });
  const chosen = random.permutation(located.length).slice(0, PLACES);
  return describe({ figure, facts: chosen.map((i) => located[i]) });
};
