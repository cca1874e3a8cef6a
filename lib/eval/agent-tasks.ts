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

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);

/** Whether the one call gives the oracle's result. */
function callsRightly(book: Encyclopaedia, { oracle }: Instruction, { turns }: Answer): boolean {
  const { calls } = parseResponse(turns);
  return calls.length === 1 && calls[0].call?.name === oracle.tool && runCall(book, calls[0]) === oracle.result;
}

const states = ({ oracle }: Instruction, { turns }: Answer): boolean =>
  statesAnswer(parseResponse(turns).text, oracle.answer!, oracle.sum !== null);

function plansRightly({ oracle }: Instruction, { turns }: Answer): boolean {
  const plan = readPlan(turns);
  return (
    plan !== null &&
    plan.problems.length === 0 &&
    plan.steps.length === oracle.plan.length &&
    oracle.plan.every((step, i) => PLAN_CHECKS[step].test(plan.steps[i].text))
  );
}

/** The table of metrics. Names of which no sample is are left out. */
export function taskMetrics(
  book: Encyclopaedia,
  samples: readonly Instruction[],
  answers: readonly Answer[],
): Record<string, number> {
  const rows = samples.map((sample, i) => ({ sample, answer: answers[i] }));
  const scores = rows.map(({ sample, answer }) => scoreResponse(book, sample.oracle, answer.turns));
  const tools = rows.filter(({ sample }) => sample.oracle.tool);
  const answered = rows.filter(({ sample }) => sample.oracle.answer !== null);
  const plans = rows.filter(({ sample }) => sample.oracle.plan.length);
  const metrics: Record<string, number> = {
    'task/modalities': mean(
      rows.map(({ sample, answer }) =>
        Number(
          answer.incomplete.length === 0 &&
            answer.blocks.map((b) => b.modality).join() === sample.oracle.outputs.join(),
        ),
      ),
    ),
    'task/text': mean(scores.map((s) => s.text)),
    'task/finished': mean(rows.map(({ answer }) => Number(answer.finished))),
    tokens: rows.reduce((n, { answer }) => n + answer.tokens, 0),
  };
  if (tools.length)
    metrics['task/tool_success'] = mean(tools.map(({ sample, answer }) => Number(callsRightly(book, sample, answer))));
  if (answered.length)
    metrics['task/answer'] = mean(
      answered.map(({ sample, answer }) => Number(callsRightly(book, sample, answer) && states(sample, answer))),
    );
  if (plans.length)
    metrics['task/plan_valid'] = mean(plans.map(({ sample, answer }) => Number(plansRightly(sample, answer))));
  for (const category of [...new Set(samples.map((s) => s.record.category))].sort())
    metrics[`score/${category}`] = mean(
      scores.flatMap((s, i) => (samples[i].record.category === category ? [mean(Object.values(s))] : [])),
    );
  return metrics;
}
