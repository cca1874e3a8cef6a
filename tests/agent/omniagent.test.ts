/** OmniAgentModel: requests with files, conversations, tools, replies saved, checkpoints loaded. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { z } from 'zod';
import { defineTool, omniAgentModel, OmniAgentModel, setCheckpointResolver } from '../../lib/agent';
import type { OmniError } from '../../lib/errors';
import { ArgumentError, CancelledError, FormatError } from '../../lib/errors';
import { loadOmniModel, releaseMediaPrograms } from '../../lib/generate';
import { tensor, tensorsOf } from '../../lib/graph';
import { BYTES_PER_ELEMENT } from '../../lib/graph/dtype';
import { readAudio, readClip, readImage, trainTokenizer, writeGif, writePng, writeWav } from '../../lib/io';
import {
  imageBindInit,
  imageBindSizes,
  inputProjectorInit,
  llamaInit,
  llamaSizes,
  outputProjectorsInit,
  saveEncoder,
  saveOmniAgent,
} from '../../lib/models';
import { Random } from '../../lib/nn';
import { closeDevices } from '../../lib/runtime';
import { ADDED_TOKENS, drawScene, MODALITIES, renderAudio, renderImage, renderVideo, SIGNALS } from '../../lib/world';
import type { Modality } from '../../lib/world';
import { tinyPipeline } from '../models/golden-diffusion';
import { block, scripted } from './scripted';

const [IMG, AUD, VID] = [block('image'), block('audio'), block('video')];
const scene = drawScene(new Random(1));

describe('agent: OmniAgentModel', function () {
  let dir = '';
  const file = (name: string) => path.join(dir, name);
  before(async () => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'omnilab-agent-'));
    await writePng(file('scene.png'), renderImage(scene));
    await writeWav(file('scene.wav'), renderAudio(scene, { sampleRate: 16000 }));
    await writeGif(file('scene.gif'), renderVideo(scene));
    fs.writeFileSync(file('broken.png'), fs.readFileSync(file('scene.png')).subarray(0, 60));
    fs.writeFileSync(file('notes.txt'), 'no picture');
  });
  after(() => fs.rmSync(dir, { recursive: true }));

  it('reads the files of a request, and puts them before its text', async () => {
    const model = scripted(['I see.']);
    const agent = new OmniAgentModel(model);
    const { text } = await agent.chat({
      text: 'What is this?',
      imagePath: file('scene.png'),
      audioPath: file('scene.wav'),
      videoPath: file('scene.gif'),
    });
    assert.equal(text, 'I see.');
    const [{ content, media }] = model.asked[0].messages;
    assert.equal(content, '<|image|><|media_end|><|audio|><|media_end|><|video|><|media_end|>What is this?');
    assert.deepEqual(
      media!.map((m) => m.modality),
      ['image', 'audio', 'video'],
    );
  });

  it('refuses what it cannot read, and forgets nothing by it', async () => {
    const model = scripted(['One.', new Error('the device went away'), 'Two.']);
    const agent = new OmniAgentModel(model);
    await agent.chat({ text: 'First.' });
    const before = agent.conversation();
    for (const [request, error] of [
      [{ imagePath: file('broken.png') }, FormatError],
      [{ imagePath: file('notes.txt') }, FormatError],
      [{ imagePath: file('missing.png') }, FormatError],
      [{ audioPath: file('scene.png') }, FormatError],
      [{ videoPath: file('scene.wav') }, FormatError],
      [{ text: ' ' }, ArgumentError],
      [{ text: 'x', tools: ['teleport'] }, ArgumentError],
      [{ text: 'x', signal: AbortSignal.abort() }, CancelledError],
      [{ text: 'x' }, Error],
    ] as const)
      await assert.rejects(agent.chat(request), error);
    assert.equal(agent.conversation(), before);
    assert.equal((await agent.chat({ text: 'Second.' })).text, 'Two.');
    assert.equal(agent.conversation().length, 4);
  });

  it('refuses requests that no types have checked, each with a reason', async () => {
    const model = scripted([]);
    const agent = new OmniAgentModel(model);
    const picture = (values: number[]) => [
      { modality: 'image', picture: { width: 1, height: 1, data: Float32Array.from(values) } },
    ];
    for (const request of [
      undefined,
      'draw',
      { text: 5 },
      { text: null },
      { text: 'x', imagePath: null },
      { text: 'x', audioPath: 5 },
      { text: 'x', tools: 'web_search' },
      { text: 'x', tools: [null] },
      { text: 'x', onToken: 'print' },
      { text: 'x', media: 'abc' },
      { text: 'x', media: [null] },
      { text: 'x', media: [{ modality: 'smell' }] },
      { text: 'x', media: [{ modality: 'image' }] },
      { text: 'x', media: picture([0, 0]) },
      { text: 'x', media: picture([0, 0, NaN]) },
      { text: 'x', media: [{ modality: 'audio', sound: { sampleRate: 0, samples: new Float32Array(1) } }] },
      { text: 'x', media: [{ modality: 'audio', sound: { sampleRate: 8000, samples: new Float32Array(0) } }] },
      { text: 'x', callTimeoutMs: Infinity },
    ])
      await assert.rejects(agent.chat(request as never), (error: Error) => {
        assert.ok(error instanceof ArgumentError, `${JSON.stringify(request)}: ${String(error)}`);
        return true;
      });
    assert.deepEqual([model.asked.length, agent.conversation().length], [0, 0]);
    for (const options of [{ decoderSteps: 0 }, { decoderSteps: 1.5 }, { guidanceScale: -1 }, { guidanceScale: NaN }])
      assert.throws(() => omniAgentModel({} as never, options), ArgumentError, JSON.stringify(options));
  });

  it('keeps its conversation, and begins anew', async () => {
    const model = scripted(['One.', 'Two.', 'Three.', 'Four.']);
    const agent = new OmniAgentModel(model, { system: 'Be brief.' });
    // Asked at once, answered one after the other.
    await Promise.all([agent.chat({ text: 'A' }), agent.chat({ text: 'B' })]);
    assert.deepEqual(
      agent.conversation().map((m) => m.content),
      ['Be brief.', 'A', 'One.', 'B', 'Two.'],
    );
    assert.deepEqual(
      model.asked[1].messages.map((m) => m.role),
      ['system', 'user', 'assistant', 'user'],
    );
    const kept = agent.conversation();
    agent.reset();
    await agent.chat({ text: 'C' });
    assert.deepEqual(
      agent.conversation().map((m) => m.content),
      ['Be brief.', 'C', 'Three.'],
    );
    agent.reset(kept);
    await agent.chat({ text: 'D' });
    assert.equal(agent.conversation().length, 7);
    assert.equal(kept.length, 5);
    // An answer that was begun before does not come back into the new conversation.
    const late = new OmniAgentModel(scripted(['Late.', 'New.'], { delayMs: 1 }));
    const answer = late.chat({ text: 'E' });
    late.reset();
    assert.equal((await answer).text, 'Late.');
    assert.deepEqual(late.conversation(), []);
    await late.chat({ text: 'F' });
    assert.deepEqual(
      late.conversation().map((m) => m.content),
      ['F', 'New.'],
    );
  });

  it('has its tools, those of its user, and those of a request', async () => {
    const call = (name: string, args: object) => `<TOOL_CALL>${JSON.stringify({ name, arguments: args })}`;
    const tool = (name: string) =>
      defineTool({ name, description: '', parameters: z.object({ n: z.int() }), run: ({ n }) => `${name} ${n + 1}` });
    const lines = () => [
      call('twice', { n: 1 }),
      call('once', { n: 2 }),
      call('code_interpreter', { code: '7' }),
      'So.',
    ];
    const model = scripted([...lines(), ...lines()]);
    const agent = new OmniAgentModel(model, { tools: [tool('twice')], sandbox: { timeoutMs: 20_000 } });
    assert.deepEqual([...agent.tools.keys()], ['web_search', 'code_interpreter', 'chart', 'twice']);
    const all = await agent.chat({ text: 'x' });
    assert.deepEqual(
      all.toolCalls.map((c) => c.result),
      ['twice 2', 'error: no tool is named once', '7'],
    );
    const some = await agent.chat({ text: 'x', tools: ['twice', tool('once')] });
    assert.deepEqual(
      some.toolCalls.map((c) => c.result),
      ['twice 2', 'once 3', 'error: code_interpreter may not be called here; allowed: twice, once'],
    );
    // A value that JSON has not is the caller's all the same.
    const ring: { self?: object } = {};
    ring.self = ring;
    const odd = (value: unknown) =>
      defineTool({ name: 'odd', description: '', parameters: z.object({}), run: () => ({ text: 'made', value }) });
    for (const value of [ring, 1n, () => 1]) {
      const asked = new OmniAgentModel(scripted([call('odd', {}), 'x']), { tools: [odd(value)] });
      const reply = await asked.chat({ text: 'x' });
      assert.equal(reply.toolCalls[0].value, value);
      const { toolCalls } = JSON.parse(JSON.stringify(reply)) as { toolCalls: object[] };
      assert.deepEqual(['result' in toolCalls[0], 'value' in toolCalls[0]], [true, false]);
    }
    assert.throws(() => new OmniAgentModel(model, { tools: [tool('a'), tool('a')] }), ArgumentError);
    assert.throws(() => new OmniAgentModel(model, { search: 'nowhere' }), ArgumentError);
    const own = new OmniAgentModel(scripted([call('web_search', { n: 1 }), 'x']), { tools: [tool('web_search')] });
    assert.equal((await own.chat({ text: 'x' })).toolCalls[0].result, 'web_search 2');
  });

  it('streams, and saves what was made', async () => {
    const pieces: string[] = [];
    const agent = new OmniAgentModel(scripted([`Here they are.${IMG}${IMG}${AUD}${VID}`, 'Nothing.']));
    const reply = await agent.chat({ text: 'x', onToken: (piece) => pieces.push(piece) });
    assert.ok(pieces.length > 10);
    assert.equal(pieces.join(''), `Here they are.${IMG}${IMG}${AUD}${VID}`);
    await reply.saveImage(file('out/a.png'), 1);
    const [saved, made] = [await readImage(file('out/a.png')), reply.images[1]];
    assert.deepEqual([saved.width, saved.height], [made.width, made.height]);
    assert.ok(saved.data.every((x, i) => Math.abs(x - made.data[i]) <= 0.5 / 255 + 1e-6));
    await reply.saveAudio(file('out/a.wav'));
    assert.equal((await readAudio(file('out/a.wav'))).samples.length, reply.audios[0].samples.length);
    await reply.saveVideo(file('out/a.gif'));
    assert.equal((await readClip(file('out/a.gif'))).frames, reply.videos[0].frames);
    assert.deepEqual(
      (await reply.saveAll(file('all'), '1-')).map((f) => path.basename(f)),
      ['1-image-1.png', '1-image-2.png', '1-audio-1.wav', '1-video-1.gif'],
    );
    assert.equal(fs.readdirSync(file('all')).length, 4);
    await assert.rejects(reply.saveImage(file('b.png'), 2), /expected an index from 0 to 1, got 2/);
    await assert.rejects(reply.saveImage(file('b.jpg')), /ends in \.png, got "b\.jpg"\nhelp: /);
    const json = JSON.parse(JSON.stringify(reply)) as { text: string; media: { modality: string; width?: number }[] };
    assert.equal(json.text, 'Here they are.');
    assert.deepEqual(json.media[0], { modality: 'image', width: made.width, height: made.height });
    const none = await agent.chat({ text: 'y' });
    for (const save of ['saveImage', 'saveAudio', 'saveVideo'] as const)
      await assert.rejects(
        none[save](file('c.png')),
        (e: OmniError) =>
          e instanceof ArgumentError &&
          e.where === `reply.${save}` &&
          /text only/.test(e.what) &&
          /ask for/.test(e.help),
      );
    assert.ok(!fs.existsSync(file('c.png')));
  });
});

describe('agent: checkpoints', function () {
  let dir = '';
  before(async () => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'omnilab-checkpoint-'));
    const tokenizer = trainTokenizer(['what is this here', 'make a picture of a red circle'], {
      vocabSize: 320,
      addedTokens: ADDED_TOKENS,
    });
    const rng = new Random(4);
    const config = { ...llamaSizes.nano, vocabSize: tokenizer.vocabSize };
    const encoder = imageBindSizes.smoke;
    const small = { width: 16, heads: 2, hidden: 32 };
    const inputProjector = {
      ...small,
      inWidth: encoder.vision.width,
      modalities: 3,
      layers: 1,
      slots: 4,
      outWidth: config.width,
    };
    const outputProjectors = Object.fromEntries(
      MODALITIES.map((m) => [
        m,
        {
          ...small,
          inWidth: config.width,
          tokens: SIGNALS[m].tokens.length,
          encoderLayers: 1,
          decoderLayers: 1,
          queries: 8,
          outWidth: 8,
        },
      ]),
    ) as Record<Modality, Parameters<typeof outputProjectorsInit>[1]['image']>;
    const encoderDir = path.join(dir, 'frozen');
    await saveEncoder(encoderDir, { config: encoder, params: imageBindInit(rng, encoder), tokenizer });
    await saveOmniAgent(
      path.join(dir, 'checkpoint'),
      {
        config: {
          model_type: 'omniagent',
          stage: 'stage3_sft',
          inputProjector,
          outputProjectors,
          encyclopaedia: { seed: 3, places: 12 },
        },
        llama: { config, base: llamaInit(rng, config) },
        inputProjector: inputProjectorInit(rng, inputProjector),
        outputProjectors: outputProjectorsInit(rng, outputProjectors),
        tokenizer,
      },
      { encoder: encoderDir, decoders: { image: tinyPipeline } },
    );
  });
  after(async () => {
    releaseMediaPrograms();
    await closeDevices();
    fs.rmSync(dir, { recursive: true });
  });

  it('are loaded from a folder, with all that is in it', async () => {
    const agent = await OmniAgentModel.fromPretrained(path.join(dir, 'checkpoint'), { decoderSteps: 2 });
    const sound = renderAudio(scene, { sampleRate: 11025 });
    const ask = async (onToken?: (piece: string) => void) => {
      agent.reset();
      return agent.chat({
        text: 'what is this',
        // Another size and another rate than the encoder's.
        media: [
          { modality: 'image', picture: renderImage(scene, { size: 48 }) },
          { modality: 'audio', sound },
        ],
        maxNewTokens: 8,
        maxTurns: 1,
        temperature: 1,
        seed: 2,
        onToken,
      });
    };
    const pieces: string[] = [];
    const [a, b] = [await ask((piece) => pieces.push(piece)), await ask()];
    assert.deepEqual(a.toJSON(), b.toJSON());
    assert.equal(a.messages.at(-1)!.content, pieces.join(''));
    assert.ok(pieces.length > 0);
    assert.match(a.warnings.join(), /limit on new tokens/);
    const embeds = tensor(new Random(1).normals(64), { shape: [1, 8, 8] });
    const steps: number[] = [];
    const medium = await agent.model.decode('image', embeds, { seed: 1, onStep: (done) => steps.push(done) });
    assert.equal(medium.modality, 'image');
    assert.deepEqual(steps, [1, 2]);
    await assert.rejects(agent.model.decode('audio', embeds, { seed: 1 }), /without\nhelp: decoders are in/);
    const words = agent.model.room!([{ role: 'user', content: 'what is this' }]);
    assert.ok(words < llamaSizes.nano.maxLength && words > 0);
    // Longer than the context: refused with the reason, and the conversation stays.
    const before = agent.conversation();
    await assert.rejects(
      agent.chat({ text: 'what is this '.repeat(2000) }),
      (e: OmniError) => e instanceof ArgumentError,
    );
    assert.equal(agent.conversation(), before);
  });

  it('are loaded with weights of 4 bits', async () => {
    const folder = path.join(dir, 'checkpoint');
    const { llama } = await loadOmniModel(folder, { loadIn4bit: true });
    const { params } = (await loadOmniModel(folder)).llama;
    const bytes = (p: unknown): number =>
      tensorsOf(p).reduce((n, { tensor: t }) => n + t.size * BYTES_PER_ELEMENT[t.dtype], 0);
    assert.ok(bytes(params.model.layers) > 7 * bytes(llama.params.model.layers));
    assert.equal(bytes(params.model.embed_tokens), bytes(llama.params.model.embed_tokens));
    const agent = await OmniAgentModel.fromPretrained(folder, { loadIn4bit: true });
    const { messages } = await agent.chat({ text: 'what is this', maxNewTokens: 4, maxTurns: 1 });
    assert.equal(messages.at(-1)!.role, 'assistant');
  });

  it('are found by names that a resolver knows', async () => {
    const before = setCheckpointResolver(undefined);
    try {
      await assert.rejects(
        OmniAgentModel.fromPretrained('omniagent/none'),
        (e: OmniError) => e instanceof ArgumentError && /got "omniagent\/none"\nhelp: /.test(e.message),
      );
      const asked: unknown[] = [];
      setCheckpointResolver((name, { profile, seed }) => {
        asked.push([name, profile, seed]);
        return Promise.resolve(name === 'some/experiment' ? path.join(dir, 'checkpoint') : null);
      });
      const agent = await OmniAgentModel.fromPretrained('some/experiment', { profile: 'smoke', seed: 4 });
      assert.ok(agent.tools.has('web_search'));
      assert.deepEqual(asked, [['some/experiment', 'smoke', 4]]);
      await assert.rejects(OmniAgentModel.fromPretrained('other'), /or the name of an experiment, got "other"/);
      await assert.rejects(OmniAgentModel.fromPretrained(path.join(dir, 'frozen')), FormatError);
      await assert.rejects(
        OmniAgentModel.fromPretrained('some/experiment', { dtype: 'float16' as never }),
        /expected dtype float32, got float16\nhelp: /,
      );
    } finally {
      setCheckpointResolver(before);
    }
  });
});
