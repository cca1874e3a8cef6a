/**
 * Questions on what a medium shows, with one right answer each; many wordings of both; and the checker of answers, which
 * reads any wording of the grammar.
 */
import { captionOf } from './caption';
import { askCaption } from './caption-records';
import { describeObjects } from './describe';
import { COLOUR_WORDS, MOTION_WORDS, PLACE_WORDS, SHAPES, SHAPE_WORDS, SIZE_WORDS, COLOURS, cellCode } from './lexicon';
import { mediaSegment, showsMotion } from './media';
import { parseScene } from './parse';
import type { Random } from '../nn/random';
import { objectsCode } from './scene';
import type { SceneObject } from './scene';
import type { Modality } from './signals';
import type { QuestionKind, UnderstandingRecord } from './stage-records';
import { sentenceCase, withArticle } from './wording';
import type { Wording } from './wording';

type Question = UnderstandingRecord['question'];

/** A question, its words, and one answer in words. */
export interface Asked {
  question: Question;
  prompt: string;
  response: string;
}

type Attribute = 'colour' | 'shape' | 'size' | 'place' | 'motion';

/** How a question may name the object it is about: by attributes that no other object has, never by what it asks. */
function referencesTo(
  objects: readonly SceneObject[],
  object: SceneObject,
  asked: Attribute,
): ((w: Wording) => string)[] {
  const alone = (same: (o: SceneObject) => boolean): boolean => objects.filter(same).length === 1;
  const colour = (w: Wording): string => w.pick(COLOUR_WORDS[object.colour]);
  const shape = (w: Wording): string => w.pick(SHAPE_WORDS[object.shape]);
  const ways: ((w: Wording) => string)[] = [];
  if (asked !== 'place') ways.push((w) => `the thing ${w.pick(PLACE_WORDS[object.cell[0]][object.cell[1]])}`);
  if (asked !== 'shape' && alone((o) => o.shape === object.shape)) ways.push((w) => `the ${shape(w)}`);
  if (asked !== 'colour' && alone((o) => o.colour === object.colour)) ways.push((w) => `the ${colour(w)} thing`);
  if (asked !== 'colour' && asked !== 'shape' && alone((o) => o.shape === object.shape && o.colour === object.colour))
    ways.push((w) => `the ${colour(w)} ${shape(w)}`);
  return ways;
}

const ASK: Record<Attribute, readonly ((it: string) => string)[]> = {
  colour: [(it) => `Which colour has ${it}?`, (it) => `What colour is ${it}?`, (it) => `Tell me the colour of ${it}.`],
  shape: [(it) => `Which shape has ${it}?`, (it) => `What shape is ${it}?`, (it) => `What is ${it}?`],
  size: [(it) => `Is ${it} small or large?`, (it) => `How large is ${it}?`, (it) => `What size is ${it}?`],
  place: [(it) => `Where is ${it}?`, (it) => `In which place is ${it}?`, (it) => `Tell me where ${it} is.`],
  motion: [(it) => `Which way does ${it} move?`, (it) => `How does ${it} move?`, (it) => `What does ${it} do?`],
};

/** The value in words, and the canonical form of it. */
const VALUE: Record<Attribute, (o: SceneObject, w: Wording) => { said: string; answer: string }> = {
  colour: (o, w) => ({ said: w.pick(COLOUR_WORDS[o.colour]), answer: o.colour }),
  shape: (o, w) => ({ said: withArticle(w.pick(SHAPE_WORDS[o.shape])), answer: o.shape }),
  size: (o, w) => ({ said: w.pick(SIZE_WORDS[o.size]), answer: o.size }),
  place: (o, w) => ({ said: w.pick(PLACE_WORDS[o.cell[0]][o.cell[1]]), answer: cellCode(o.cell) }),
  motion: (o, w) => ({ said: w.pick(MOTION_WORDS[o.motion]), answer: o.motion }),
};

function askAttribute(
  kind: Attribute,
  objects: readonly SceneObject[],
  random: Random,
  w: [Wording, Wording],
): Asked | undefined {
  const object = random.choice(objects);
  const ways = referencesTo(objects, object, kind);
  if (!ways.length) return undefined;
  const it = w[0].pick(ways)(w[0]);
  const { said, answer } = VALUE[kind](object, w[1]);
  const response = w[1].pick([`It is ${said}.`, `${sentenceCase(it)} is ${said}.`, `${sentenceCase(said)}.`]);
  return { question: { kind, answer }, prompt: w[0].pick(ASK[kind])(it), response };
}

const NUMBERS = ['none', 'one', 'two', 'three'] as const;
const plural = (noun: string): string => noun + (/[sx]$/.test(noun) ? 'es' : 's');
const SENSE: Record<Modality, string> = { image: 'see', audio: 'hear', video: 'see' };

/** What a question may count or look for: a colour or a shape, one that is there as often as not. */
function drawTrait(
  objects: readonly SceneObject[],
  random: Random,
): { colour?: SceneObject['colour']; shape?: SceneObject['shape'] } {
  const there = random.uniform() < 0.5;
  const { colour, shape } = random.choice(objects);
  if (random.uniform() < 0.5)
    return { colour: there ? colour : random.choice(COLOURS.filter((c) => objects.every((o) => o.colour !== c))) };
  return { shape: there ? shape : random.choice(SHAPES.filter((s) => objects.every((o) => o.shape !== s))) };
}

