/** Omni-R1's laptop world: samples are what their oracles say, splits are apart, actions are text and picture alike. */
import assert from 'node:assert/strict';
import { FormatError } from '../../lib/errors';
import { Random } from '../../lib/nn';
import {
  BENCH_COUNTS,
  describePlaces,
  executeAction,
  formatAction,
  judgeStep,
  KINDS,
  makeR1Sample,
  omniBenchSamples,
  parseAction,
  parseActions,
  pictureDistance,
  r1Sample,
  UNI_TASKS,
} from '../../lib/world/omni-r1';
import type { R1Sample } from '../../lib/world/omni-r1';
import { COLOURS } from '../../lib/world/omni-r1/canvas';

/** Three samples of every kind. */
const some: R1Sample[] = UNI_TASKS.flatMap((task) => {
  const kinds = Object.keys(KINDS[task]).length;
  return Array.from({ length: 3 * kinds }, (_, i) => makeR1Sample(5, 'train', task, i));
});

describe("Omni-R1's laptop world", () => {
  it('is a function of seed, split, task and index', () => {
    for (const [i, sample] of some.slice(0, 6).entries()) {
      const again = makeR1Sample(5, 'train', sample.task, Number(sample.id.split('-').at(-1)));
      assert.deepEqual(again.image.data, sample.image.data, String(i));
      assert.equal(again.question, sample.question);
    }
    assert.notDeepEqual(r1Sample(0, 'train', 0).image.data, r1Sample(1, 'train', 0).image.data);
  });

  it('executes each step from its text to its picture', () => {
    for (const sample of some) {
      let before = sample.image;
      for (const step of sample.steps) {
        const after = executeAction(before, parseAction(formatAction(step.action)), sample.predict);
        assert.deepEqual(after.data, step.image.data, sample.id);
        before = after;
      }
    }
  });

  it('takes true pictures for right, and every other that it could be taken for wrong', () => {
    for (const sample of some)
      sample.steps.forEach((step, k) => {
        assert.ok(judgeStep(sample, k, step.image).right, `${sample.id} ${sample.kind}`);
        for (const other of sample.alternatives(k))
          if (pictureDistance(other, step.image) > 1e-6)
            assert.ok(!judgeStep(sample, k, other).right, `${sample.id} ${sample.kind}: another picture`);
        const blank = { ...step.image, data: step.image.data.map(() => 0.5) };
        assert.ok(!judgeStep(sample, k, blank).right);
      });
  });

  it('has answers that follow from what its pictures show', () => {
    for (const { kind, facts, question, answer, id, steps, located } of some) {
      // What is framed or enlarged is what was asked for.
      for (const { of, action } of steps)
        if (of)
          assert.ok(
            located!.some((part) => part.startsWith(`${of} ${formatAction(action)} `)),
            id,
          );
      // "2 red 5": number, colour, value.
      const bars = new Map(facts.map((f) => f.split(' ').slice(1) as [string, string]));
      // Bars are asked for by their number, from the left.
      const asked = [...question.matchAll(/bar (\d)/g)].map(([, n]) => Number(facts[Number(n) - 1].split(' ')[2]));
      if (kind === 'bar-value') assert.deepEqual([Number(answer)], asked, id);
      if (kind === 'bar-sum') {
        assert.equal(asked.length, 2, id);
        assert.equal(Number(answer), asked[0] + asked[1], id);
      }
      if (kind === 'bar-highest') assert.equal(bars.get(answer), [...bars.values()].sort().at(-1), id);
      if (kind === 'line-peak') assert.equal(answer, [...facts].sort().at(-1), id);
      if (kind === 'line-value') assert.equal(answer, facts[Number(/\d/.exec(question)![0]) - 1], id);
      if (kind === 'pie-largest') assert.equal(facts.filter((f) => f === answer).length, 2, id);
      if (kind === 'find-colour') {
        assert.equal(question, 'What colour is the cross?<image>');
        // The whole cross is there: two bars of 4 by 14 pixels, enlarged twice; what else has its colour is smaller.
        const { data, width, height } = steps[0].image;
        const rgb = COLOURS[answer as keyof typeof COLOURS];
        let pixels = 0;
        for (let i = 0; i < width * height; i++)
          pixels += Number(rgb.every((v, c) => Math.abs(data[c * width * height + i] - v) < 1e-6));
        assert.ok(pixels >= 4 * (2 * 4 * 14 - 16), `${id}: ${pixels}`);
      }
      if (kind === 'run-maze') assert.ok(facts.includes(`${/Go (\w+)/.exec(question)![1]} ${answer}`), id);
      if (kind === 'dot-count') assert.ok(facts.includes(`left ${answer}`), id);
    }
  });

  it('tells where things are in any order, and before it tells what would give it away', () => {
    const random = new Random(0, 'told');
    const all = Array.from({ length: 160 }, (_, i) => r1Sample(0, 'train', i)).filter((s) => s.located);
    assert.deepEqual([...new Set(all.map((s) => s.figure))].sort(), ['bars', 'line', 'objects']);
    let inOrder = 0;
    for (const sample of all) {
      const told = describePlaces(sample, random);
      const parts = told.slice(told.indexOf(': ') + 2, -1).split(', ');
      const place = (part: string): number => sample.located!.indexOf(part);
      assert.equal(parts.length, Math.min(4, sample.located!.length), told);
      for (const part of parts) assert.ok(sample.located!.includes(part), told);
      // A bar's height follows from its value: the value comes last.
      for (const part of parts)
        assert.match(part, sample.figure === 'objects' ? /^\w+ ZOOM-in\([\d.,]+\) \w+$/ : /^\d BBOX\([\d.,]+\) \d$/);
      inOrder += Number(parts.length > 1 && parts.every((part, k) => !k || place(part) > place(parts[k - 1])));
    }
    // Three parts are in order in one of six descriptions, four in one of 24.
    const several = all.filter((s) => s.located!.length > 1).length;
    assert.ok(inOrder < several / 3, `${inOrder} of ${several}`);
  });

  it('keeps splits apart', () => {
    const facts = (split: 'train' | 'test', n: number): Set<string> =>
      new Set(
        Array.from({ length: n }, (_, i) => r1Sample(i % 2, split, i))
          .filter((s) => s.figure !== 'angle' && s.figure !== 'shape' && s.figure !== 'dots')
          .map((s) => `${s.figure} ${s.facts.join()}`),
      );
    const train = facts('train', 96);
    // Facts of a maze say less than the maze.
    const shared = [...facts('test', 48)].filter((f) => train.has(f) && !f.startsWith('maze'));
    assert.deepEqual(shared, []);
  });

  it('has the proportions of the benchmark', () => {
    assert.deepEqual(
      UNI_TASKS.map((t) => BENCH_COUNTS[t]),
      [100, 200, 200, 300],
    );
    const part = omniBenchSamples(0, 0.02);
    assert.deepEqual(
      UNI_TASKS.map((t) => part.filter((s) => s.task === t).length),
      [2, 4, 4, 6],
    );
    const train = Array.from({ length: 16 }, (_, i) => r1Sample(0, 'train', i));
    assert.deepEqual(
      UNI_TASKS.map((t) => train.filter((s) => s.task === t).length),
      [2, 4, 4, 6],
    );
    assert.equal(new Set(train.map((s) => s.id)).size, 16);
  });

  it('refuses malformed, degenerate and out-of-range actions', () => {
    for (const text of [
      'BBOX(0.1,0.2,0.3)',
      'BBOX(0.5,0.5,0.6,0.1)',
      'BBOX(0.5,0.5,0,0.1)',
      'ZOOM-in(-0.1,0,0.5,0.5)',
      'ZOOM-in(a,b,c,d)',
      'MARK(0.5,0.5,1.5)',
      'MARK(0.5,1.5,1)',
      'LINE(0.5,0.5,0.5,0.5)',
      'LINE(0,0,2,1)',
      'PRED( )',
      'DRAW(1)',
      '',
    ])
      assert.throws(() => parseAction(text), FormatError, text);
    assert.throws(() => executeAction(some[0].image, { name: 'PRED', text: 'nowhere' }, () => null), FormatError);
    assert.deepEqual(
      parseActions('THOUGHT 1: MARK(0.5,0.25,1) then PRED(up)').map((a) => a.name),
      ['MARK', 'PRED'],
    );
    assert.deepEqual(parseActions('no action'), []);
  });
});
