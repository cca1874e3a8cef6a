/**
 * Named corruptions: each makes a worse response to a request, in one way. A form of response is damaged in the draft;
 * a false content is a right response to a changed oracle, so that it reads as fluently as the true one.
 */
import type { Random } from '../nn/random';
import { composeAnswer, callFor } from './answers';
import { captionOf } from './caption';
import { REGIONS } from './encyclopaedia';
import type { Encyclopaedia } from './encyclopaedia';
import { answerOf, drawFact, placeNamed } from './facts';
import { CORRUPTIONS } from './records';
import type { Category, CorruptionName, Oracle } from './records';
import { fullBlock, parseCall } from './response';
import type { Draft } from './response';
import { changeAttribute } from './scene';
import { runCall } from './score';
import { MODALITIES } from './signals';
import { drawSum } from './sums';
import { Wording } from './wording';

/** What a corruption may use. `draft` is a right response, a copy. */
interface Case {
  book: Encyclopaedia;
  category: Category;
  oracle: Oracle;
  draft: Draft;
  /** The user's wording. */
  asked: Wording;
  random: Random;
}

interface Corruption {
  /** Weight in the draw among those that apply: more for what few requests allow. */
  weight: number;
  applies: (oracle: Oracle) => boolean;
  make: (c: Case) => Draft;
}

/** Another value for an answer: another region, or another number of about as many digits. */
function otherAnswer(answer: string, random: Random): string {
  if (!/^-?[\d.]+$/.test(answer)) return random.choice(REGIONS.filter((r) => r !== answer));
  for (;;) {
    const at = random.int(answer.length);
    const changed = answer.slice(0, at) + String(random.int(10)) + answer.slice(at + 1);
    if (Number(changed) !== Number(answer) && String(Number(changed)) === changed) return changed;
  }
}

/** Ways to break a call's JSON; each is tried until one does. */
const DAMAGES: readonly ((json: string, random: Random) => string)[] = [
  (json) => json.slice(0, -1),
  (json) => json.slice(0, -2),
  (json) => json.replace('"name"', 'name'),
  (json) => json.replaceAll('"', "'"),
  (json) => json.replace('":', '"'),
  (json) => json.replace(',"arguments"', '"arguments"'),
  (json, random) => json.slice(0, 12 + random.int(json.length - 14)),
];

const APOLOGIES = ['I could not find it.', 'The tool did not answer.', 'I do not know it.', 'That did not work.'];

/** Small talk that says nothing of any scene. */
const RAMBLINGS = [
  'I could say much more about this.',
  'There are many ways to look at it.',
  'It is hard to know what matters most.',
  'Let me think about it once more.',
  'This reminds me of another question.',
  'You may want to ask me again later.',
  'I hope that this is of some use.',
  'Some people would say it differently.',
  'As I said before, it depends.',
  'Of course there is always more to tell.',
  'To be honest, I like such questions.',
  'By the way, thank you for asking.',
];

const TABLE: Record<CorruptionName, Corruption> = {
  wrong_attribute: {
    weight: 1,
    applies: (o) => o.objects !== null || o.answer !== null,
    make: ({ category, oracle, asked, random }) => {
      const inScene = oracle.objects !== null && (oracle.answer === null || random.uniform() < 0.6);
      const changed = inScene
        ? { ...oracle, objects: changeAttribute(random, oracle.objects ?? [], oracle.motion) }
        : { ...oracle, answer: otherAnswer(oracle.answer ?? '', random) };
      return composeAnswer(category, changed, new Wording(random, asked));
    },
  },
  missing_modality: {
    weight: 1,
    applies: (o) => o.outputs.length > 0,
    make: ({ draft, random }) => ({ ...draft, blocks: draft.blocks.toSpliced(random.int(draft.blocks.length), 1) }),
  },
  extra_modality: {
    weight: 1,
    applies: (o) => o.outputs.length < MODALITIES.length,
    make: ({ draft, oracle, random }) => {
      const extra = random.choice(MODALITIES.filter((m) => !oracle.outputs.includes(m)));
      return { ...draft, blocks: draft.blocks.toSpliced(random.int(draft.blocks.length + 1), 0, fullBlock(extra)) };
    },
  },
  incomplete_block: {
    weight: 1,
    applies: (o) => o.outputs.length > 0,
    make: ({ draft, random }) => {
      const which = random.int(draft.blocks.length);
      const block = [...draft.blocks[which]];
      const kind = random.choice(['cut', 'gap', 'swap'] as const);
      const at = random.int(block.length - 1);
      if (kind === 'cut') block.length = 1 + at;
      else if (kind === 'gap') block.splice(at, 1);
      else [block[at], block[at + 1]] = [block[at + 1], block[at]];
      return { ...draft, blocks: draft.blocks.with(which, block) };
    },
  },
  malformed_call: {
    weight: 2,
    applies: (o) => o.tool !== null,
    make: ({ draft, oracle, asked, random }) => {
      const json = draft.call?.json ?? '';
      let broken = json;
      while (parseCall(broken).call) broken = random.choice(DAMAGES)(json, random);
      const wording = new Wording(random, asked);
      // What only the search could tell stays unknown.
      const caption =
        oracle.objects && !oracle.emblem ? `${captionOf(oracle.objects, { motion: oracle.motion })}.` : '';
      return {
        ...draft,
        call: { json: broken, result: `error: ${parseCall(broken).problem}` },
        text: [wording.pick(APOLOGIES), caption].filter(Boolean).join(' '),
        caption: caption || undefined,
      };
    },
  },
  wrong_call: {
    weight: 2,
    applies: (o) => o.tool !== null,
    make: ({ book, category, oracle, asked, random }) => {
      const wording = new Wording(random, asked);
      for (;;) {
        // Asks for something else, and takes what comes for the answer.
        const fact = oracle.fact && drawFact(book, random);
        const other: Oracle = { ...oracle, fact, sum: oracle.sum && drawSum(random) };
        const json = callFor(other, wording);
        const result = runCall(book, parseCall(json));
        const answer = fact ? answerOf(book, fact) : result;
        if (result === oracle.result || answer === oracle.answer) continue;
        if (oracle.fact && fact && fact.attribute !== oracle.fact.attribute) continue;
        const objects = oracle.emblem && fact ? [placeNamed(book, fact.place).emblem] : oracle.objects;
        const draft = composeAnswer(category, { ...oracle, objects, answer }, wording);
        return { ...draft, call: { json, result } };
      }
    },
  },
  missing_plan: {
    weight: 5,
    applies: (o) => o.plan.length > 0,
    make: ({ draft }) => ({ ...draft, plan: undefined }),
  },
  rambling: {
    weight: 1,
    applies: () => true,
    make: ({ draft, random }) => {
      const said = Array.from({ length: 6 + random.int(3) }, () => random.choice(RAMBLINGS));
      return { ...draft, text: `${draft.text} ${said.join(' ')}` };
    },
  },
};

/** The corruptions that make sense for what an oracle asks. */
export const corruptionsFor = (oracle: Oracle): CorruptionName[] =>
  CORRUPTIONS.filter((name) => TABLE[name].applies(oracle));

/** Draws one of the corruptions that make sense for an oracle. */
export function drawCorruption(oracle: Oracle, random: Random): CorruptionName {
  const names = corruptionsFor(oracle);
  return random.weighted(
    names,
    names.map((name) => TABLE[name].weight),
  );
}

/** A worse response, by the named corruption (one of corruptionsFor). `draft` itself stays as it is. */
export const corrupt = (name: CorruptionName, c: Case): Draft => TABLE[name].make({ ...c, draft: { ...c.draft } });
