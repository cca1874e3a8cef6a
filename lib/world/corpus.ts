/** The backbone's corpus: descriptions, captions of media codes, articles, sums, small conversations. */
import { Random } from '../nn/random';
import { captionOf } from './caption';
import { formatChat } from './chat';
import { describeObjects, describeThing } from './describe';
import { YEARS } from './encyclopaedia';
import type { Encyclopaedia, Place } from './encyclopaedia';
import { answerOf, askFact, drawFact, factKey, stateFact } from './facts';
import { runJavaScript } from './javascript';
import { COLOUR_WORDS, PLACE_WORDS, SHAPE_WORDS } from './lexicon';
import { instructions, makeInstruction } from './instructions';
import { codeSegment, showsMotion } from './media';
import type { DocumentRecord } from './records';
import { drawScene } from './scene';
import { articlesOf } from './search';
import { CHAT_TOKENS, MODALITIES } from './signals';
import { splitOf } from './splits';
import type { Split } from './splits';
import { drawSum, explainSum, nameSum, programFor, sumKey } from './sums';
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

/** Two to four sums, with their results. */
function arithmetic(random: Random, w: Wording): string {
  return Array.from({ length: 2 + random.int(3) }, () => {
    const [a, b] = [random.int(100), random.int(100)];
    const [x, y] = [2 + random.int(18), 2 + random.int(18)];
    return w.pick([
      `${a} + ${b} = ${a + b}.`,
      `${a + b} - ${a} = ${b}.`,
      `${x} * ${y} = ${x * y}.`,
      `${x * y} / ${x} = ${y}.`,
      `The sum of ${a} and ${b} is ${a + b}.`,
    ]);
  }).join(' ');
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

/** A description, then the same scene again, in the same words or in others. */
const retelling: Maker = (_, split, random, w) => {
  const { objects } = drawScene(random, { split });
  const same = random.uniform() < 0.6;
  const first = describeObjects(objects, w);
  const again = same ? describeObjects(objects, new Wording(random, w)) : describeObjects(objects, w);
  return `${first}${w.pick(same ? [' Again: ', ' Yes: '] : [' In other words: ', ' That is: '])}${again}`;
};

/** Notes are written in a few fixed words, so that what has to be read in a text weighs more than how it is said. */
const NOTE = [' In short: ', ' That is: ', ' Notes: '];

/** A description, and what is in it. */
const sceneNotes: Maker = (_, split, random, w) => {
  const { objects } = drawScene(random, { split });
  const motion = random.uniform() < 0.5;
  return `${describeObjects(objects, w, { motion })}${w.pick(NOTE)}${captionOf(objects, { motion })}.`;
};

/** A request, and what is asked for: the fact or the numbers, the media in their order, the scene. */
const requestNotes: Maker = (book, split, random, w) => {
  const category = random.choice([
    'text_to_multimodal',
    'search_and_generate',
    'code_and_explain',
    'multi_step_creation',
  ] as const);
  // A family of its own: no sample of stage 3 is among them.
  const { oracle, prompt } = makeInstruction(book, category, split, random.uint32(), 'corpus');
  const notes: string[] = [];
  const { fact, sum, plan, outputs, objects, emblem, motion } = oracle;
  if (fact?.attribute === 'product') notes.push(`${fact.place}, ${fact.product}, ${fact.year}`);
  else if (fact) notes.push(`${fact.place}, ${fact.attribute}`);
  if (sum) notes.push(`${sum.kind} ${sum.numbers.join(' ')}`);
  if (plan.length || outputs.length) notes.push((plan.length ? plan : outputs).join(', '));
  if (emblem) notes.push('emblem');
  else if (objects) notes.push(captionOf(objects, { motion }));
  return `${prompt[0].content}${w.pick(NOTE)}${notes.join('; ')}.`;
};

const KINDS: Record<string, { share: number; make: Maker }> = {
  scene_notes: { share: 0.25, make: sceneNotes },
  request_notes: { share: 0.2, make: requestNotes },
  retelling: { share: 0.1, make: retelling },
  caption: {
    share: 0.15,
    make: (_, split, random, w) => {
      const modality = random.choice(MODALITIES);
      const { objects } = drawScene(random, { split });
      return codeSegment(modality, objects) + describeObjects(objects, w, { motion: showsMotion(modality) });
    },
  },
  article: { share: 0.03, make: (book, _, random, w) => article(random.choice(book.places), w) },
  arithmetic: { share: 0.02, make: (_book, _split, random, w) => arithmetic(random, w) },
  program: {
    share: 0.13,
    make: (_, split, random, w) => {
      let sum = drawSum(random);
      while (splitOf(sumKey(sum)) !== split) sum = drawSum(random);
      const code = programFor(sum, w);
      const run = runJavaScript(code);
      return `To find ${nameSum(sum, w)}: ${code} gives ${run.ok ? run.value : run.error}. ${explainSum(sum, w).join(' ')}`;
    },
  },
  conversation: { share: 0.12, make: conversation },
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
