/** Right responses: a draft from an oracle, in one of very many wordings. */
import { describeObjects } from './describe';
import { queryFor, stateFact } from './facts';
import type { Category, Oracle, PlanStep } from './records';
import { fullBlock } from './response';
import type { Draft } from './response';
import type { Modality } from './signals';
import { explainSum, nameSum, programFor } from './sums';
import { sentenceCase } from './wording';
import type { Wording } from './wording';

const MEDIUM: Record<Modality, readonly string[]> = {
  image: ['picture', 'image'],
  audio: ['sound', 'recording'],
  video: ['clip', 'video'],
};

/** Wordings of plan steps; PLAN_CHECKS recognises each. */
const STEPS: Record<PlanStep, readonly string[]> = {
  search: ['Search for the facts.', 'Look up what was asked.', 'Search the web for it.'],
  compute: ['Compute the number.', 'Calculate the value with a program.', 'Run a program for the number.'],
  describe: ['Describe the scene.', 'Say what the scene shows.', 'Put the scene into words.'],
  image: ['Draw the picture.', 'Paint an image of it.', 'Make the picture.'],
  audio: ['Play the sound.', 'Make the sound of it.', 'Turn it into a recording.'],
  video: ['Film the clip.', 'Make a video of it.', 'Animate it as a clip.'],
};

/** How a step of each kind is recognised, in a model's plan too. */
export const PLAN_CHECKS: Record<PlanStep, RegExp> = {
  search: /\b(search|look up|find)/i,
  compute: /\b(compute|calculate|program|work out)/i,
  describe: /\b(describe|say|words)\b/i,
  image: /\b(picture|image|draw|paint)/i,
  audio: /\b(sound|recording|audio|play)/i,
  video: /\b(clip|video|film|animate)/i,
};

const LEADS: Partial<Record<Category, (media: string, w: Wording) => string>> = {
  audio_to_image: (m, w) =>
    w.pick([`Here is the ${m}.`, `This is the ${m} of what I hear:`, `As ${m}:`, `The sound gives this ${m}.`, '']),
  image_to_audio: (m, w) =>
    w.pick([`Here is the ${m}.`, `This is the ${m} for what I look at:`, `As ${m}:`, `Listen to this ${m}.`, '']),
  text_to_multimodal: (m, w) =>
    w.pick([`Here is the ${m}.`, `I made the ${m}:`, `This is the ${m} you asked for.`, `Done:`, '']),
  search_and_generate: (m, w) => w.pick([`Here is the ${m}.`, `The ${m} shows this:`, `And this is the ${m}:`]),
  multi_step_creation: (m, w) => w.pick([`Here is the ${m}.`, `All steps are done:`, `This is the ${m}:`, '']),
};

/** "picture and sound", in the order of emission. */
const namesOf = (outputs: readonly Modality[], wording: Wording): string =>
  outputs.map((m) => wording.pick(MEDIUM[m])).join(' and ');

function thinkAbout(oracle: Oracle, wording: Wording): string {
  const thoughts: string[] = [];
  if (oracle.fact)
    thoughts.push(
      wording.pick([
        `I need a fact about ${oracle.fact.place}.`,
        `I do not know this about ${oracle.fact.place}.`,
        `This asks for the ${oracle.fact.attribute === 'product' ? oracle.fact.product : oracle.fact.attribute} of ${oracle.fact.place}.`,
      ]),
    );
  if (oracle.sum)
    thoughts.push(
      wording.pick(['I should not guess the number.', 'A short program can tell.', 'This has to be computed.']),
    );
  if (oracle.plan.length)
    thoughts.push(
      wording.pick([`This takes ${oracle.plan.length} steps.`, `I go step by step.`, 'I make a plan first.']),
    );
  else if (oracle.outputs.length)
    thoughts.push(wording.pick([`A ${MEDIUM[oracle.outputs[0]][0]} is wanted too.`, 'Then I show it.', '']));
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
export function statement(oracle: Oracle, answer: string, wording: Wording): string[] {
  if (oracle.fact) return [`${sentenceCase(stateFact(oracle.fact, answer, wording))}.`];
  if (!oracle.sum) return [];
  const name = nameSum(oracle.sum, wording);
  const stated = wording.pick([`${sentenceCase(name)} is ${answer}.`, `The result is ${answer}.`, `It is ${answer}.`]);
  return wording.chance(0.8) ? [stated, explainSum(oracle.sum, wording)] : [stated];
}

/** A right response to what the oracle asks for. */
export function composeAnswer(category: Category, oracle: Oracle, wording: Wording): Draft {
  const agentic = oracle.tool !== null || oracle.plan.length > 0;
  const draft: Draft = { act: agentic, text: '', blocks: oracle.outputs.map(fullBlock) };
  if (agentic) draft.think = thinkAbout(oracle, wording);
  if (oracle.plan.length) draft.plan = oracle.plan.map((step) => wording.pick(STEPS[step]));
  if (oracle.tool) draft.call = { json: callFor(oracle, wording), result: oracle.result ?? '' };
  const parts = oracle.answer === null ? [] : statement(oracle, oracle.answer, wording);
  if (oracle.objects) {
    const lead = LEADS[category];
    if (lead) parts.push(lead(namesOf(oracle.outputs, wording), wording));
    draft.caption = describeObjects(oracle.objects, wording, { motion: oracle.motion });
    parts.push(draft.caption);
  }
  draft.text = parts.filter(Boolean).join(' ');
  return draft;
}
