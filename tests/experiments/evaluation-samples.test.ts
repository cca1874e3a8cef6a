/** Which samples are answered, and the segments of preference pairs' tokens. */
import assert from 'node:assert/strict';
import { agenticPrompts } from '../../lib/eval';
import { longerPlan } from '../../lib/experiments/omniagent/data';
import { answeredSamples, spread } from '../../lib/experiments/omniagent/evaluate';
import { exampleSegments } from '../../lib/experiments/omniagent/pairs';
import { trainTokenizer } from '../../lib/io/tokenizer-train';
import { ADDED_TOKENS, CATEGORIES, encodeChat, evaluationSet, makeEncyclopaedia, makeInstruction, preferences, SEGMENTS, tokenizerTexts } from '../../lib/world'; // prettier-ignore

import type { Instruction } from '../../lib/world';

const book = makeEncyclopaedia(0, 30);

describe('samples of the evaluation', () => {
  it("ACI's prompts are always answered, and every category alike", () => {
    const all = evaluationSet(book);
    for (const n of [12, 30, 50]) {
      const chosen = answeredSamples(all, n);
      for (const category of CATEGORIES) assert.equal(chosen.filter((s) => s.record.category === category).length, n);
      assert.ok(agenticPrompts(all).every((s) => chosen.includes(s)));
      assert.equal(new Set(chosen).size, 6 * n);
    }
    assert.deepEqual(new Set(answeredSamples(all, 50)), new Set(all));
  });

  it('media are taken from all categories alike, not from the first ones', () => {
    const kinds = ['a', 'b', 'c', 'd'].flatMap((k) => new Array<string>(30).fill(k));
    const items = kinds.map((kind, i) => ({ kind, i }));
    for (const n of [4, 24, 119, 120]) {
      const chosen = spread(items, n);
      assert.equal(new Set(chosen).size, n);
      assert.deepEqual(
        chosen.map(({ i }) => i),
        [...chosen.map(({ i }) => i)].sort((a, b) => a - b),
      );
      for (const kind of 'abcd')
        assert.ok(Math.abs(chosen.filter((c) => c.kind === kind).length - n / 4) < 1, `${n} ${kind}`);
    }
    assert.deepEqual(spread([1, 2, 3], 5), [1, 2, 3]);
    assert.deepEqual(spread([1, 2, 3], 0), []);
  });

  it('stage 3 sees more plans of many steps than there are', () => {
    const steps = (samples: Instruction[]): number =>
      samples.reduce((n, s) => n + s.oracle.plan.length, 0) / samples.length;
    const drawn = (i: number): Instruction => makeInstruction(book, 'multi_step_creation', 'train', i, 'plan');
    const all = Array.from({ length: 200 }, (_, i) => drawn(i));
    const chosen = Array.from({ length: 100 }, (_, i) => longerPlan(book, i));
    chosen.forEach((s, i) => {
      const pair = [all[2 * i], all[2 * i + 1]];
      assert.equal(s.oracle.plan.length, Math.max(...pair.map((p) => p.oracle.plan.length)));
      assert.ok(pair.some((p) => p.record.id === s.record.id));
    });
    assert.ok(steps(chosen) > steps(all) + 0.2, `${steps(chosen)} and ${steps(all)}`);
  });

  it("segments from tokens and mask are the chat template's, turn by turn", () => {
    const tokenizer = trainTokenizer(tokenizerTexts(book, 300), { vocabSize: 600, addedTokens: ADDED_TOKENS }); // prettier-ignore
    const seen = new Set<number>();
    for (const pair of preferences(book, 'train', 60))
      for (const side of ['chosen', 'rejected'] as const) {
        const chat = encodeChat(tokenizer, [...pair.prompt, ...pair[side]]);
        const segments = exampleSegments(tokenizer, { ids: chat.tokens, mask: chat.lossMask });
        assert.deepEqual(segments, chat.segments);
        segments.forEach((s) => seen.add(s));
      }
    assert.equal(seen.size, SEGMENTS.length);
  });
});
