/** The backbone's corpus: descriptions, captions of media codes, articles, sums, small conversations. */
import { Random } from '../nn/random';
import { captionOf } from './caption';
import { formatChat } from './chat';
import type { Encoder } from './chat';
import { describeObjects, describeThing } from './describe';
import { YEARS } from './encyclopaedia';
import type { Encyclopaedia, Place } from './encyclopaedia';
import { answerOf, askFact, drawFact, factKey, stateFact } from './facts';
import { runJavaScript } from './javascript';
import { COLOUR_WORDS, PLACE_WORDS, SHAPE_WORDS } from './lexicon';
import { instructions, makeInstruction } from './instructions';
import { codeSegment, mediaSegment, showsMotion } from './media';
import { askQuestion } from './questions';
import { CATEGORIES } from './records';
import type { DocumentRecord } from './records';
import { drawScene } from './scene';
import { articlesOf } from './search';
import { CHAT_TOKENS, MODALITIES } from './signals';
import { splitOf } from './splits';
import type { Split } from './splits';
import { drawSum, explainSum, nameSum, programFor, sumKey } from './sums';
import { writtenConversation } from './text-answers';
import { Wording, sentenceCase } from './wording';

type Maker = (book: Encyclopaedia, split: Split, random: Random, w: Wording) => string;

function article(place: Place, w: Wording): string {
  const { name, emblem } = place;
  const facts = (['population', 'area', 'founded'] as const).map((attribute) =>
    sentenceCase(stateFact({ place: name, attribute }, String(place[attribute]), w)),
  );
  const products = place.products.flatMap(({ product, tonnes }) => {
    const i = w.pick(YEARS.map((_, k) => k));
    return [
      sentenceCase(stateFact({ place: name, attribute: 'product', product, year: YEARS[i] }, String(tonnes[i]), w)),
    ];
  });
  const opening = w.pick([
    `${name} is a ${place.kind} in the ${place.region}`.replace('a island', 'an island'),
    `In the ${place.region} lies the ${place.kind} of ${name}`,
  ]);
  const emblemText = `Its emblem is ${describeThing(emblem, w)} ${w.pick(PLACE_WORDS[emblem.cell[0]][emblem.cell[1]])}`;
  return [opening, ...w.shuffled([...facts, ...products, emblemText])].map((s) => `${s}.`).join(' ');
}

const GREETINGS = ['Hello.', 'Good morning.', 'Hi there.', 'Good evening.'];
const OFFERS = [
  'Hello. What shall I make for you?',
  'Good day. How can I help?',
  'Hi. Tell me what you want to see or hear.',
];

/** A short exchange: a greeting, a question on a scene, another way to say it, or a question on a place. */
const conversation: Maker = (book, split, random, w) => {
  const scene = drawScene(random, { split });
  const kind = random.choice(['greeting', 'colour', 'shape', 'paraphrase', 'fact'] as const);
  const said = describeObjects(scene.objects, w);
  const object = random.choice(scene.objects);
  const place = w.pick(PLACE_WORDS[object.cell[0]][object.cell[1]]);
  const say = (user: string, assistant: string) =>
    formatChat([
      { role: 'user', content: user },
      { role: 'assistant', content: assistant },
    ]);
  switch (kind) {
    case 'greeting':
      return say(w.pick(GREETINGS), w.pick(OFFERS));
    case 'colour':
      return say(
        `${said} Which colour has the thing ${place}?`,
        `${w.pick(['It is', 'That one is'])} ${w.pick(COLOUR_WORDS[object.colour])}.`,
      );
    case 'shape':
      return say(
        `${said} What is ${place}?`,
        `${w.pick(['It is a', 'There is a'])} ${w.pick(SHAPE_WORDS[object.shape])}.`,
      );
    case 'paraphrase':
      return say(
        `${w.pick(['Say it in other words:', 'Tell me this in your own words:'])} ${said}`,
        describeObjects(scene.objects, w),
      );
    case 'fact': {
      let fact = drawFact(book, random);
      while (splitOf(factKey(fact)) !== split) fact = drawFact(book, random);
      // The article stands above the question, so that it is read, not guessed.
      const wanted = fact.attribute === 'product' ? `${fact.place} ${fact.product}` : fact.place;
      const place = book.places.find((p) => p.name === fact.place) as Place;
      const text = articlesOf(place).find((a) => a.title === wanted)?.text ?? '';
      return say(
        `${text} ${sentenceCase(askFact(fact, w))}?`,
        `${sentenceCase(stateFact(fact, answerOf(book, fact), w))}.`,
      );
    }
  }
};

/** Notes are written in a few fixed words, so that what has to be read in a text weighs more than how it is said. */
const NOTE = [' In short?', ' Take notes.', ' What is in it?'];

