/** The grammar: a scene's objects in one of very many wordings. parse.ts reads every one of them back. */
import { COLOUR_WORDS, COUNT_WORDS, MOTION_WORDS, PLACE_WORDS, RELATIONS, SHAPE_WORDS, SIZE_WORDS } from './lexicon';
import type { SceneObject } from './scene';
import { sentenceCase, withArticle } from './wording';
import type { Wording } from './wording';

/** Beginnings of a clause before the object. */
export const OPENINGS = ['there is', 'you can see', 'we see', 'I see', 'the scene has', 'one can find'] as const;
/** Verbs between object and place, in either order. */
export const POSITIONS = ['is', 'sits', 'lies', 'appears'] as const;
/** Words between two clauses of a sentence; never used within a clause, so the parser may cut there. */
const JOINTS = [' and ', ' while ', '; '] as const;
const COUNT_FRAMES = ['the scene has', 'there are', 'I count'] as const;

/** An object without its place and motion: "a tiny red disc". */
export function describeThing(object: SceneObject, wording: Wording): string {
  const colour = wording.pick(COLOUR_WORDS[object.colour]);
  const shape = wording.pick(SHAPE_WORDS[object.shape]);
  const size = wording.pick(SIZE_WORDS[object.size]);
  return wording.weighted(
    [withArticle(`${size} ${colour} ${shape}`), withArticle(`${colour} ${shape} that is ${size}`)],
    [3, 1],
  );
}

/** Where an object is; told from the object before (`last`) now and then, where it is next to it. */
function describePlace(object: SceneObject, last: SceneObject | undefined, wording: Wording): string {
  const relation =
    last &&
    RELATIONS.find(
      ({ step }) => step[0] === object.cell[0] - last.cell[0] && step[1] === object.cell[1] - last.cell[1],
    );
  if (relation && wording.chance(0.1)) return relation.words;
  return wording.pick(PLACE_WORDS[object.cell[0]][object.cell[1]]);
}

function describeClause(object: SceneObject, last: SceneObject | undefined, motion: boolean, wording: Wording): string {
  const thing = describeThing(object, wording);
  const place = describePlace(object, last, wording);
  const moves = wording.pick(MOTION_WORDS[object.motion]);
  const silent = !motion || (object.motion === 'still' && wording.chance(0.7));
  const tail = silent ? '' : `, ${moves}`;
  switch (wording.weighted(['opening', 'place', 'thing', 'motion'], [4, 2, 2, silent ? 0 : 2])) {
    case 'opening':
      return `${wording.pick(OPENINGS)} ${thing} ${place}${tail}`;
    case 'place':
      return `${place} ${wording.pick(POSITIONS)} ${thing}${tail}`;
    case 'thing':
      return `${thing} ${wording.pick(POSITIONS)} ${place}${tail}`;
    default:
      return `${thing} is ${moves} ${place}`;
  }
}

export interface DescribeOptions {
  /** Whether motion is told (false for senses that miss it: a picture, a sound). Default true. */
  motion?: boolean;
}

/**
 * Describes objects in one or more sentences. Every attribute is told, except that stillness may go without saying;
 * `parseScene` gives the objects back.
 */
export function describeObjects(
  objects: readonly SceneObject[],
  wording: Wording,
  { motion = true }: DescribeOptions = {},
): string {
  let text = '';
  if (wording.chance(0.2)) {
    text = `${sentenceCase(wording.pick(COUNT_FRAMES))} ${wording.pick(COUNT_WORDS[objects.length - 1])}. `;
    // "There are one object" is not English; the frames for one object agree with it.
    if (objects.length === 1) text = text.replace('There are', 'There is');
  }
  let last: SceneObject | undefined;
  let starts = true;
  for (const [i, object] of objects.entries()) {
    const clause = describeClause(object, last, motion, wording);
    text += starts ? sentenceCase(clause) : clause;
    last = object;
    starts = i === objects.length - 1 || wording.chance(0.5);
    text += i === objects.length - 1 ? '.' : starts ? '. ' : wording.pick(JOINTS);
  }
  return text;
}
