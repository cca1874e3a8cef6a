/**
 * What is wrong and right with an answer, for the indices (novel-indices.ts). The card names the indices and defines none: all of
 * this is this project's proposal [I]; docs/evaluation.md has it in words.
 */
import { MODALITIES, parseResponse, readParts, scoreResponse, SIGNALS } from '../world';
import type { Encyclopaedia, Instruction, Message, Modality, Oracle, Scores } from '../world';
import type { Answer } from './answer-samples';
import { EMITTED } from './evaluated';
import type { AgenticCheck, Emitted, HumanPart, JudgedAnswer } from './evaluated';

const saidBy = (turns: readonly Message[]): string[] =>
  turns.filter((m) => m.role === 'assistant').map((m) => m.content);

const SEGMENT_OF = Object.fromEntries(MODALITIES.map((m) => [m, SIGNALS[m].segment])) as Record<Modality, Emitted>;

/** How often each kind is emitted: a stretch of text, an action with its content, a block; neighbours of a broken block count once. */
export function emittedKinds(turns: readonly Message[]): Record<Emitted, number> {
  const counts = Object.fromEntries(EMITTED.map((kind) => [kind, 0])) as Record<Emitted, number>;
  for (const turn of saidBy(turns)) {
    let broken: Modality | null = null;
    for (const part of readParts(turn)) {
      if (part.kind === 'stray') {
        if (broken !== part.modality) counts[SEGMENT_OF[part.modality]]++;
        broken = part.modality;
        continue;
      }
      broken = null;
      counts[part.kind === 'block' ? SEGMENT_OF[part.modality] : part.kind]++;
    }
  }
  return counts;
}

/** |wanted and emitted| / |wanted or emitted|; 1 where there is neither. Only whole blocks count as emitted. */
export function modalityOverlap(wanted: readonly Modality[], turns: readonly Message[]): number {
  const { blocks } = parseResponse(turns);
  const emitted = MODALITIES.filter((m) => blocks[m].complete > 0);
  const either = MODALITIES.filter((m) => wanted.includes(m) || emitted.includes(m)).length;
  const both = emitted.filter((m) => wanted.includes(m)).length;
  return either ? both / either : 1;
}

/** ACI's five checks of an answer. */
export function agenticChecks(wanted: readonly Modality[], turns: readonly Message[]): Record<AgenticCheck, boolean> {
  const { thoughts, plan, calls, acts, text, blocks } = parseResponse(turns);
  return {
    think: thoughts.length > 0,
    plan: plan.length >= 2,
    call: calls.some(({ call }) => call !== undefined),
    act: acts && text.trim() !== '',
    signals: wanted.every((m) => blocks[m].complete > 0),
  };
}

/** ACI's prompts: those that ask for all five things. The first 12 of them give its 60 checks. */
export const agenticPrompts = (samples: readonly Instruction[], count = 12): Instruction[] =>
  samples
    .filter(({ oracle }) => oracle.plan.length > 0 && oracle.tool !== null && oracle.outputs.length > 0)
    .slice(0, count);

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}.]*[\p{L}\p{N}]/gu) ?? [];

/** F1 of two bags of words (ROUGE-1 F): 1 where both are empty. */
export function wordOverlap(said: string, expected: string): number {
  const [a, b] = [wordsOf(said), wordsOf(expected)];
  if (!a.length || !b.length) return a.length === b.length ? 1 : 0;
  const left = new Map<string, number>();
  for (const word of b) left.set(word, (left.get(word) ?? 0) + 1);
  let common = 0;
  for (const word of a) {
    const n = left.get(word) ?? 0;
    if (n > 0) {
      common++;
      left.set(word, n - 1);
    }
  }
  return (2 * common) / (a.length + b.length);
}

/** Share of a text's word triples that are no repetition of an earlier one; 1 for fewer than two triples. */
export function freshTriples(text: string): number {
  const words = wordsOf(text);
  const triples = words.slice(2).map((_, i) => words.slice(i, i + 3).join(' '));
  return triples.length < 2 ? 1 : new Set(triples).size / triples.length;
}

/** HRS's parts of an answer; `reward` is its task success. */
export function humanParts(
  sample: Pick<Instruction, 'response'>,
  answer: Pick<Answer, 'turns' | 'incomplete' | 'finished'>,
  reward: number,
): Record<HumanPart, number> {
  const [said, expected] = [saidBy(answer.turns).join(' '), saidBy(sample.response).join(' ')];
  const parsed = parseResponse(answer.turns);
  const formed =
    answer.finished &&
    said.trim() !== '' &&
    !answer.incomplete.length &&
    MODALITIES.every((m) => parsed.blocks[m].stray === 0) &&
    parsed.calls.every(({ call }) => call !== undefined) &&
    parsed.plan.length !== 1;
  const [n, m] = [wordsOf(said).length, wordsOf(expected).length];
  return {
    relevance: wordOverlap(said, expected),
    format: formed ? 1 : 0,
    // Up to twice or half the reference's length is as good as its own.
    length: Math.min(1, (2 * Math.min(n, m)) / Math.max(1, n, m)),
    freshness: freshTriples(said),
    task: reward,
  };
}

/**
 * The mean of the scores that matter to a response: the text's always, a medium's where it is asked for or was begun, the task's where a
 * tool or a plan is asked for or a tool was called. (What is neither asked for nor done scores 1, and would only dilute the mean.)
 */
export function rewardOf(oracle: Oracle, turns: readonly Message[], scores: Scores): number {
  const { blocks, calls } = parseResponse(turns);
  const task = oracle.tool !== null || oracle.plan.length > 0 || calls.length > 0;
  const media = MODALITIES.filter((m) => oracle.outputs.includes(m) || blocks[m].complete + blocks[m].stray > 0);
  const parts = [scores.text, ...media.map((m) => scores[SIGNALS[m].segment]), ...(task ? [scores.task] : [])];
  return parts.reduce((a, b) => a + b, 0) / parts.length;
}

/** Everything that the indices need of an answer. `agentic`: whether the sample is one of ACI's prompts. */
export function judgeAnswer(
  book: Encyclopaedia,
  sample: Instruction,
  answer: Answer,
  { agentic = false }: { agentic?: boolean } = {},
): JudgedAnswer {
  const { oracle } = sample;
  const scores = scoreResponse(book, oracle, answer.turns);
  const reward = rewardOf(oracle, answer.turns, scores);
  return {
    tokens: answer.tokens,
    scores,
    reward,
    emitted: emittedKinds(answer.turns),
    modalities: modalityOverlap(oracle.outputs, answer.turns),
    human: humanParts(sample, answer, reward),
    ...(agentic ? { agentic: agenticChecks(oracle.outputs, answer.turns) } : {}),
  };
}
