/** Right responses: a draft from an oracle, in one of very many wordings. */
import { captionOf } from './caption';
import { queryFor, stateFact } from './facts';
import type { Category, Oracle, PlanStep } from './records';
import { MEDIA_NOUNS, MEDIA_VERBS } from './lexicon';
import { fullBlock } from './response';
import type { Draft } from './response';
import type { Modality } from './signals';
import { explainSum, nameSum, programFor } from './sums';
import { sentenceCase } from './wording';
import type { Wording } from './wording';

/** Plan steps: a beginning and an end, each with several wordings. PLAN_CHECKS recognises every combination. */
const STEPS: Record<PlanStep, readonly [readonly string[], readonly string[]]> = {
  search: [
    ['Search for', 'Look up', 'Find'],
    ['the facts', 'what was asked', 'the answer on the web', 'it'],
  ],
  compute: [
    ['Compute', 'Calculate', 'Work out'],
    ['the number', 'the value', 'it with a program', 'what was asked'],
  ],
  describe: [
    ['Describe', 'Say in words', 'Put into words'],
    ['the scene', 'what there is', 'it', 'what to show'],
  ],
  image: [MEDIA_VERBS.image, ['the picture', 'an image', 'the scene as an image']],
  audio: [MEDIA_VERBS.audio, ['the sound', 'a recording', 'the scene as a sound']],
  video: [MEDIA_VERBS.video, ['the clip', 'a video', 'the scene as a video']],
};

const sayStep = (step: PlanStep, wording: Wording): string =>
  `${sentenceCase(wording.pick(STEPS[step][0]))} ${wording.pick(STEPS[step][1])}.`;

/** How a step of each kind is recognised, in a model's plan too. */
export const PLAN_CHECKS: Record<PlanStep, RegExp> = {
  search: /\b(search|look up|find)/i,
  compute: /\b(compute|calculate|program|work out)/i,
  describe: /\b(describe|say|words)\b/i,
  image: /\b(picture|image|draw|paint)/i,
  audio: /\b(sound|record|audio|play)/i,
  video: /\b(clip|video|film|animate)/i,
};

/**
 * What stands before the caption; `m` names the media. Where there may be several they are named: a model that has not said which it will make
 * forgets one more often.
 */
const LEADS: Partial<Record<Category, readonly ((m: string) => string)[]>> = {
  audio_to_image: [
    (m) => `Here is the ${m}:`,
    (m) => `This is the ${m} of what I hear:`,
    (m) => `The sound gives this ${m}:`,
    (m) => `I made the ${m}:`,
    () => 'What I hear looks like this:',
  ],
  image_to_audio: [
    (m) => `Here is the ${m}:`,
    (m) => `This is the ${m} for what I look at:`,
    (m) => `Listen to this ${m}:`,
    (m) => `I made the ${m}:`,
    () => 'This is how it sounds:',
  ],
  text_to_multimodal: [
    (m) => `Here is the ${m}:`,
    (m) => `I made the ${m}:`,
    (m) => `This is the ${m} you asked for:`,
    (m) => `Your ${m}:`,
    (m) => `What I made is this ${m}:`,
  ],
  search_and_generate: [
    (m) => `Here is the ${m}:`,
    (m) => `The ${m} shows this:`,
    (m) => `And this is the ${m}:`,
    (m) => `I made the ${m} too:`,
    (m) => `Now the ${m}:`,
  ],
  multi_step_creation: [
    (m) => `Here is the ${m}:`,
    (m) => `All done, here is the ${m}:`,
    (m) => `This is the ${m}:`,
    (m) => `I made the ${m}:`,
  ],
};

/** "picture and sound", in the order of emission. */
const namesOf = (outputs: readonly Modality[], wording: Wording): string =>
  outputs.map((m) => wording.pick(MEDIA_NOUNS[m])).join(' and ');

