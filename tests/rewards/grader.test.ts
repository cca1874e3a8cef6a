/** The answer grader and the rewards against the released code's values (tests/goldens/rewards.py). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { computeScore, fromRewardKwargs, gradeAnswer, latexToText, sequenceRatio } from '../../lib/rewards';

interface Case {
  case: 'grade' | 'ratio' | 'latex' | 'score';
  value: unknown;
}
interface GradeCase extends Case {
  answer: string;
  truth: string;
  value: number;
}
interface ScoreCase {
  solution: string;
  truth: string;
  ids: number[];
  kwargs: Record<string, unknown>;
  table: number[][];
  states?: number[][];
  weight: number[][];
  bias: number[];
  value: Record<string, number>;
  strict: Record<string, number>;
}

const file = process.env.GRADER_CASES ?? path.join(process.cwd(), 'tests/goldens/data/rewards.jsonl');
const cases = readFileSync(file, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Case);
const of = <T>(kind: Case['case']): T[] => cases.filter((c) => c.case === kind) as unknown as T[];
const matrix = (rows: number[][]): { data: number[]; width: number } => ({ data: rows.flat(), width: rows[0].length });

describe("the released reward's values", () => {
  it('of answers: 0 and 1 exactly, partial credit to 1e-12', () => {
    const wrong = of<GradeCase>('grade')
      .map((c) => ({ ...c, found: gradeAnswer(c.answer, c.truth) }))
      .filter(({ value, found }) => Math.abs(value - found) > (value === 0 || value === 1 ? 0 : 1e-12));
    assert.deepEqual(wrong, []);
  });

  // Backtracking over these would take hours, and the test's own limit would end it.
  it('of answers that repeat one thing very often', () => {
    const often = (text: string, n = 50_000): string => text.repeat(n);
    const cases: [answer: string, truth: string, value: number][] = [
      [`(${often(' ')}x`, '5', 0],
      [`(${often(' ')}5 )`, '-5', 1],
      [`red${often('.')}fox`, 'red fox', 0],
      [`the cat${often(' ')}sat`, 'the cat sat', 1],
      [`the cat sat${often('. ')}`, 'the cat sat', 1],
      [`yl ${often('1,')}`, 'yl-1', 0],
      [`${often('9')}+1`, '5', 0],
      [`${often('+x!')}+1`, 'x!', 0],
    ];
    for (const [answer, truth, value] of cases)
      assert.equal(gradeAnswer(answer, truth), value, `${answer.slice(0, 20)} (${answer.length})`);
  });

  it("of texts: difflib's ratio", () => {
    for (const { a, b, value } of of<{ a: string; b: string; value: number }>('ratio'))
      assert.ok(Math.abs(sequenceRatio(a, b) - value) < 1e-12, `${a} | ${b}`);
  });

  it("of LaTeX: pylatexenc's text", () => {
    for (const { text, value } of of<{ text: string; value: string }>('latex'))
      assert.equal(latexToText(text).replace(/[ \n]/g, ''), value.replace(/[ \n]/g, ''), text);
  });

  it('what is no aggregation of the three is the mean, an empty text too', () => {
    const how = (kwargs: object): unknown => fromRewardKwargs({ ...kwargs }, { data: [1], width: 1 }).perception!.aggregation; // prettier-ignore
    const asked = [{}, { pl_seg_agg: 'MAX' }, { pl_seg_agg: '' }, { pl_seg_agg: 'sum' }, { pl_seg_agg: null }];
    assert.deepEqual(asked.map(how), ['min', 'max', 'mean', 'mean', 'mean']);
  });

  it('of whole rollouts, with images, options, hidden states and swallowed errors', () => {
    for (const c of of<ScoreCase>('score')) {
      const hidden = c.states && { states: matrix(c.states), weight: matrix(c.weight), bias: c.bias };
      const options = fromRewardKwargs(c.kwargs, matrix(c.table));
      for (const strict of [false, true]) {
        const found = computeScore(
          c.solution,
          c.truth,
          { responseIds: c.ids, hidden },
          {
            ...options,
            perception: { ...options.perception!, strict },
          },
        );
        const expected = strict ? c.strict : c.value;
        for (const key of ['score', 'acc', 'image'] as const)
          assert.ok(
            found[key] === expected[key] || Math.abs(found[key]! - expected[key]) < 1e-6,
            `${key}: ${found[key]}, expected ${expected[key]} of ${JSON.stringify({ ...c, strict })}`,
          );
      }
    }
  });
});