/** A description, and what is in it. */
const sceneNotes: Maker = (_, split, random, w) => {
  const { objects } = drawScene(random, { split });
  const motion = random.uniform() < 0.5;
  return formatChat([
    { role: 'user', content: `${describeObjects(objects, w, { motion })}${w.pick(NOTE)}` },
    { role: 'assistant', content: captionOf(objects, { motion }) },
  ]);
};

/** A request of the six categories and its answer, in text alone. */
const assistant: Maker = (book, split, random) =>
  // A family of its own: no sample of stage 3 is among them.
  formatChat(writtenConversation(makeInstruction(book, random.choice(CATEGORIES), split, random.uint32(), 'corpus')));

/** A question on what a medium's code says, and its answer. */
const question: Maker = (_, split, random, w) => {
  const { objects } = drawScene(random, { split });
  const modality = random.choice(MODALITIES);
  const { prompt, response } = askQuestion(objects, modality, random, [w, new Wording(random, w)]);
  return formatChat([
    { role: 'user', content: prompt.replace(mediaSegment(modality), codeSegment(modality, objects)) },
    { role: 'assistant', content: response },
  ]);
};

const KINDS: Record<string, { share: number; make: Maker }> = {
  assistant: { share: 0.6, make: assistant },
  question: { share: 0.12, make: question },
  scene_notes: { share: 0.05, make: sceneNotes },
  caption: {
    share: 0.12,
    make: (_, split, random, w) => {
      const modality = random.choice(MODALITIES);
      const { objects } = drawScene(random, { split });
      return codeSegment(modality, objects) + describeObjects(objects, w, { motion: showsMotion(modality) });
    },
  },
  article: { share: 0.02, make: (book, _, random, w) => article(random.choice(book.places), w) },
  program: {
    share: 0.03,
    make: (_, split, random, w) => {
      let sum = drawSum(random);
      while (splitOf(sumKey(sum)) !== split) sum = drawSum(random);
      const code = programFor(sum, w);
      const run = runJavaScript(code);
      return `To find ${nameSum(sum, w)}: ${code} gives ${run.ok ? run.value : run.error}. ${explainSum(sum, w).join(' ')}`;
    },
  },
  conversation: { share: 0.06, make: conversation },
};
const NAMES = Object.keys(KINDS);
const SHARES = NAMES.map((name) => KINDS[name].share);

/** Document `index` of a split: a pure function of the encyclopaedia's seed and these. */
export function makeDocument(book: Encyclopaedia, split: Split, index: number): DocumentRecord {
  const random = new Random(book.seed, `corpus/${split}/${index}`);
  const kind = random.weighted(NAMES, SHARES);
  const body = KINDS[kind].make(book, split, random, new Wording(random));
  const { begin, end } = CHAT_TOKENS;
  return { id: `corpus-${split}-${index}`, kind, text: body.startsWith(begin) ? body : `${begin}${body}${end}` };
}

/**
 * Which tokens of a document the backbone learns to write: what follows from what stands before. Users' and tools' turns and
 * the codes of media are drawn at random; learning to guess them would only cost time. 1: learned.
 */
export function documentMask(encoder: Encoder, ids: readonly number[]): number[] {
  const { begin, user, tool, system, assistant, mediaEnd, end } = CHAT_TOKENS;
  const id = (...names: string[]): Set<number> => new Set(names.map((name) => encoder.id(name)));
  const [others, opens] = [id(user, tool, system), id(...MODALITIES.map((m) => CHAT_TOKENS[m]))];
  const [starts, own, closes, ends] = [begin, assistant, mediaEnd, end].map((name) => encoder.id(name));
  let told = false;
  let coded = false;
  return ids.map((token) => {
    const learned = !told && !coded && token !== starts && token !== own && token !== closes;
    if (others.has(token)) told = true;
    else if (token === own || token === ends) told = false;
    else if (opens.has(token)) coded = true;
    else if (token === closes) coded = false;
    return Number(learned && !others.has(token) && !opens.has(token));
  });
}

/** Documents `start` to `start + count - 1` of a split. */
export function* documents(book: Encyclopaedia, split: Split, count: number, start = 0): Generator<DocumentRecord> {
  for (let i = start; i < start + count; i++) yield makeDocument(book, split, i);
}

/** Texts to train a tokenizer on: documents and whole instruction samples of the training split, `count` in all. */
export function* tokenizerTexts(book: Encyclopaedia, count: number): Generator<string> {
  const half = Math.ceil(count / 2);
  for (const { text } of documents(book, 'train', half)) yield text;
  for (const { prompt, response } of instructions(book, 'train', count - half))
    yield formatChat([...prompt, ...response]);
}