const TOPICS = {
  population: ['the population', 'the number of people'],
  area: ['the area', 'the size'],
  founded: ['the founding year', 'the age'],
  region: ['the region', 'the whereabouts'],
} as const;

function thinkAbout(oracle: Oracle, wording: Wording): string {
  const { fact, sum, plan, outputs } = oracle;
  const thoughts: string[] = [];
  if (fact) {
    const topic =
      fact.attribute === 'product'
        ? `the ${fact.year} output of ${fact.product}`
        : wording.pick(TOPICS[fact.attribute]);
    thoughts.push(
      wording.pick(['I need', 'I must find', 'I do not know', 'First comes', 'The user wants', 'What is missing is']) +
        ` ${topic} for ${fact.place}` +
        wording.pick(['.', ', so I search.', ', which I look up.', '; the web will tell.', '. I must not guess.']),
    );
  }
  if (sum)
    thoughts.push(
      wording.pick([
        'I should not guess',
        'A short program can tell',
        'This has to be computed',
        'I had better compute it',
        'A few lines of code will do',
        'The exact number is wanted',
        'I let a program do it',
      ]) + wording.pick(['.', ' here.', ', to be sure.', ' this time.', '; then I explain.']),
    );
  if (plan.length)
    thoughts.push(
      wording.pick([
        `This takes ${plan.length} steps`,
        `There are ${plan.length} things to do`,
        'I go step by step',
        'I make a plan first',
        'Let me order the steps',
        'I do one thing after the other',
      ]) + wording.pick(['.', ', in order.', ' here.', ', as asked.']),
    );
  else if (outputs.length)
    thoughts.push(
      wording.pick([
        `A ${wording.pick(MEDIA_NOUNS[outputs[0]])} is wanted too.`,
        'Then I show it.',
        'After that I make the rest.',
        '',
      ]),
    );
  return thoughts.filter(Boolean).join(' ');
}

/** The call that the oracle asks for, as JSON text. */
export function callFor(oracle: Oracle, wording: Wording): string {
  const args = oracle.fact
    ? { query: queryFor(oracle.fact, wording) }
    : { code: oracle.sum ? programFor(oracle.sum, wording) : '' };
  return JSON.stringify({ name: oracle.tool, arguments: args });
}

/** The sentences of the answer proper, without the description. */
function statement(oracle: Oracle, answer: string, wording: Wording): string[] {
  if (oracle.fact) return [`${sentenceCase(stateFact(oracle.fact, answer, wording))}.`];
  if (!oracle.sum) return [];
  const name = nameSum(oracle.sum, wording);
  const stated = wording.pick([
    `${sentenceCase(name)} is ${answer}.`,
    `The result is ${answer}.`,
    `It is ${answer}.`,
    `The answer is ${answer}.`,
    `According to the program it is ${answer}.`,
  ]);
  return [stated, ...explainSum(oracle.sum, wording)];
}

/** A right response to what the oracle asks for. */
export function composeAnswer(category: Category, oracle: Oracle, wording: Wording): Draft {
  const agentic = oracle.tool !== null || oracle.plan.length > 0;
  const draft: Draft = { act: agentic, text: '', blocks: oracle.outputs.map(fullBlock) };
  if (agentic) draft.think = thinkAbout(oracle, wording);
  if (oracle.plan.length) draft.plan = oracle.plan.map((step) => sayStep(step, wording));
  if (oracle.tool) draft.call = { json: callFor(oracle, wording), result: oracle.result ?? '' };
  const parts = oracle.answer === null ? [] : statement(oracle, oracle.answer, wording);
  if (oracle.objects) {
    const leads = LEADS[category];
    if (leads) parts.push(wording.pick(leads)(namesOf(oracle.outputs, wording)));
    // In fixed words, right before the blocks: what the signal tokens have to take up stands in known places.
    draft.caption = captionOf(oracle.objects, { motion: oracle.motion });
    parts.push(`${draft.caption}.`);
  }
  draft.text = parts.filter(Boolean).join(' ');
  return draft;
}
