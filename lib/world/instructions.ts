/** Instruction samples in the six categories: what is asked, its oracle, and one right response. */
import { Random } from '../nn/random';
import { composeAnswer } from './answers';
import type { Message } from './chat';
import { describeObjects } from './describe';
import type { Encyclopaedia } from './encyclopaedia';
import { answerOf, drawFact, factKey, placeNamed } from './facts';
import type { Fact } from './facts';
import { runJavaScript } from './javascript';
import { COLOURS, SIZES } from './lexicon';
import { mediaSegment } from './media';
import { CATEGORIES } from './records';
import type { Category, InstructionRecord, Oracle, PlanStep } from './records';
import { applyEdit, askConversion, askMedia, askSearch, askSteps, askSum, stepWords } from './requests';
import type { Edit } from './requests';
import { renderDraft } from './response';
import type { Draft } from './response';
import { drawScene } from './scene';
import type { Scene } from './scene';
import { articlesOf } from './search';
import { MODALITIES } from './signals';
import type { Modality } from './signals';
import { splitOf } from './splits';
import type { Split } from './splits';
import { drawSum, programFor, sumKey } from './sums';
import type { Sum } from './sums';
import { Wording } from './wording';

/** A sample, and what it was made from. */
export interface Instruction {
  record: InstructionRecord;
  oracle: Oracle;
  /** The user's turn. */
  prompt: Message[];
  /** The reference response, and its turns. */
  draft: Draft;
  response: Message[];
  /** The user's wording, which responses echo. */
  asked: Wording;
  /** Entropy of the response's wording, in nats: no model's summed loss on such responses can be lower on average. */
  nats: number;
}

interface Request {
  content: string;
  oracle: Oracle;
  media: InstructionRecord['media'];
  inputs: Modality[];
}

/** An oracle that asks for nothing. */
export const NOTHING: Oracle = {
  objects: null,
  motion: false,
  emblem: false,
  outputs: [],
  plan: [],
  fact: null,
  sum: null,
  tool: null,
  result: null,
  answer: null,
};

/** Draws until the key is of the split. */
export function until<T>(split: Split, key: (value: T) => string, draw: () => T): T {
  for (;;) {
    const value = draw();
    if (splitOf(key(value)) === split) return value;
  }
}

function drawEdit(random: Random): Edit | undefined {
  if (random.uniform() < 0.6) return undefined;
  const kind = random.choice(['recolour', 'resize', 'mirror', 'flip'] as const);
  if (kind === 'recolour') return { kind, colour: random.choice(COLOURS) };
  return kind === 'resize' ? { kind, size: random.choice(SIZES) } : { kind };
}

/** One or two media, sometimes three, in random order. */
const drawOutputs = (random: Random, weights: readonly number[]): Modality[] =>
  Array.from(random.permutation(3).slice(0, random.weighted([1, 2, 3], weights)), (i) => MODALITIES[i]);

/** The oracle's part for a question: which article answers it, and what it says. */
export function searchPart(book: Encyclopaedia, fact: Fact): Partial<Oracle> {
  const articles = articlesOf(placeNamed(book, fact.place));
  const wanted = fact.attribute === 'product' ? `${fact.place} ${fact.product}` : fact.place;
  const result = articles.find((a) => a.title === wanted)?.text ?? null;
  return { fact, tool: 'web_search', result, answer: answerOf(book, fact) };
}

/** The oracle's part for a sum: its value, computed by running a program. */
export function sumPart(random: Random, sum: Sum): Partial<Oracle> {
  const run = runJavaScript(programFor(sum, new Wording(random)));
  if (!run.ok) throw new Error(`the program for ${sumKey(sum)} failed: ${run.error}`);
  return { sum, tool: 'code_interpreter', result: run.value, answer: run.value };
}

const outputMedia = (outputs: readonly Modality[], scene: Scene): InstructionRecord['media'] =>
  Object.fromEntries(outputs.map((m) => [m, { role: 'output', scene }]));

/** An emblem as a scene, on a background of its own. */
const emblemScene = (book: Encyclopaedia, fact: Fact, random: Random): Scene => ({
  ...drawScene(random, { count: 1 }),
  objects: [placeNamed(book, fact.place).emblem],
});

function drawConversion(from: 'audio' | 'image', split: Split, random: Random, w: Wording): Request {
  const to = from === 'audio' ? 'image' : 'audio';
  const scene = drawScene(random, { split });
  const edit = drawEdit(random);
  const objects = edit ? applyEdit(scene.objects, edit) : scene.objects;
  return {
    content: askConversion(from, mediaSegment(from), edit, w),
    oracle: { ...NOTHING, objects, outputs: [to] },
    media: { [from]: { role: 'input', scene }, [to]: { role: 'output', scene: { ...scene, objects } } },
    inputs: [from],
  };
}

function drawTextToMedia(split: Split, random: Random, w: Wording): Request {
  const scene = drawScene(random, { split });
  const outputs = drawOutputs(random, [0.2, 0.5, 0.3]);
  return {
    content: askMedia(describeObjects(scene.objects, w), outputs, w),
    oracle: { ...NOTHING, objects: scene.objects, motion: true, outputs },
    media: outputMedia(outputs, scene),
    inputs: [],
  };
}

function drawSearch(book: Encyclopaedia, split: Split, random: Random, w: Wording): Request {
  const fact = until(split, factKey, () => drawFact(book, random));
  const output = random.weighted(MODALITIES, [0.6, 0.2, 0.2]);
  const emblem = fact.attribute !== 'product' && random.uniform() < 0.8;
  const scene = emblem ? emblemScene(book, fact, random) : drawScene(random, { count: 1, split });
  return {
    content: askSearch(fact, emblem ? undefined : describeObjects(scene.objects, w), output, w),
    oracle: {
      ...NOTHING,
      objects: scene.objects,
      motion: !emblem,
      emblem,
      outputs: [output],
      ...searchPart(book, fact),
    },
    media: outputMedia([output], scene),
    inputs: [],
  };
}

