/** Measures of the agent's tasks: references are right in all, and each way to be wrong is named; captions likewise. */
import assert from 'node:assert/strict';
import { captionAccuracy, taskFaults, taskMetrics } from '../../lib/eval';
import type { Answer } from '../../lib/eval';
import { tensor } from '../../lib/graph';
import { Random } from '../../lib/nn';
import { captionOf, drawScene, evaluationSet, makeEncyclopaedia, MODALITIES, parseResponse } from '../../lib/world';
import type { Message, Modality } from '../../lib/world';

const book = makeEncyclopaedia(0, 30);
const samples = evaluationSet(book).filter((_, i) => i % 10 === 0);
const answerOf = (turns: Message[]): Answer => {
  const { blocks } = parseResponse(turns);
  const text = turns.map((t) => t.content).join(' ');
  const order = (m: Modality): number => text.indexOf(`<${{ image: 'IMG', audio: 'AUD', video: 'VID' }[m]}0>`);
  const shown = MODALITIES.filter((m) => blocks[m].complete).sort((a, b) => order(a) - order(b));
  return {
    turns,
    blocks: shown.map((modality) => ({ modality, embeds: tensor(0) })),
    incomplete: MODALITIES.filter((m) => blocks[m].stray),
    tokens: 1,
    finished: true,
  };
};
/** The references with the assistant's text changed. */
const changed = (change: (text: string) => string) =>
  samples.map((s) =>
    answerOf(s.response.map((m) => (m.role === 'assistant' ? { ...m, content: change(m.content) } : m))),
  );

describe("measures of the agent's tasks", () => {
  it('references do everything', () => {
    const answers = changed((t) => t);
    const metrics = taskMetrics(book, samples, answers);
    for (const name of ['tool_success', 'answer', 'plan_valid', 'modalities']) {
      assert.equal(metrics[`task/${name}`], 1, name);
      assert.ok(metrics[`task/${name}_low`] < 1 && metrics[`task/${name}_high`] === 1);
    }
    assert.equal(metrics['task/modalities_n'], samples.length);
    assert.equal(metrics['task/tool_success_n'], samples.filter((s) => s.oracle.tool).length);
    assert.deepEqual(taskFaults(book, samples, answers), {
      tool_success: {},
      answer: {},
      plan_valid: {},
      modalities: {},
    });
  });

  it('each fault is named, and lowers its measure alone', () => {
    const expectFault = (change: (text: string) => string, name: string, fault: string): void => {
      const answers = changed(change);
      const faults = taskFaults(book, samples, answers)[name];
      assert.ok(faults[fault] > 0, `${fault}: ${JSON.stringify(faults)}`);
      const metrics = taskMetrics(book, samples, answers);
      const wrong = Object.values(faults).reduce((a, b) => a + b, 0);
      assert.ok(Math.abs(metrics[`task/${name}`] - (1 - wrong / metrics[`task/${name}_n`])) < 1e-12);
    };
    expectFault((t) => t.replaceAll('<TOOL_CALL>', ''), 'tool_success', 'no call');
    expectFault((t) => t.replace(/<TOOL_CALL>\{/, '<TOOL_CALL>'), 'tool_success', 'a malformed call');
    expectFault((t) => t.replace('"web_search"', '"code_interpreter"'), 'tool_success', 'the other tool');
    expectFault((t) => t.replace(/"query":\s*"[^"]*"/, '"query":"zzzz"'), 'tool_success', 'another result');
    expectFault((t) => t.replaceAll('<PLAN>', ''), 'plan_valid', 'no plan');
    expectFault((t) => t.replace(/ 2\. /, ' 2. Wait. 3. '), 'plan_valid', 'other steps than asked for');
    expectFault((t) => t.replaceAll('<IMG2>', ''), 'modalities', 'a broken block');
    expectFault((t) => t.replaceAll(/<IMG\d>/g, ''), 'modalities', 'a medium is missing');
    expectFault((t) => t + '<AUD0><AUD1><AUD2><AUD3>', 'modalities', 'more media than asked for, or in another order');
  });

  it('captions: by modality, with interval and chance', () => {
    const scenes = Array.from({ length: 12 }, (_, i) => drawScene(new Random(1, `${i}`)));
    const right = captionAccuracy(
      scenes.map(({ objects }) => ({
        modality: 'video',
        expected: objects,
        text: captionOf(objects, { motion: true }),
      })),
    );
    assert.equal(right['caption/video/exact'], 1);
    assert.equal(right['caption/video/motion'], 1);
    assert.equal(right['caption/video/captions'], 12);
    const wrong = captionAccuracy(
      scenes.map(({ objects }) => ({ modality: 'image', expected: objects, text: 'nothing to be seen' })),
    );
    assert.equal(wrong['caption/image/shape'], 0);
    assert.ok(wrong['caption/image/shape_high'] > 0 && wrong['caption/image/shape_chance'] > 0.2);
    assert.ok(!('caption/image/motion' in wrong));
  });
});
