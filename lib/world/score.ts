/**
 * The checkers: how well a response does what its oracle asks for, for each modality from 0 to 1. Preference pairs get
 * their scores from here, and so does any model's response; nothing is typed in.
 */
import { PLAN_CHECKS } from './answers';
import type { Message } from './chat';
import type { Encyclopaedia } from './encyclopaedia';
import { runJavaScript } from './javascript';
import { parseScene } from './parse';
import type { Oracle } from './records';
import { parseResponse } from './response';
import type { ParsedCall, ParsedResponse } from './response';
import type { SceneObject } from './scene';
import { webSearch } from './search';
import { MODALITIES, SIGNALS } from './signals';
import type { Segment } from './signals';

export type Scores = Record<Segment, number>;

/** What a tool returns for a call: its result, or an error that starts with "error:". */
export function runCall(book: Encyclopaedia, { call, problem }: ParsedCall): string {
  if (!call) return `error: ${problem}`;
  const { query, code } = call.arguments;
  if (call.name === 'web_search')
    return typeof query === 'string' ? webSearch(book, query) : 'error: web_search needs a query';
  if (typeof code !== 'string') return 'error: code_interpreter needs code';
  const run = runJavaScript(code);
  return run.ok ? run.value : run.error;
}

/**
 * Share of attributes told rightly, 0 to 1: each expected object is matched with the object of the text that agrees
 * with it best; missing and surplus objects count as wrong in every attribute.
 */
export function attributeScore(
  expected: readonly SceneObject[],
  told: readonly Partial<SceneObject>[],
  motion: boolean,
): number {
  const keys = ['shape', 'colour', 'size', 'cell', ...(motion ? (['motion'] as const) : [])] as const;
  const agreement = (a: SceneObject, b: Partial<SceneObject>) =>
    keys.filter((k) => String(a[k]) === String(k === 'motion' ? (b[k] ?? 'still') : b[k])).length;
  // At most three objects each: the best of all pairings.
  const best = (i: number, used: number): number => {
    if (i === expected.length) return 0;
    let most = best(i + 1, used);
    told.forEach((object, j) => {
      if (j < 8 && !(used & (1 << j)))
        most = Math.max(most, agreement(expected[i], object) + best(i + 1, used | (1 << j)));
    });
    return most;
  };
  return best(0, 0) / (keys.length * Math.max(expected.length, told.length));
}

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/**
 * Whether the text states the answer, as a whole word or number. The answer to a sum has to follow "is" (or "=", ":"):
 * the question's own numbers, said again, do not count.
 */
export function statesAnswer(text: string, answer: string, ofSum: boolean): boolean {
  const before = ofSum ? '(?:\\bis|=|:)\\s*' : '(?<![\\w.])';
  return new RegExp(`${before}${escape(answer)}(?!\\w|\\.\\d)`).test(text);
}

/**
 * Sentences that a right answer may need: a lead, the scene and its count, a fact, or a number and how it was found.
 */
const allowedSentences = (oracle: Oracle): number =>
  1 + (oracle.objects ? 1 + oracle.objects.length : 0) + (oracle.answer === null ? 0 : 3);

function scoreText(oracle: Oracle, { text }: ParsedResponse): number {
  const parts: number[] = [];
  if (oracle.answer !== null) parts.push(statesAnswer(text, oracle.answer, oracle.sum !== null) ? 1 : 0);
  if (oracle.objects) parts.push(attributeScore(oracle.objects, parseScene(text).objects, oracle.motion));
  const sentences = text.split(/[.!?](?=\s|$)/).filter((s) => /\w/.test(s)).length;
  const concise = Math.min(1, allowedSentences(oracle) / Math.max(1, sentences));
  return (parts.reduce((a, b) => a + b, 0) / Math.max(1, parts.length)) * concise;
}

function scoreCall(book: Encyclopaedia, oracle: Oracle, calls: readonly ParsedCall[]): number {
  if (calls.length !== 1 || !calls[0].call) return 0;
  return calls[0].call.name === oracle.tool && runCall(book, calls[0]) === oracle.result ? 1 : 0.5;
}

function scorePlan(oracle: Oracle, plan: readonly string[]): number {
  if (plan.length < 2) return 0;
  const right = oracle.plan.filter((step, i) => plan[i] !== undefined && PLAN_CHECKS[step].test(plan[i])).length;
  return right / Math.max(oracle.plan.length, plan.length);
}

function scoreTask(book: Encyclopaedia, oracle: Oracle, parsed: ParsedResponse): number {
  const parts: number[] = [];
  if (oracle.tool) parts.push(scoreCall(book, oracle, parsed.calls));
  else if (parsed.calls.length) parts.push(0);
  if (oracle.plan.length) parts.push(scorePlan(oracle, parsed.plan));
  if (oracle.tool || oracle.plan.length) parts.push(parsed.thoughts.length ? 1 : 0, parsed.acts ? 1 : 0);
  return parts.length ? parts.reduce((a, b) => a + b, 0) / parts.length : 1;
}

/** Scores a response (turns, or the text of one). A modality that is neither asked for nor emitted scores 1. */
export function scoreResponse(book: Encyclopaedia, oracle: Oracle, response: string | readonly Message[]): Scores {
  const parsed = parseResponse(response);
  const scores: Scores = {
    text: scoreText(oracle, parsed),
    img: 1,
    aud: 1,
    vid: 1,
    task: scoreTask(book, oracle, parsed),
  };
  for (const modality of MODALITIES) {
    const { complete, stray } = parsed.blocks[modality];
    const wanted = oracle.outputs.includes(modality);
    const whole = wanted ? complete === 1 && stray === 0 : complete + stray === 0;
    // A broken block is worth less than half: no decoder can use it.
    const broken =
      wanted && complete === 0
        ? (0.5 * Math.min(stray, SIGNALS[modality].tokens.length - 1)) / SIGNALS[modality].tokens.length
        : 0;
    scores[SIGNALS[modality].segment] = whole ? 1 : broken;
  }
  return scores;
}
