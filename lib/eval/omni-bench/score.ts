/** Accuracy by Uni-Task and its sample-weighted average, of a file of predictions. */
import { CancelledError } from '../../errors';
import { answerIn } from './judge';
import type { Judge } from './judge';
import { isError, rowKey } from './results';
import type { Prediction } from './results';

/** The benchmark's sources by Uni-Task (paper, table 1), and the names of our own tasks. */
const UNI_TASKS: readonly [name: string, sources: RegExp][] = [
  ['Natural', /^(v|vstar|vstarbench|natural|naturalsceneperception)$/],
  ['Structured', /^(arxivqa|chartqa|structured|structuredimage)$/],
  ['Diagrammatic', /^(geometry3k|geometry3ktest|mathvista|diagrammatic|diagrammaticmath)$/],
  ['Vision-Op', /^(vicbench|visionop|visionoperational|visionoperationalscenes)$/],
];

/** Columns that may name the task, in the order in which they are looked for. */
export const TASK_COLUMNS = [
  'task',
  'uni_task',
  'uni-task',
  'category',
  'data_source',
  'benchmark',
  'subset',
  'dataset',
  'source',
];

/** The task of a row: its Uni-Task where the column names one or a source of one, otherwise the column's text. */
export function taskOf({ raw, dataset }: Pick<Prediction, 'raw' | 'dataset'>, column?: string): string {
  const columns = column === undefined ? TASK_COLUMNS : [column];
  const named = columns.map((name) => raw?.[name]).find((value) => typeof value === 'string' && value.trim());
  const text = typeof named === 'string' ? named.trim() : (dataset ?? '').replace(/\.parquet$/i, '');
  const plain = text
    .toLowerCase()
    .replace(/\*/g, 'star')
    .replace(/[^a-z0-9]/g, '');
  return UNI_TASKS.find(([, sources]) => sources.test(plain))?.[0] ?? (text || 'all');
}

export interface TaskScore {
  task: string;
  correct: number;
  total: number;
  /** Rows whose prediction is an error; they count as wrong. */
  errors: number;
  accuracy: number;
}

export interface Verdict {
  index: number;
  source: string;
  local_index: number;
  task: string;
  answer: string;
  truth: string;
  correct: boolean;
}

export interface BenchScore {
  tasks: TaskScore[];
  /** Over all rows: each task weighs as many as it has. */
  average: TaskScore;
  verdicts: Verdict[];
  /** Rows without a right answer, which count nowhere. */
  unanswerable: number;
  /** Rows for which the judge failed, and why; they count nowhere either. */
  unjudged: { row: string; error: Error }[];
}

/** So many failures of the judge in a row end the work: it is not there. */
const MOST_FAILURES = 10;

export interface ScoreOptions {
  judge: Judge;
  taskColumn?: string;
  /** Where the right answer is, if not in _gt_answer. */
  answerColumn?: string;
  /** Verdicts of an earlier run by key (rowKey) that are not asked for again. */
  known?: ReadonlyMap<string, Verdict>;
  /** Rows that are judged at once. */
  concurrency?: number;
  onVerdict?: (verdict: Verdict) => void | Promise<void>;
}

/** The right answer as text; undefined where there is none. */
function truthOf({ raw }: Prediction, column?: string): string | undefined {
  const value = (column === undefined ? raw?._gt_answer ?? raw?.answer : raw?.[column]); // prettier-ignore
  if (value === null || value === undefined) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function tally(task: string, rows: readonly (Verdict & { failed: boolean })[]): TaskScore {
  const correct = rows.filter((row) => row.correct).length;
  const errors = rows.filter((row) => row.failed).length;
  return { task, correct, total: rows.length, errors, accuracy: rows.length ? correct / rows.length : NaN };
}

/**
 * Judges every prediction; a row for which the judge fails is named and left out. Throws what the judge throws when it
 * fails for many rows without a verdict between them; verdicts that were given before are in onVerdict's hands.
 */
export async function scorePredictions(records: readonly Prediction[], options: ScoreOptions): Promise<BenchScore> {
  const { judge, taskColumn, answerColumn, known, concurrency = 1, onVerdict } = options;
  const judged: (Verdict & { failed: boolean })[] = [];
  const unjudged: BenchScore['unjudged'] = [];
  let unanswerable = 0;
  let failures = 0;
  const work = [...records.entries()];
  const next = async (): Promise<void> => {
    for (let item = work.shift(); item; item = work.shift()) {
      const [i, record] = item;
      const { index, source, local_index } = record;
      const truth = truthOf(record, answerColumn);
      if (truth === undefined) {
        unanswerable++;
        continue;
      }
      const failed = isError(record.prediction);
      const answer = failed ? '' : answerIn(record.prediction);
      const before = known?.get(rowKey(record));
      const same = before?.answer === answer && before.truth === truth ? before : undefined;
      let correct: boolean;
      try {
        correct = same ? same.correct : answer !== '' && (await judge(answer, truth));
      } catch (error) {
        if (error instanceof CancelledError || ++failures >= Math.min(MOST_FAILURES, records.length)) throw error;
        unjudged.push({ row: `${source} row ${local_index}`, error: error as Error });
        continue;
      }
      if (!same && answer !== '') failures = 0;
      const verdict = { index, source, local_index, task: taskOf(record, taskColumn), answer, truth, correct };
      judged[i] = { ...verdict, failed };
      if (!same) await onVerdict?.(verdict);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, concurrency) }, next));
  const rows = judged.filter(Boolean);
  const order = UNI_TASKS.map(([name]) => name);
  const names = [...new Set(rows.map(({ task }) => task))].sort(
    (a, b) => (order.indexOf(a) + 1 || 99) - (order.indexOf(b) + 1 || 99) || (a < b ? -1 : 1),
  );
  return {
    tasks: names.map((name) => tally(name, rows.filter(({ task }) => task === name))), // prettier-ignore
    average: tally('average', rows),
    verdicts: rows.map(({ failed: _, ...verdict }) => verdict),
    unanswerable,
    unjudged,
  };
}
