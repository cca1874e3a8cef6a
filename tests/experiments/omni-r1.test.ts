/** Omni-R1's data as tokens: one distance between pictures; claims and tables of what was measured. */
import assert from 'node:assert/strict';
import { judgeR1Claims } from '../../lib/experiments/omni-r1/claims';
import { describedSample } from '../../lib/experiments/omni-r1/data';
import { drawnAhead } from '../../lib/experiments/omni-r1/drawn-ahead';
import { gradedMeasures } from '../../lib/eval/omni-r1';
import { accuracyTable, syntheticTable, tokenizerTable } from '../../lib/experiments/omni-r1/results';
import type { R1Graded } from '../../lib/experiments/omni-r1/results';
import { IMAGE_DISTANCE } from '../../lib/experiments/omni-r1/sizes';
import { descriptionExamples, trainR1Tokenizer } from '../../lib/experiments/omni-r1/tokens';
import { correlation, quantiles, rankedRight } from '../../lib/eval/variation';
import { imageTokens, layoutOf, r1Example } from '../../lib/models';
import type { PictureCoder, R1Row } from '../../lib/models';
import { tableToMarkdown } from '../../lib/report';
import {
  finalAnswer,
  interleavedTrace,
  problemImage,
  questionText,
  r1Sample,
  reasoningImage,
  UNI_TASKS,
} from '../../lib/world/omni-r1';

