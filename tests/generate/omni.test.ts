/** OmniAgent's answers: media in, blocks out, whatever the batch. */
import assert from 'node:assert/strict';
import { ArgumentError, treeMap } from '../../lib';
import { encodeConversations, respond } from '../../lib/generate';
import type { ChatMessage, OmniModel } from '../../lib/generate';
import { trainTokenizer } from '../../lib/io';
import {
  encodeMedia,
  imageBindInit,
  imageBindSizes,
  inputProjectorInit,
  llamaInit,
  llamaSizes,
  outputProjectorsInit,
} from '../../lib/models';
import { normal, Random } from '../../lib/nn';
import { projectExamples } from '../../lib/trainers';
import { ADDED_TOKENS, drawScene, findBlocks, mediaSegment, MODALITIES, renderMedium, SIGNALS } from '../../lib/world';
import type { Modality } from '../../lib/world';
import { assertClose } from '../nn/golden';

const tokenizer = trainTokenizer(['what is this here', 'make a picture of a red circle'], {
  vocabSize: 320,
  addedTokens: ADDED_TOKENS,
});
const rng = new Random(4);
const config = { ...llamaSizes.nano, vocabSize: tokenizer.vocabSize };
const encoderConfig = imageBindSizes.smoke;
const inputConfig = {
  inWidth: encoderConfig.vision.width,
  modalities: 3,
  width: 16,
  heads: 2,
  hidden: 32,
  layers: 1,
  slots: 4,
  outWidth: config.width,
};
const outputs = Object.fromEntries(
  MODALITIES.map((m) => [
    m,
    {
      inWidth: config.width,
      tokens: SIGNALS[m].tokens.length,
      width: 16,
      heads: 2,
      hidden: 32,
      encoderLayers: 1,
      decoderLayers: 1,
      queries: 3,
      outWidth: 6,
    },
  ]),
) as Record<Modality, Parameters<typeof outputProjectorsInit>[1]['image']>;
/** Weights large enough that what stands in the prompt matters. */
const wide = <T>(params: T): T =>
  treeMap(params, (t, path) => (path.includes('norm') ? t : normal(new Random(5, path), t.shape, 0.3)));
const model: OmniModel = {
  llama: { params: wide(llamaInit(rng, config)), config },
  tokenizer,
  encoder: { config: encoderConfig, params: imageBindInit(rng, encoderConfig), tokenizer },
  input: { config: inputConfig, params: wide(inputProjectorInit(rng, inputConfig)) },
  output: { config: outputs, params: outputProjectorsInit(rng, outputs) },
  decoders: {},
};
const medium = (modality: Modality, seed: number) => renderMedium(modality, drawScene(new Random(seed)));
const ask = (modality: Modality, seed: number): ChatMessage[] => [
  { role: 'user', content: `what is this${mediaSegment(modality)} here`, media: [medium(modality, seed)] },
];
const ids = (modality: Modality): number[] => SIGNALS[modality].tokens.map((t) => tokenizer.id(t));
/** Forces a row's tokens. */
const force =
  (rows: readonly (readonly number[])[]) =>
  (row: number, tokens: readonly number[]): number[] => [rows[row][tokens.length] ?? tokenizer.id('<|end|>')];

describe('generate: OmniAgent', () => {
  it('answers each conversation alike, alone and in a batch', async () => {
    const conversations = [ask('image', 1), [{ role: 'user' as const, content: 'make a picture' }], ask('audio', 2)];
    const options = { maxNewTokens: 8, seed: 3, streams: ['a', 'b', 'c'] };
    const together = await respond(model, conversations, options);
    for (const [i, conversation] of conversations.entries()) {
      const [alone] = await respond(model, [conversation], { ...options, streams: [options.streams[i]] });
      assert.deepEqual(alone.tokens, together[i].tokens);
      assertClose(alone.logProbs, together[i].logProbs, `row ${i}`, 1e-4);
    }
    const [other] = await respond(model, [ask('image', 9)], { ...options, streams: ['a'] });
    assert.notDeepEqual(other.logProbs, together[0].logProbs, 'another picture gives another answer');
  });

  it('gives for whole blocks what the projectors give in training', async () => {
    const rows = [
      [...tokenizer.encode('red'), ...ids('image'), ...ids('video')],
      [...ids('audio'), ...tokenizer.encode('circle')],
    ];
    const conversations = [ask('image', 1), ask('video', 2)];
    const responses = await respond(model, conversations, { constraint: force(rows) });
    assert.deepEqual(
      responses.map((r) => [r.finish, r.blocks.map((b) => b.modality), r.incomplete]),
      [
        ['stop', ['image', 'video'], []],
        ['stop', ['audio'], []],
      ],
    );
    const prompts = await encodeConversations(model, conversations);
    for (const [i, { tokens, blocks }] of responses.entries()) {
      const prompt = prompts[i];
      assert.ok('media' in prompt && prompt.media);
      const all = [...prompt.ids, ...tokens];
      const [seen] = await encodeMedia(model.encoder!, conversations[i][0].media!.slice());
      const found = await projectExamples(
        {
          model: config,
          base: model.llama.params,
          inputConfig,
          outputConfig: outputs,
          parts: { inputProjector: model.input!.params, outputProjectors: model.output!.params },
          batch: {
            shape: { maxLength: config.maxLength, slots: 4, width: inputConfig.inWidth, length: seen.length },
            store: () => ({ modality: MODALITIES[i * 2], states: seen.tokens, length: seen.length }),
            captionTokens: () => [0, 0, 0],
          },
        },
        [
          {
            ids: all,
            mask: all.map(() => 0),
            media: [{ at: prompt.media[0].at, medium: 0 }],
            blocks: findBlocks(tokenizer, all).blocks.map((b) => ({ ...b, caption: '' })),
          },
        ],
      );
      for (const { modality, embeds } of found) {
        const block = blocks.find((b) => b.modality === modality)!;
        assert.deepEqual(block.embeds.shape, [1, 3, 6]);
        assertClose(await block.embeds.numbers(), await embeds.numbers(), `${i}: ${modality}`, 1e-4);
      }
      assert.equal(found.length, blocks.length);
    }
  });

  it('reports broken blocks, and needs the media that a text names', async () => {
    const image = ids('image');
    const rows = [[image[0], image[1], ...ids('audio').slice(1)], image.slice(0, 4)];
    const conversation: ChatMessage[] = [{ role: 'user', content: 'make a picture' }];
    const [first, second] = await respond(model, [conversation, conversation], { constraint: force(rows) });
    assert.deepEqual([first.blocks, first.incomplete], [[], ['image', 'audio']]);
    assert.deepEqual([second.blocks, second.incomplete], [[], ['image']]);
    const [missing] = ask('image', 1);
    await assert.rejects(respond(model, [[{ ...missing, media: [] }]]), ArgumentError);
    await assert.rejects(respond(model, [[{ ...missing, media: [medium('audio', 1)] }]]), /names \(image\), got audio/);
    await assert.rejects(respond({ ...model, encoder: undefined }, [ask('image', 1)]), /without an encoder/);
  });
});
