/** Records of stages 0 to 3: their schemas, their oracles, their splits. */
import assert from 'node:assert/strict';
import {
  answersQuestion,
  captionedSchema,
  captionOf,
  makeCaptioned,
  makeEncyclopaedia,
  makeMediaCaptionRecord,
  makePair,
  makeSignalCaption,
  makeToolUse,
  makeUnderstanding,
  mediaCaptionSchema,
  mediaIn,
  MODALITIES,
  objectsCode,
  pairSchema,
  parseResponse,
  parseScene,
  QUESTIONS,
  runCall,
  scoreResponse,
  showsMotion,
  SIGNALS,
  signalCaptionSchema,
  splitOf,
  SPLITS,
  toMessages,
  toolUseSchema,
  understandingSchema,
} from '../../lib/world';
import type { Scene } from '../../lib/world';

const book = makeEncyclopaedia(5, 30);
const code = (text: string, motion: boolean): string => objectsCode(parseScene(text).scene ?? [], motion);
const inSplit = ({ objects }: Pick<Scene, 'objects'>): string => splitOf(objectsCode(objects, false));

describe('world: records of stages 0 to 2', () => {
  it('fit their schemas, say what their scenes show, and stay in their split', () => {
    for (const split of SPLITS)
      for (let i = 0; i < 90; i++) {
        const pair = pairSchema.parse(makePair(7, split, i));
        const { image, audio, video } = pair.media;
        assert.deepEqual([audio.scene.objects, video.scene.objects], [image.scene.objects, image.scene.objects]);
        assert.notDeepEqual(video.scene.background, image.scene.background);
        assert.equal(inSplit(image.scene), split);
        for (const texts of [pair.captions, pair.texts]) {
          assert.equal(code(texts.still, false), objectsCode(image.scene.objects, false));
          assert.equal(code(texts.moving, true), objectsCode(image.scene.objects, true));
        }

        const captioned = captionedSchema.parse(makeCaptioned(7, split, i));
        const modality = MODALITIES[i % 3];
        const motion = modality === 'video';
        const shown = captioned.media[modality]!.scene;
        assert.deepEqual([captioned.modality, Object.keys(captioned.media)], [modality, [modality]]);
        assert.equal(captioned.caption, captionOf(shown.objects, { motion }));
        assert.equal(inSplit(shown), split);

        const described = mediaCaptionSchema.parse(makeMediaCaptionRecord(7, split, i));
        const scene = described.media[modality]!.scene;
        assert.equal(code(described.caption, motion), objectsCode(scene.objects, motion));
        assert.equal(inSplit(scene), split);
        assert.equal(described.style, described.conversations ? 'conversation' : 'caption');
        if (described.conversations) {
          assert.deepEqual(mediaIn(described.conversations[0].value), [modality]);
          assert.equal(described.conversations[1].value, described.caption);
        }

        const signal = signalCaptionSchema.parse(makeSignalCaption(7, split, i));
        assert.deepEqual(signal.blocks.map((b) => b.modality).sort(), [...MODALITIES].sort());
        for (const block of signal.blocks) {
          const moves = showsMotion(block.modality);
          assert.deepEqual(block.signals, SIGNALS[block.modality].tokens);
          if (!moves || /(ward|still)/.test(signal.caption))
            assert.equal(code(signal.caption, moves), code(block.target, moves));
        }
      }
  });

  it('are functions of seed, split and index', () => {
    assert.deepEqual(makePair(7, 'train', 5), makePair(7, 'train', 5));
    const texts = [makePair(7, 'train', 5), makePair(8, 'train', 5), makePair(7, 'train', 6), makePair(7, 'test', 5)];
    assert.equal(new Set(texts.map((p) => JSON.stringify(p.media))).size, 4);
  });
});

