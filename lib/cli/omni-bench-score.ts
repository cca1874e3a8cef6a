/** `omnilab omni-bench score`: accuracy of a file of predictions. */
import * as fs from 'node:fs';
import { modelJudge, readPredictions, rowKey, ruleJudge, scorePredictions } from '../eval/omni-bench';
import type { TaskScore, Verdict } from '../eval/omni-bench';
import { progress } from '../report/display/progress';
import { STATUS, UsageError } from './status';
import type { Terminal } from './terminal';

export interface ScoreCommandOptions {
  judge: 'rules' | 'llm';
  judgeModel?: string;
  baseUrl?: string;
  apiKeyEnv: string;
  timeout: number;
  retries: number;
  concurrency: number;
  taskCol?: string;
  answerCol?: string;
  verdicts?: string;
  json?: boolean;
}

/** Verdicts of an earlier run; a last line that was cut off is left out. */
function knownVerdicts(file: string): Map<string, Verdict> {
  const known = new Map<string, Verdict>();
  if (!fs.existsSync(file)) return known;
  for (const line of fs.readFileSync(file, 'utf8').split('\n'))
    try {
      const verdict = JSON.parse(line) as Verdict;
      known.set(rowKey(verdict), verdict);
    } catch {
      // Not whole: it is asked for again.
    }
  return known;
}

const line = ({ task, correct, total, errors, accuracy }: TaskScore, width: number): string =>
  `${task.padEnd(width)}  ${(accuracy * 100).toFixed(1).padStart(5)} %  ${String(correct).padStart(5)} of ${String(total).padStart(5)}` +
  (errors ? `  (${errors} errors)` : '');

/** Returns the exit status. */
export async function scoreCommand(file: string, options: ScoreCommandOptions, terminal: Terminal): Promise<number> {
  const { judge: kind, baseUrl, judgeModel, verdicts, json } = options;
  if (kind === 'llm' && (!baseUrl || !judgeModel))
    throw new UsageError('--judge llm', `expected --base-url and --judge-model, got ${baseUrl ? 'no model' : 'no address'}`, '--base-url http://127.0.0.1:8000/v1 --judge-model NAME'); // prettier-ignore
  const server = { baseUrl: baseUrl ?? '', apiKey: process.env[options.apiKeyEnv] || undefined, timeoutSeconds: options.timeout, retries: options.retries }; // prettier-ignore
  const judge = kind === 'llm' ? modelJudge(judgeModel!, server) : ruleJudge;
  const { records, bad, duplicates } = readPredictions(file);
  const known = verdicts ? knownVerdicts(verdicts) : undefined;
  const bar = kind === 'llm' ? progress({ total: records.length, label: 'judge', unit: 'rows' }) : undefined;
  let done = 0;
  try {
    const score = await scorePredictions(records, {
      judge,
      taskColumn: options.taskCol,
      answerColumn: options.answerCol,
      known,
      concurrency: kind === 'llm' ? options.concurrency : 1,
      onVerdict: (verdict) => {
        bar?.update(++done);
        // Added at once: an interrupted judge goes on where it was.
        if (verdicts) fs.appendFileSync(verdicts, `${JSON.stringify(verdict)}\n`);
      },
    });
    bar?.done();
    const { tasks, average, unanswerable, unjudged } = score;
    if (json)
      terminal.out(`${JSON.stringify({ file, judge: kind, tasks, average, unanswerable, unjudged: unjudged.map(({ row, error }) => ({ row, error: error.message })), damagedLines: bad, duplicates }, null, 2)}\n`); // prettier-ignore
    else {
      const width = Math.max(...[...tasks, average].map(({ task }) => task.length));
      terminal.out([...tasks, average].map((row) => `${line(row, width)}\n`).join(''));
      if (bad.length) terminal.err(`not read: lines ${bad.join(', ')}\n`);
      if (duplicates) terminal.err(`${duplicates} rows stand there more than once; the last of each counts\n`);
      for (const { row, error } of unjudged) terminal.err(`${row}: ${error.message}\n`);
      if (unjudged.length) terminal.err(`${unjudged.length} rows could not be judged and count nowhere; start it again, with --verdicts\n`); // prettier-ignore
      if (unanswerable) terminal.err(`${unanswerable} rows have no right answer and count nowhere\n`);
    }
    return unjudged.length ? STATUS.failure : STATUS.ok;
  } catch (error) {
    bar?.fail(error);
    throw error;
  }
}
