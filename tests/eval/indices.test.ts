/** The indices, against values worked out by hand; and what must hold whatever the samples: ranges, references at the top. */
import assert from 'node:assert/strict';
import {
  agenticChecks,
  agenticPrompts,
  agenticScore,
  answerFigures,
  crossModalScore,
  emittedKinds,
  freshTriples,
  indexFigures,
  judgeAnswer,
  modalityOverlap,
  normalisedEntropy,
  wordOverlap,
} from '../../lib/eval';
import type { Answer, EvaluatedSample } from '../../lib/eval';
import { evaluationSet, makeEncyclopaedia } from '../../lib/world';
import type { Message } from '../../lib/world';

const close = (a: number, b: number, name = ''): void => assert.ok(Math.abs(a - b) < 1e-9, `${name}: ${a}, not ${b}`);
const said = (...contents: string[]): Message[] => contents.map((content) => ({ role: 'assistant', content }));
const answerOf = (turns: Message[], finished = true): Answer => ({
  turns,
  blocks: [],
  incomplete: [],
  tokens: 9,
  finished,
});

const book = makeEncyclopaedia(0, 30);
const samples = evaluationSet(book);

describe('the five indices', () => {
  it('CMTS: guessing gives 0, certainty 1, worse than guessing 0; the mean over the categories', () => {
    const of = (category: string, nll: number, tokens = 10): EvaluatedSample =>
      ({ id: '', category, nll, tokens }) as EvaluatedSample;
    const guess = 10 * Math.log(100);
    close(crossModalScore([of('audio_to_image', guess), of('image_to_audio', 0), of('text_to_multimodal', guess / 4)], 100), (0 + 1 + 0.75) / 3); // prettier-ignore
    close(crossModalScore([of('audio_to_image', 3 * guess)], 100), 0);
    // Pooled within a category, by tokens: (2 + 6) / 40 nats a token.
    close(crossModalScore([of('audio_to_image', 2, 10), of('audio_to_image', 6, 30), of('code_and_explain', 99)], 100), 1 - 0.2 / Math.log(100)); // prettier-ignore
    assert.throws(() => crossModalScore([of('code_and_explain', 1)], 100), /expected samples of audio_to_image/);
    // The paper's own perplexities by category, with Vicuna's vocabulary: what docs/evaluation.md reports.
    const paper = [2.92, 2.55, 1.92].map((ppl, i) => of(['audio_to_image', 'image_to_audio', 'text_to_multimodal'][i], 10 * Math.log(ppl))); // prettier-ignore
    assert.equal(crossModalScore(paper, 32000).toFixed(3), '0.915');
  });

  it('TDI: entropy of kinds', () => {
    close(normalisedEntropy([5, 0, 0, 0]), 0);
    close(normalisedEntropy([2, 2, 2, 2]), 1);
    close(normalisedEntropy([1, 1, 0, 0]), 0.5);
    assert.equal(normalisedEntropy([0, 0]), 0);
    assert.equal(normalisedEntropy([3]), 0);
    const counts = emittedKinds(
      said('<THINK>a<PLAN>1. b 2. c<TOOL_CALL>{}', '<ACT>d<IMG0><IMG1><IMG2><IMG3><IMG4>e<AUD0><AUD2>'),
    );
    assert.deepEqual(counts, { text: 1, img: 1, aud: 1, vid: 0, call: 1, plan: 1, think: 1, act: 1 });
    assert.deepEqual(emittedKinds([{ role: 'tool', content: 'no' }]).text, 0);
  });

  it('MCS: whole blocks only, extra ones cost', () => {
    const image = '<IMG0><IMG1><IMG2><IMG3><IMG4>';
    close(modalityOverlap(['image'], said(`a${image}`)), 1);
    close(modalityOverlap(['image', 'audio'], said(`a${image}`)), 1 / 2);
    close(modalityOverlap(['image', 'audio'], said(`a${image}<VID0><VID1><VID2><VID3>`)), 1 / 3);
    close(modalityOverlap(['image'], said('a<IMG0><IMG1><IMG3>')), 0);
    close(modalityOverlap([], said('a')), 1);
    close(modalityOverlap([], said(image)), 0);
  });

  it('ACI: five checks, each failed alone', () => {
    const whole =
      '<THINK>t<PLAN>1. a 2. b<TOOL_CALL>{"name":"web_search","arguments":{}}|<ACT>it is.<AUD0><AUD1><AUD2><AUD3>';
    const of = (text: string): string =>
      Object.entries(agenticChecks(['audio'], said(...text.split('|'))))
        .flatMap(([name, ok]) => (ok ? [] : [name]))
        .join();
    assert.equal(of(whole), '');
    assert.equal(of(whole.replace('<THINK>t', '')), 'think');
    assert.equal(of(whole.replace(' 2. b', '')), 'plan');
    assert.equal(of(whole.replace('web_search', 'fly')), 'call');
    assert.equal(of(whole.replace('{}}', '{}')), 'call');
    assert.equal(of(whole.replace('<ACT>', '')), 'act');
    assert.equal(of(whole.replace('<AUD2>', '')), 'signals');
  });

  it('ACI: 12 prompts that ask for all five, 60 checks, all passed by the references', () => {
    const chosen = agenticPrompts(samples);
    assert.equal(chosen.length, 12);
    const answers = chosen.map((s) => judgeAnswer(book, s, answerOf(s.response), { agentic: true }));
    assert.equal(agenticScore(answers), 1);
    answers[0].agentic!.plan = false;
    close(agenticScore(answers)!, 59 / 60);
    assert.equal(agenticScore([judgeAnswer(book, samples[0], answerOf(samples[0].response))]), null);
  });

  it('HRS: words in common, repetition', () => {
    close(wordOverlap('A red circle.', 'a blue circle'), 2 / 3);
    close(wordOverlap('a a a a', 'a b'), 1 / 3);
    close(wordOverlap('', 'a'), 0);
    close(wordOverlap('', ''), 1);
    close(freshTriples('one two three four'), 1);
    close(freshTriples('a b c a b c a b c'), 3 / 7);
    close(freshTriples('short one'), 1);
  });

  it('references score 1 in every part of HRS but freshness, and in MCS; nothing scores little', () => {
    const judged = samples.map((s) => judgeAnswer(book, s, answerOf(s.response)));
    const top = answerFigures(judged);
    for (const name of ['mcs', 'reward', 'hrs/relevance', 'hrs/format', 'hrs/length', 'hrs/task'])
      close(top[name], 1, name);
    assert.ok(top['hrs/freshness'] > 0.85 && top.tdi > 0.9 && top.tdi <= 1, JSON.stringify(top));
    const silent = answerFigures(samples.map((s) => judgeAnswer(book, s, answerOf(said(''), false))));
    assert.equal(silent['hrs/format'], 0);
    assert.equal(silent['hrs/relevance'], 0);
    assert.equal(silent['hrs/length'], 0);
    assert.equal(silent.tdi, 0);
    assert.ok(silent.reward < 0.7 && silent.hrs < top.hrs - 0.5, JSON.stringify(silent));
  });

  it('the mean of the five, and the drift over tokens', () => {
    const agentic = new Set(agenticPrompts(samples).map((s) => s.record.id));
    const evaluated: EvaluatedSample[] = samples.map((s, i) => ({
      id: s.record.id,
      category: s.record.category,
      nll: 5,
      tokens: 10,
      answer: {
        ...judgeAnswer(book, s, answerOf(s.response), { agentic: agentic.has(s.record.id) }),
        drift: i,
        driftTokens: 2,
      },
    }));
    const figures = indexFigures(evaluated, 1000);
    close(figures.novelAvg, (figures.cmts + figures.aci + figures.tdi + figures.mcs + figures.hrs) / 5);
    close(figures.drift, 299 / 4);
    const { answer: _, ...bare } = evaluated[0];
    assert.deepEqual(Object.keys(indexFigures([bare], 1000)), ['cmts']);
  });
});
