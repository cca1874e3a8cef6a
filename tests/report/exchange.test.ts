/** Transcripts of exchanges with the agent: everything that happened is there, and nothing of it is taken for markup. */
import assert from 'node:assert/strict';
import { exchangeBundle, showExchange } from '../../lib/report';
import type { Medium } from '../../lib/io';
import { inTerminal } from './helpers';

const image: Medium = { modality: 'image', picture: { width: 1, height: 1, data: new Float32Array(3) } };
const audio: Medium = { modality: 'audio', sound: { sampleRate: 8000, samples: new Float32Array(80) } };
const reply = {
  text: ' It is <b>red</b>. ',
  thoughts: ['I look it up.'],
  plan: {
    valid: false,
    problems: ['the audio is in no step'],
    steps: [
      { id: 1, kind: 'search' as const, text: 'search', tool: 'web_search', dependsOn: [], status: 'done' as const },
    ],
  },
  toolCalls: [
    { json: '{}', name: 'web_search', arguments: { query: 'x' }, ok: true, result: 'found', milliseconds: 1 },
    { json: '{"na', ok: false, result: 'error: the call is not valid JSON', milliseconds: 0 },
  ],
  media: [audio],
  incomplete: ['video' as const],
  warnings: ['stopped'],
};

describe('exchange', () => {
  it('has all that was asked, done and said, and the media as players', async () => {
    const options = { title: 'One', note: 'right', captions: ['a tone'] };
    const bundle = await exchangeBundle({ text: 'What & where?', media: [image] }, reply, options);
    const html = String(bundle['text/html']);
    for (const text of [
      'What &amp; where?',
      'I look it up.',
      'search [done]',
      'not valid: the audio is in no step',
      'web_search {&quot;query&quot;:&quot;x&quot;}',
      'found',
      '{&quot;na',
      'error: the call is not valid JSON',
      'It is &lt;b&gt;red&lt;/b&gt;.',
      'the block of a medium (video) is not whole',
      'stopped',
      'a tone',
      'right',
    ])
      assert.ok(html.includes(text), text);
    assert.ok(html.indexOf('data:image/png') < html.indexOf('What &amp;'));
    assert.ok(html.indexOf('data:audio/wav') > html.indexOf('It is'));
  });

  it('in a terminal, the same as lines', async () => {
    assert.equal(
      await inTerminal(() =>
        showExchange({ text: 'Hm?' }, { ...reply, plan: null, toolCalls: [], incomplete: [], warnings: [] }),
      ),
      '  asked: Hm?\n  thinks: I look it up.\n  says: It is <b>red</b>.\n  makes: sound\n',
    );
  });

  it('wants a caption for each medium or none', async () => {
    await assert.rejects(exchangeBundle({}, reply, { captions: [] }), /exchange: expected 1 captions, got 0/);
  });
});
