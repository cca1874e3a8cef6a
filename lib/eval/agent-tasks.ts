/**
 * How often answers to OmniWorld's samples do what was asked, by the world's checkers. All are shares, 0 to 1.
 *
 * | name                | over                        | counts as right                                                       |
 * |---------------------|-----------------------------|-----------------------------------------------------------------------|
 * | task/tool_success   | samples that need a tool    | one call, of the right tool, whose result is the oracle's             |
 * | task/answer         | samples with an answer      | the call is right, and the text states the answer                     |
 * | task/plan_valid     | samples that need a plan    | a valid plan (world/plan.ts) that has the oracle's steps, in order    |
 * | task/modalities     | all                         | whole blocks of just the media asked for, in order                    |
 * | task/text           | all                         | mean of the checker's score of the text                               |
 * | score/<category>    | the category                | mean over the checker's scores (text, img, aud, vid, task)            |
 */
import { parseResponse, PLAN_CHECKS, readPlan, runCall, scoreResponse, statesAnswer } from '../world';
import type { Encyclopaedia, Instruction } from '../world';
import type { Answer } from './answer-samples';
import { estimate } from './media-attributes';

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);

/** What was asked, and what came. */
interface Row {
  sample: Instruction;
  answer: Answer;
}
/** What is wrong, or null. */
type Fault = string | null;

/** Of the one call that should give the oracle's result. */
function callFault(book: Encyclopaedia, { sample: { oracle }, answer }: Row): Fault {
  const { calls } = parseResponse(answer.turns);
  if (calls.length !== 1) return calls.length ? 'several calls' : 'no call';
  if (!calls[0].call) return 'a malformed call';
  if (calls[0].call.name !== oracle.tool) return 'the other tool';
  const result = runCall(book, calls[0]);
  if (result === oracle.result) return null;
  return result.startsWith('error') ? 'the tool gives an error' : 'another result';
}

function answerFault(book: Encyclopaedia, row: Row): Fault {
  const { oracle } = row.sample;
  const said = statesAnswer(parseResponse(row.answer.turns).text, oracle.answer!, oracle.sum !== null);
  return callFault(book, row) ?? (said ? null : 'the text does not state the answer');
}

function planFault({ sample: { oracle }, answer }: Row): Fault {
  const plan = readPlan(answer.turns);
  if (!plan) return 'no plan';
  const asked =
    plan.steps.length === oracle.plan.length &&
    oracle.plan.every((step, i) => PLAN_CHECKS[step].test(plan.steps[i].text));
  if (!asked) return 'other steps than asked for';
  return plan.problems.length ? 'the answer does not carry the plan out' : null;
}

function mediaFault({ sample: { oracle }, answer }: Row): Fault {
  if (answer.incomplete.length) return 'a broken block';
  const blocks = answer.blocks.map((b) => b.modality);
  if (blocks.join() === oracle.outputs.join()) return null;
  const missing = oracle.outputs.some((m) => !blocks.includes(m));
  return missing ? 'a medium is missing' : 'more media than asked for, or in another order';
}

/** The four judgements, each over the samples that it is for, with the fault of each. */
function judge(
  book: Encyclopaedia,
  samples: readonly Instruction[],
  answers: readonly Answer[],
): Record<'tool_success' | 'answer' | 'plan_valid' | 'modalities', Fault[]> {
  const rows = samples.map((sample, i) => ({ sample, answer: answers[i] }));
  return {
    tool_success: rows.filter(({ sample }) => sample.oracle.tool).map((row) => callFault(book, row)),
    answer: rows.filter(({ sample }) => sample.oracle.answer !== null).map((row) => answerFault(book, row)),
    plan_valid: rows.filter(({ sample }) => sample.oracle.plan.length).map(planFault),
    modalities: rows.map(mediaFault),
  };
}

/** How often each thing went wrong, by judgement; the most frequent first. */
export function taskFaults(
  book: Encyclopaedia,
  samples: readonly Instruction[],
  answers: readonly Answer[],
): Record<string, Record<string, number>> {
  const count = (faults: readonly Fault[]): Record<string, number> => {
    const counts = new Map<string, number>();
    for (const fault of faults) if (fault !== null) counts.set(fault, (counts.get(fault) ?? 0) + 1);
    return Object.fromEntries([...counts].sort((a, b) => b[1] - a[1]));
  };
  return Object.fromEntries(
    Object.entries(judge(book, samples, answers)).map(([name, faults]) => [name, count(faults)]),
  );
}

/**
 * The table of metrics, the first four with `_low` and `_high` (95 % interval) and `_n` (samples). Names of which no sample is are
 * left out.
 */
export function taskMetrics(
  book: Encyclopaedia,
  samples: readonly Instruction[],
  answers: readonly Answer[],
): Record<string, number> {
  const scores = samples.map(({ oracle }, i) => scoreResponse(book, oracle, answers[i].turns));
  const metrics: Record<string, number> = {
    'task/text': mean(scores.map((s) => s.text)),
    'task/finished': mean(answers.map(({ finished }) => Number(finished))),
    tokens: answers.reduce((n, { tokens }) => n + tokens, 0),
  };
  for (const [name, faults] of Object.entries(judge(book, samples, answers))) {
    if (!faults.length) continue;
    const share = estimate(faults.map((fault) => Number(fault === null)));
    const key = `task/${name}`;
    Object.assign(metrics, {
      [key]: share.mean,
      [`${key}_low`]: share.low,
      [`${key}_high`]: share.high,
      [`${key}_n`]: share.n,
    });
  }
  for (const category of [...new Set(samples.map((s) => s.record.category))].sort())
    metrics[`score/${category}`] = mean(
      scores.flatMap((s, i) => (samples[i].record.category === category ? [mean(Object.values(s))] : [])),
    );
  return metrics;
}