describe('world: questions on media', () => {
  const samples = Array.from({ length: 3000 }, (_, i) => makeUnderstanding(7, SPLITS[i % 3], i));

  it('fit their schema and have answers that the checker takes', () => {
    const kinds = new Map<string, number>();
    for (const [i, { record, prompt, response, nats }] of samples.entries()) {
      if (i < 300) understandingSchema.parse(record);
      const { question, modality } = record;
      kinds.set(question.kind, (kinds.get(question.kind) ?? 0) + 1);
      assert.ok(answersQuestion(question, response[0].content), `${prompt[0].content} ${response[0].content}`);
      assert.deepEqual(mediaIn(prompt[0].content), [modality]);
      assert.deepEqual(toMessages(record), [...prompt, ...response]);
      assert.deepEqual(record.media[modality]?.scene.objects, record.objects);
      assert.equal(inSplit(record), record.split);
      if (question.kind === 'motion') assert.equal(modality, 'video');
      assert.ok(nats >= 0);
    }
    for (const kind of QUESTIONS) assert.ok((kinds.get(kind) ?? 0) > 60, `${kind}: ${kinds.get(kind)}`);
  });

  it('have answers that the objects bear out', () => {
    for (const { record } of samples) {
      const { kind, answer } = record.question;
      const { objects } = record;
      const values: Record<string, string[]> = {
        colour: objects.map((o) => o.colour),
        shape: objects.map((o) => o.shape),
        size: objects.map((o) => o.size),
        motion: objects.map((o) => o.motion),
        place: objects.map(({ cell }) => 'abc'[cell[1]] + String(cell[0] + 1)),
        exists: ['yes', 'no'],
        count: ['0', '1', '2', '3'].slice(0, objects.length + 1),
        caption: [captionOf(objects, { motion: record.modality === 'video' })],
      };
      assert.ok(values[kind].includes(answer), `${kind} ${answer}`);
    }
    const exists = samples.filter((s) => s.record.question.kind === 'exists');
    const yes = exists.filter((s) => s.record.question.answer === 'yes').length / exists.length;
    assert.ok(yes > 0.4 && yes < 0.6, `${yes} of the answers are yes`);
  });

  it('refuse every other answer', () => {
    const colour = { kind: 'colour' as const, answer: 'red' };
    for (const text of ['It is red.', 'Scarlet.', 'The tiny star at the top is red.'])
      assert.ok(answersQuestion(colour, text), text);
    for (const text of ['It is blue.', 'It is red or blue.', '', 'I do not know.', 'Red, and blue.'])
      assert.ok(!answersQuestion(colour, text), text);
    const place = { kind: 'place' as const, answer: 'a1' };
    assert.ok(
      answersQuestion(place, 'It is in the upper left corner.') && !answersQuestion(place, 'It is on the left.'),
    );
    const count = { kind: 'count' as const, answer: '2' };
    assert.ok(
      answersQuestion(count, 'I count two.') && answersQuestion(count, '2') && !answersQuestion(count, 'One or two.'),
    );
    const exists = { kind: 'exists' as const, answer: 'no' };
    assert.ok(
      answersQuestion(exists, 'No, there is not.') &&
        !answersQuestion(exists, 'Yes. No.') &&
        !answersQuestion(exists, 'None'),
    );
    // A kind's answer to another question of that kind does not do.
    const swapped = samples.filter(({ record: { question } }, i) => {
      const other = samples.find(
        (s, j) => j !== i && s.record.question.kind === question.kind && s.record.question.answer !== question.answer,
      );
      return other && answersQuestion(question, other.response[0].content);
    });
    assert.deepEqual(
      swapped.map((s) => s.record.id),
      [],
    );
  });
});

describe('world: use of tools', () => {
  it('has records whose calls return what is stored, and responses that every checker takes', () => {
    for (let i = 0; i < 200; i++) {
      const { record, prompt, response } = makeToolUse(book, 'train', i);
      toolUseSchema.parse(record);
      const scores = scoreResponse(book, record.oracle, response);
      assert.deepEqual(Object.values(scores), [1, 1, 1, 1, 1], JSON.stringify(response));
      const [call] = parseResponse(response).calls;
      assert.equal(call.call?.name, record.tool);
      assert.equal(runCall(book, call), record.tool_calls[0].result);
      assert.deepEqual(toMessages(record), [...prompt, ...response]);
    }
  });
});