function askCount(
  objects: readonly SceneObject[],
  modality: Modality,
  random: Random,
  [q, a]: [Wording, Wording],
): Asked {
  const sense = SENSE[modality];
  const all = random.uniform() < 0.5;
  const { colour, shape } = all ? {} : drawTrait(objects, random);
  const n = all ? objects.length : objects.filter((o) => o.colour === colour || o.shape === shape).length;
  const words = colour ? q.pick(COLOUR_WORDS[colour]) : shape ? plural(q.pick(SHAPE_WORDS[shape])) : '';
  const prompt = all
    ? q.pick(['How many things are there?', 'Count the objects.', `How many objects do you ${sense}?`])
    : colour
      ? q.pick([`How many things are ${words}?`, `How many ${words} things do you ${sense}?`])
      : q.pick([`How many ${words} are there?`, `How many ${words} do you ${sense}?`]);
  const number = NUMBERS[n];
  const response = a.pick([
    `${sentenceCase(number)}.`,
    `I count ${number}.`,
    n === 1 ? 'There is one.' : `There are ${number}.`,
  ]);
  return { question: { kind: 'count', answer: String(n) }, prompt, response };
}

function askExists(
  objects: readonly SceneObject[],
  modality: Modality,
  random: Random,
  [q, a]: [Wording, Wording],
): Asked {
  const { colour, shape } = drawTrait(objects, random);
  const sense = SENSE[modality];
  const yes = objects.some((o) => o.colour === colour || o.shape === shape);
  const thing = withArticle(colour ? `${q.pick(COLOUR_WORDS[colour])} thing` : q.pick(SHAPE_WORDS[shape ?? 'circle']));
  return {
    question: { kind: 'exists', answer: yes ? 'yes' : 'no' },
    prompt: q.pick([`Is there ${thing}?`, `Do you ${sense} ${thing}?`]),
    response: yes
      ? a.pick(['Yes.', 'Yes, there is.', `Yes, I ${sense} it.`])
      : a.pick(['No.', 'No, there is not.', `No, I ${sense} none.`]),
  };
}

/** Kinds of questions and how often each is asked; `motion` on clips only. */
const WEIGHTS: Record<QuestionKind, number> = {
  colour: 0.17,
  shape: 0.17,
  size: 0.1,
  place: 0.17,
  motion: 0.12,
  count: 0.12,
  exists: 0.12,
  caption: 0.15,
};
const KINDS = Object.keys(WEIGHTS) as QuestionKind[];

/** Draws a question on objects as a modality shows them. `wordings`: of the prompt and of the response. */
export function askQuestion(
  objects: readonly SceneObject[],
  modality: Modality,
  random: Random,
  wordings: [Wording, Wording],
): Asked {
  const motion = showsMotion(modality);
  for (;;) {
    const kind = random.weighted(KINDS, KINDS.map((k) => (k === 'motion' && !motion ? 0 : WEIGHTS[k]))); // prettier-ignore
    let asked: Asked | undefined;
    if (kind === 'caption')
      return {
        question: { kind, answer: captionOf(objects, { motion }) },
        prompt: askCaption(modality, wordings[0]),
        response: describeObjects(objects, wordings[1], { motion }),
      };
    if (kind === 'count') asked = askCount(objects, modality, random, wordings);
    else if (kind === 'exists') asked = askExists(objects, modality, random, wordings);
    else asked = askAttribute(kind, objects, random, wordings);
    // Some objects cannot be told apart without saying what is asked: another question then.
    if (!asked) continue;
    const segment = mediaSegment(modality);
    const prompt = wordings[0].chance(0.5) ? `${segment}${asked.prompt}` : `${asked.prompt} ${segment}`;
    return { ...asked, prompt };
  }
}

const NUMBER_WORDS: Record<string, number> = { no: 0, none: 0, zero: 0, one: 1, two: 2, three: 3 };

/**
 * Whether a text gives the answer: for an attribute, it tells that value of it and no other; for a number, the first
 * number is right; for yes or no, it begins with it; for a caption, the parser reads the same objects.
 */
export function answersQuestion({ kind, answer }: Question, text: string): boolean {
  switch (kind) {
    case 'exists':
      return new RegExp(`^\\W*${answer}\\b`, 'i').test(text);
    case 'count': {
      const number = /\b(no|none|zero|one|two|three|\d+)\b/i.exec(text)?.[0].toLowerCase();
      return number !== undefined && (NUMBER_WORDS[number] ?? Number(number)) === Number(answer);
    }
    case 'caption': {
      const [want, got] = [parseScene(answer).scene, parseScene(text).scene];
      // A caption without motion parses as still, as does a text that tells none.
      return !!want && !!got && objectsCode(got) === objectsCode(want);
    }
    default: {
      const key = kind === 'place' ? 'cell' : kind;
      const { objects, problems } = parseScene(text);
      const values = objects.flatMap((o) => {
        const value = o[key];
        return value === undefined ? [] : [Array.isArray(value) ? cellCode(value) : String(value)];
      });
      return (
        values.length > 0 && values.every((v) => v === answer) && !problems.some((p) => p.includes(`values of ${key}`))
      );
    }
  }
}