function drawCode(split: Split, random: Random, w: Wording): Request {
  const sum = until(split, sumKey, () => drawSum(random));
  return { content: askSum(sum, w), oracle: { ...NOTHING, ...sumPart(random, sum) }, media: {}, inputs: [] };
}

function drawSteps(book: Encyclopaedia, split: Split, random: Random, w: Wording): Request {
  const plan: PlanStep[] = [];
  const steps: string[] = [];
  let oracle = { ...NOTHING };
  const first = random.weighted(['search', 'compute', 'none'] as const, [0.35, 0.25, 0.4]);
  if (first === 'search') {
    const fact = until(split, factKey, () => drawFact(book, random));
    oracle = { ...oracle, ...searchPart(book, fact) };
    steps.push(stepWords.search(fact, w));
  } else if (first === 'compute') {
    const sum = until(split, sumKey, () => drawSum(random));
    oracle = { ...oracle, ...sumPart(random, sum) };
    steps.push(stepWords.compute(sum, w));
  }
  if (first !== 'none') plan.push(first);
  const emblem = !!oracle.fact && oracle.fact.attribute !== 'product' && random.uniform() < 0.5;
  const scene =
    emblem && oracle.fact
      ? emblemScene(book, oracle.fact, random)
      : drawScene(random, { split, count: first === 'none' ? 1 + random.int(2) : 1 });
  steps.push(emblem ? stepWords.emblem(w) : stepWords.scene(describeObjects(scene.objects, w), w));
  const outputs = drawOutputs(random, first === 'none' ? [0, 0.7, 0.3] : [0.5, 0.4, 0.1]);
  if (random.uniform() < 0.3) {
    plan.push('describe');
    steps.push(stepWords.describe(w));
  }
  for (const output of outputs) {
    plan.push(output);
    steps.push(stepWords[output](w));
  }
  return {
    content: askSteps(steps, w),
    oracle: { ...oracle, plan, outputs, objects: scene.objects, motion: !emblem, emblem },
    media: outputMedia(outputs, scene),
    inputs: [],
  };
}

function drawRequest(book: Encyclopaedia, category: Category, split: Split, random: Random, w: Wording): Request {
  switch (category) {
    case 'audio_to_image':
      return drawConversion('audio', split, random, w);
    case 'image_to_audio':
      return drawConversion('image', split, random, w);
    case 'text_to_multimodal':
      return drawTextToMedia(split, random, w);
    case 'search_and_generate':
      return drawSearch(book, split, random, w);
    case 'code_and_explain':
      return drawCode(split, random, w);
    case 'multi_step_creation':
      return drawSteps(book, split, random, w);
  }
}

/** The turns of a record, as the chat template takes them. */
export const toMessages = (record: Pick<InstructionRecord, 'conversations'>): Message[] =>
  record.conversations.map(({ from, value }) => ({
    role: from === 'human' ? 'user' : from === 'gpt' ? 'assistant' : 'tool',
    content: value,
  }));

/**
 * Sample `index` of a category and split: a pure function of the encyclopaedia's seed and these. `purpose` names a
 * family of samples of its own (the preference pairs do not share theirs with the instructions).
 */
export function makeInstruction(
  book: Encyclopaedia,
  category: Category,
  split: Split,
  index: number,
  purpose = 'instruction',
): Instruction {
  const random = new Random(book.seed, `${purpose}/${split}/${category}/${index}`);
  const asked = new Wording(random);
  const request = drawRequest(book, category, split, random, asked);
  const { oracle, content, media, inputs } = request;
  const wording = new Wording(random, asked);
  const draft = composeAnswer(category, oracle, wording);
  const response = renderDraft(draft);
  const outputs = ['text' as const, ...oracle.outputs];
  const call = draft.call && (JSON.parse(draft.call.json) as { name: string; arguments: Record<string, unknown> });
  const record: InstructionRecord = {
    id: `${purpose}-${split}-${category}-${index}`,
    category,
    split,
    input_modalities: ['text', ...inputs],
    output_modalities: outputs,
    media,
    conversations: [
      { from: 'human', value: content, input_modality: ['text', ...inputs] },
      ...response.map((m, i) =>
        m.role === 'tool'
          ? { from: 'tool' as const, value: m.content }
          : {
              from: 'gpt' as const,
              value: m.content,
              output_modality: i === response.length - 1 ? outputs : ['text' as const],
              ...(i === response.length - 1 && draft.caption ? { caption: draft.caption } : {}),
            },
      ),
    ],
    plan: draft.plan ?? [],
    tool_calls: call ? [{ ...call, result: draft.call?.result ?? '' }] : [],
    oracle,
  };
  return { record, oracle, prompt: [{ role: 'user', content }], draft, response, asked, nats: wording.nats };
}

/** Samples `start` to `start + count - 1` of a split, the six categories by turns. */
export function* instructions(
  book: Encyclopaedia,
  split: Split,
  count: number,
  start = 0,
  purpose = 'instruction',
): Generator<Instruction> {
  for (let i = start; i < start + count; i++)
    yield makeInstruction(book, CATEGORIES[i % CATEGORIES.length], split, Math.floor(i / CATEGORIES.length), purpose);
}

/** The evaluation set: 300 held-out samples, 50 a category, fixed by the encyclopaedia's seed. */
export const evaluationSet = (book: Encyclopaedia): Instruction[] =>
  CATEGORIES.flatMap((category) =>
    Array.from({ length: 50 }, (_, i) => makeInstruction(book, category, 'test', i, 'evaluation')),
  );
