/** What users say: the request for each category, in one of very many wordings. */
import { askFact } from './facts';
import type { Fact } from './facts';
import { COLOUR_WORDS, MEDIA_NOUNS, MEDIA_VERBS } from './lexicon';
import type { Colour, Size } from './lexicon';
import { inReadingOrder } from './scene';
import type { SceneObject } from './scene';
import type { Modality } from './signals';
import { nameSum } from './sums';
import type { Sum } from './sums';
import { sentenceCase, withArticle } from './wording';
import type { Wording } from './wording';

/** A change that the user wants of what is seen or heard. */
export type Edit = { kind: 'recolour'; colour: Colour } | { kind: 'resize'; size: Size } | { kind: 'mirror' | 'flip' };

/** The objects after the edit, in reading order. */
export function applyEdit(objects: readonly SceneObject[], edit: Edit): SceneObject[] {
  return inReadingOrder(
    objects.map((o) => {
      const [row, column] = o.cell;
      if (edit.kind === 'recolour') return { ...o, colour: edit.colour };
      if (edit.kind === 'resize') return { ...o, size: edit.size };
      return { ...o, cell: edit.kind === 'mirror' ? [row, 2 - column] : [2 - row, column] };
    }),
  );
}

function sayEdit(edit: Edit, w: Wording): string {
  switch (edit.kind) {
    case 'recolour': {
      const colour = w.pick(COLOUR_WORDS[edit.colour]);
      return w.pick([`, but all in ${colour}`, `, with everything ${colour}`, `, painted ${colour} throughout`]);
    }
    case 'resize':
      return w.pick([`, but make everything ${edit.size}`, `, with all of it ${edit.size}`]);
    case 'mirror':
      return w.pick([', mirrored left to right', ', but swap left and right']);
    case 'flip':
      return w.pick([', turned upside down', ', but swap top and bottom']);
  }
}

const NOUNS: Record<Modality, readonly string[]> = {
  image: MEDIA_NOUNS.image.map(withArticle),
  audio: MEDIA_NOUNS.audio.map(withArticle),
  video: MEDIA_NOUNS.video.map(withArticle),
};

/** "a picture and a sound". */
const listMedia = (media: readonly Modality[], w: Wording): string => {
  const names = media.map((m) => w.pick(NOUNS[m]));
  return names.length < 2 ? names[0] : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
};

/** audio_to_image and image_to_audio: the medium is put at the place of the words' end or beginning. */
export function askConversion(from: 'audio' | 'image', segment: string, edit: Edit | undefined, w: Wording): string {
  const change = edit ? sayEdit(edit, w) : '';
  const words =
    from === 'audio'
      ? w.pick([
          'Draw what you hear',
          'Turn this sound into a picture',
          'What does this look like? Show it',
          'Paint the scene of this recording',
          'I want to see this',
          'Make an image from the audio',
        ])
      : w.pick([
          'Let me hear this',
          'Turn this picture into a sound',
          'What does this sound like? Play it',
          'Make the sound of this scene',
          'I want to listen to this image',
          'Give me audio for it',
        ]);
  return w.chance(0.5) ? `${segment}${words}${change}.` : `${words}${change}: ${segment}`;
}

/** text_to_multimodal. */
export function askMedia(description: string, outputs: readonly Modality[], w: Wording): string {
  const media = listMedia(outputs, w);
  return w.pick([
    `${description} Make ${media} of it.`,
    `Please make ${media} of this: ${description}`,
    `I would like ${media}. ${description}`,
    `Show me this as ${media}: ${description}`,
  ]);
}

const showEmblem = (output: Modality, w: Wording): string =>
  w.pick([
    `Give me ${w.pick(NOUNS[output])} of its emblem`,
    `Make ${w.pick(NOUNS[output])} of the emblem too`,
    `And turn its emblem into ${w.pick(NOUNS[output])}`,
  ]);

/** search_and_generate: a question, and its emblem or a scene that is described. */
export function askSearch(fact: Fact, description: string | undefined, output: Modality, w: Wording): string {
  const question = `${sentenceCase(w.pick(['', '', 'tell me, ', 'please find out: ']) + askFact(fact, w))}?`;
  if (description === undefined) return `${question} ${showEmblem(output, w)}.`;
  return `${question} ${w.pick(['Also make', 'And give me', 'I also want'])} ${w.pick(NOUNS[output])} of this: ${description}`;
}

/** code_and_explain. */
export function askSum(sum: Sum, w: Wording): string {
  const name = nameSum(sum, w);
  return w.pick([
    `What is ${name}? Explain it.`,
    `Compute ${name} and explain how.`,
    `Please work out ${name}.`,
    `I need ${name}. How do you get it?`,
    `Write a program for ${name}, and tell me what it gives.`,
  ]);
}

/** multi_step_creation: the steps of the request in order. */
export function askSteps(steps: readonly string[], w: Wording): string {
  const starts = steps.map((_, i) =>
    i === 0
      ? w.pick(['First, ', 'First of all, ', ''])
      : i === steps.length - 1
        ? w.pick(['Finally, ', 'At last, ', 'Then '])
        : w.pick(['Then ', 'After that, ', 'Next, ']),
  );
  return steps.map((step, i) => sentenceCase(starts[i] + step) + (/[.?!]$/.test(step) ? '' : '.')).join(' ');
}

/** "draw it", "film it as a clip". */
const makeIt = (modality: Modality, w: Wording): string =>
  w.pick(MEDIA_VERBS[modality]) + w.pick([' it', ` it as ${w.pick(NOUNS[modality])}`]);

/** One step's words. */
export const stepWords = {
  search: (fact: Fact, w: Wording) => w.pick([`look this up: ${askFact(fact, w)}?`, `find out: ${askFact(fact, w)}?`]),
  compute: (sum: Sum, w: Wording) => w.pick([`work out ${nameSum(sum, w)}`, `compute ${nameSum(sum, w)}`]),
  describe: (w: Wording) => w.pick(['say in other words what there is', 'describe the scene in your own words']),
  scene: (description: string, w: Wording) =>
    w.pick([`imagine this: ${description}`, `take this scene: ${description}`]),
  emblem: (w: Wording) => w.pick(['take its emblem', 'think of its emblem']),
  image: (w: Wording) => makeIt('image', w),
  audio: (w: Wording) => makeIt('audio', w),
  video: (w: Wording) => makeIt('video', w),
};