describe('Omni-R1: data and tables', () => {
  it('puts pictures at one distance, whatever the action', () => {
    const codes = 256;
    const tokenizer = trainR1Tokenizer(0, codes, codes + 640);
    const layout = layoutOf(tokenizer, { rows: 8, columns: 8 });
    const picture = imageTokens(layout, new Array<number>(64).fill(0));
    for (let i = 0; i < 96; i++) {
      const sample = r1Sample(3, 'train', i);
      const row: R1Row = {
        Question: questionText(sample),
        'Text Reasoning Trace': interleavedTrace(sample),
        'Final Answer': finalAnswer(sample.answer),
        [problemImage(1)]: picture,
      };
      sample.steps.forEach((_, k) => (row[reasoningImage(k + 1)] = picture));
      const { ids } = r1Example(tokenizer, layout, row, i, {
        mode: 'plain',
        plainIncludeRationale: true,
        maxLength: 320,
      })!;
      // Heads begin by looking from where x and y of a frame are predicted to its name (imageLookBacks).
      const words = ids.map((id) => tokenizer.token(id));
      sample.steps.forEach(({ action, of }) => {
        if (action.name !== 'BBOX') return;
        const open = words.findIndex(
          (w, k) => w === '(' && words[k + 1] === String(action.x) && words[k + 3] === String(action.y),
        );
        assert.deepEqual([words[open - 2], words[open + 2], words[open + 2 - 4]], [of, ',', of]);
      });
      const begins = ids.flatMap((t, k) => (t === layout.boi ? [k] : []));
      assert.equal(begins.length, 1 + sample.steps.length);
      begins
        .slice(1)
        .forEach((at, k) =>
          assert.equal(at - begins[k], IMAGE_DISTANCE, `${sample.kind}: ${interleavedTrace(sample)}`),
        );
    }
  });

  it('tells and draws pictures of every kind for the base model', async () => {
    const codes = 256;
    const tokenizer = trainR1Tokenizer(0, codes, codes + 640);
    const layout = layoutOf(tokenizer, { rows: 8, columns: 8 });
    const picture = imageTokens(layout, new Array<number>(64).fill(0));
    const coder = { encode: (list: readonly unknown[]) => Promise.resolve(list.map(() => picture)) } as PictureCoder;
    const samples = Array.from({ length: 480 }, (_, i) => r1Sample(0, 'train', i));
    const examples = await descriptionExamples(coder, tokenizer, layout, samples, 0);
    const told = new Set<string>();
    const drawn = new Set<string>();
    const gaps = new Set<number>();
    examples.forEach(({ ids, mask }, i) => {
      // What is learned is either the words or the picture.
      const learned = ids.filter((_, t) => mask[t]);
      (learned.includes(layout.boi) ? drawn : told).add(samples[i].kind);
      if (!learned.includes(layout.boi)) gaps.add(mask.indexOf(1) - ids.indexOf(layout.eoi));
    });
    // A place must not be learned from how far behind the picture it is told.
    assert.ok(gaps.size >= 10, [...gaps].join());
    const kinds = [...new Set(samples.map((s) => s.kind))].sort();
    assert.equal(kinds.length, 13);
    assert.deepEqual([[...told].sort(), [...drawn].sort()], [kinds, kinds]);
  });

  it('describes other samples than those of the trajectories, most of them with places to ask for', () => {
    const trajectories = 48;
    const ids = new Set(Array.from({ length: trajectories }, (_, i) => r1Sample(3, 'train', i).id));
    const tasks = new Map<string, number>();
    const pictures = new Set<string>();
    for (let i = 0; i < 400; i++) {
      const sample = describedSample(3, trajectories, i);
      assert.equal(describedSample(3, trajectories, i).id, sample.id);
      assert.ok(!ids.has(sample.id), sample.id);
      ids.add(sample.id);
      tasks.set(sample.task, (tasks.get(sample.task) ?? 0) + 1);
      pictures.add(JSON.stringify([...sample.image.data]));
    }
    assert.deepEqual([...tasks.keys()].sort(), [...UNI_TASKS].sort());
    // Places are asked of these.
    assert.ok(tasks.get('structured')! >= 200 && tasks.get('natural')! >= 100, JSON.stringify([...tasks]));
    assert.ok(pictures.size > 390, `${pictures.size} of 400 differ`);
  });

  it('draws ahead what is coded, in order, and passes on what fails', async () => {
    for (const count of [0, 1, 255, 256, 257, 700]) {
      const drawn: number[] = [];
      const ahead: number[] = [];
      const out: string[] = [];
      const ends: number[] = [];
      const code = async (samples: number[], at: number): Promise<string[]> => {
        // A device's answer takes a while: meanwhile the next samples are drawn, and no more than these.
        const next = Math.min(at + samples.length + 256, count);
        do await new Promise((resolve) => setTimeout(resolve, 5));
        while (drawn.length < next);
        ahead.push(drawn.length - at - samples.length);
        return samples.map((n) => `coded ${n}`);
      };
      for await (const { made, end } of drawnAhead(count, (i) => (drawn.push(i), i * i), code)) {
        out.push(...made);
        ends.push(end);
      }
      const numbers = Array.from({ length: count }, (_, i) => i);
      assert.deepEqual(drawn, numbers);
      assert.deepEqual(
        out,
        numbers.map((i) => `coded ${i * i}`),
      );
      assert.equal(ends.at(-1) ?? 0, count);
      if (count === 700)
        assert.deepEqual(
          [ends, ahead],
          [
            [256, 512, 700],
            [256, 188, 0],
          ],
        );
    }
    const all = async (failing: { draw?: number; code?: number }): Promise<void> => {
      const sample = (i: number): number => {
        if (i === failing.draw) throw new Error('no sample');
        return i;
      };
      const code = (samples: number[], at: number): Promise<number[]> =>
        at === failing.code ? Promise.reject(new Error('no code')) : Promise.resolve(samples);
      for await (const { end } of drawnAhead(600, sample, code)) assert.ok(end <= 600);
    };
    await all({});
    await assert.rejects(all({ draw: 300 }), /no sample/);
    await assert.rejects(all({ code: 256 }), /no code/);
  });

  it('judges claims by their rules, and leaves open what was not measured', () => {
    const model = (accuracy: number, right = 0, vision = accuracy): Record<string, number> => ({
      accuracy,
      right,
      'accuracy/natural': accuracy,
      'accuracy/structured': accuracy,
      'accuracy/diagrammatic': vision,
      'accuracy/vision-op': vision,
    });
    const verdicts = (seed: Parameters<typeof judgeR1Claims>[0][number]): string =>
      judgeR1Claims([seed])
        .map((c) => c.verdict[0])
        .join('');
    const results = {
      sft: model(0.3, 0.2),
      pesft: model(0.3, 0.4),
      m: model(0.4, 0.4, 0.5),
      l: model(0.4),
      zero_t: model(0.4),
      zero_s: model(0.4),
      zero_m: model(0.4, 0, 0.5),
      zero_plain: model(0.3),
    };
    const rewards = { 'tau/0.01/std': 0.01, 'tau/0.1/std': 0.2, 'tau/1/std': 0.1, 'tau/3/std': 0.05 };
    assert.equal(verdicts({ results, rewards }), 'hhhhhh');
    assert.equal(verdicts({ results: {} }), 'uuuuuu');
    const other = {
      ...results,
      pesft: model(0.5, 0.1, 0.8),
      zero_m: model(0.2),
      zero_t: model(0.3, 0, 0.6),
      zero_s: model(0.1),
    };
    assert.equal(verdicts({ results: other, rewards: { ...rewards, 'tau/3/std': 0.3 } }), 'dddddd');
    const table = accuracyTable(results, 'x');
    assert.equal(table.rows.length, 8);
    assert.match(tableToMarkdown(table), /\| +0\.093 \|/, 'the paper is not rounded');
  });

  it('is as sure of a claim as the questions make it', () => {
    /** Answers of which the first `right` of each task's 40 are right, and their pictures. */
    const graded = (right: number, first = 0): R1Graded[] =>
      UNI_TASKS.flatMap((task) =>
        Array.from({ length: 40 }, (_, i) => {
          const ok = (i + first) % 40 < right;
          return { id: `${task}-${i}`, task, accuracy: ok ? 1 : 0, right: [ok] };
        }),
      );
    const seedOf = (answers: Record<string, R1Graded[]>) => ({
      results: Object.fromEntries(Object.entries(answers).map(([m, list]) => [m, gradedMeasures(list)])),
      answers,
    });
    const of = (seed: Parameters<typeof judgeR1Claims>[0][number], id: string) =>
      judgeR1Claims([seed], { draws: 200 }).find((c) => c.id === id)!;
    const far = of(seedOf({ zero_m: graded(30), zero_plain: graded(10) }), 'OR2');
    assert.equal(far.verdict, 'holds');
    const [{ perSeed, low, high }] = far.conditions;
    assert.ok(Math.abs(perSeed[0] - 0.5) < 1e-9 && low! > 0.3 && low! < 0.5 && high! > 0.5 && high! < 0.7);
    // One question more in each task, on other questions: nothing to be sure of.
    assert.equal(of(seedOf({ zero_m: graded(21), zero_plain: graded(20, 20) }), 'OR2').verdict, 'undecided');
    assert.equal(of(seedOf({ zero_m: graded(10), zero_plain: graded(30) }), 'OR2').verdict, 'does not hold');
    // Other questions than the other model's: no pairs, no interval.
    const apart = { zero_m: graded(30), zero_plain: graded(10).map((a) => ({ ...a, id: `other ${a.id}` })) };
    assert.equal(of(seedOf(apart), 'OR2').conditions[0].low, null);
    // OR5 draws rollouts with their pictures.
    const energies = [0.02, 0.05, 0.1, 0.3, 0.9];
    const pictures = Array.from({ length: 60 }, (_, i) => ({ id: `r${i >> 1}`, energy: energies[i % 5] }));
    const std = (tau: number) => quantiles(pictures.map((p) => 1 / (1 + p.energy / tau))).std;
    const rewards = Object.fromEntries([0.01, 0.1, 1, 3].map((tau) => [`tau/${tau}/std`, std(tau)]));
    const or5 = of({ results: {}, rewards, pictures }, 'OR5');
    assert.equal(or5.verdict, 'holds');
    assert.ok(or5.conditions[0].low! > 0 && or5.conditions[0].low! < or5.conditions[0].perSeed[0]);
    assert.equal(or5.figures.length, 4);
  });

  it('lays out the tokenizer and the synthetic pictures in words', () => {
    const tokenizer = tokenizerTable({ parameters: 5, rmse: 0.1, right: 0.9, 'right/LINE': 0.5 }, 't');
    assert.deepEqual(tokenizer.rows.map((r) => r[1]), [5, 0.1, 0.9, 0.5]); // prettier-ignore
    const synthetic = syntheticTable({ 'quality/right': 0.2, 'diversity/distinct': 0.4, 'true/distinct': 0.9 }, 't');
    assert.deepEqual(synthetic.rows[0].slice(1), [0.2, null]);
    assert.deepEqual(synthetic.rows[2].slice(1), [0.4, 0.9]);
  });

  it('measures scores against a yes or no', () => {
    assert.ok(Math.abs(correlation([1, 2, 3], [2, 4, 6]) - 1) < 1e-12);
    assert.ok(Number.isNaN(correlation([1, 2], [1, 1])));
    assert.equal(rankedRight([3, 2, 1, 0], [true, true, false, false]), 1);
    assert.equal(rankedRight([1, 1], [true, false]), 0.5);
    const q = quantiles([0.01, 0.5, 0.5, 0.99]);
    assert.deepEqual([q.mean, q.low, q.high, q.p50], [0.5, 0.25, 0.25, 0.5]);
  });
});
