/** `omnilab chat`, with a scripted model: one request, programs, conversations, mistakes, Ctrl-C. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { OmniAgentModel } from '../../lib/agent';
import { chatCommand } from '../../lib/cli/chat';
import type { ChatCommandOptions } from '../../lib/cli/chat';
import { main } from '../../lib/cli/program';
import { report } from '../../lib/cli/status';
import { writePng } from '../../lib/io';
import { Random } from '../../lib/nn';
import { drawScene, renderImage } from '../../lib/world';
import { block, scripted } from '../agent/scripted';
import type { Line } from '../agent/scripted';

const [IMG, AUD] = [block('image'), block('audio')];

describe('cli: chat', function () {
  let dir = '';
  let out = '';
  let err = '';
  const terminal = { out: (t: string) => void (out += t), err: (t: string) => void (err += t) };
  const saved = { ...process.env };
  beforeEach(() => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'omnilab-chat-'));
    process.env.OMNILAB_RUNS = path.join(dir, 'runs');
  });
  afterEach(() => {
    process.env = { ...saved };
    fs.rmSync(dir, { recursive: true });
  });

  const run = async (
    lines: Line[],
    options: Partial<ChatCommandOptions>,
    typed: string[] = [],
    words: string[] = [],
  ) => {
    out = err = '';
    const model = scripted(lines);
    const load = () => Promise.resolve(new OmniAgentModel(model, { sandbox: { timeoutMs: 20_000 } }));
    const all = { model: 'x', profile: 'smoke', device: 'cpu', ...options };
    const input = Readable.from(typed.map((line) => line + '\n'));
    const status = await chatCommand(words, all, terminal, { load, input }).catch((e: unknown) =>
      report(e, terminal.err),
    );
    return { status, model };
  };

  it('answers one request, action by action', async () => {
    const { status } = await run(
      [
        '<THINK>A program.<PLAN>1. Compute it. 2. Draw it.<TOOL_CALL>{"name":"code_interpreter","arguments":{"code":"6*7"}}',
        `<ACT>It is 42.${IMG}`,
      ],
      { text: 'What is it?', out: path.join(dir, 'media'), seed: 3 },
    );
    assert.equal(status, 0);
    assert.equal(
      out,
      'thinks: A program.\nplans: 1. Compute it. 2. Draw it.\n' +
        'calls: {"name":"code_interpreter","arguments":{"code":"6*7"}}\n-> 42\nIt is 42.\n' +
        `wrote ${path.join(dir, 'media', 'image-1.png')}\n`,
    );
    assert.equal(err, '');
    assert.deepEqual(fs.readdirSync(path.join(dir, 'media')), ['image-1.png']);
    await run([`Done.${AUD}`], {}, [], ['make', 'a', 'sound']);
    assert.match(out, /^Done\.\nmade: audio \(not written/);
  });

  it('prints one JSON object for programs', async () => {
    const chart = JSON.stringify({ name: 'chart', arguments: { kind: 'bar', x: ['a'], y: [1] } });
    await run([`<TOOL_CALL>${chart}`, `Here.${IMG}<AUD0>`], { text: 'x', json: true, out: dir });
    const reply = JSON.parse(out) as Record<string, unknown> & { toolCalls: { ok: boolean }[]; files: string[] };
    assert.deepEqual([reply.text, reply.incomplete, reply.plan], ['Here.', ['audio'], null]);
    assert.ok(reply.toolCalls[0].ok);
    assert.deepEqual(reply.files.map((f) => path.basename(f)).sort(), [
      'chart-1.json',
      'chart-1.png',
      'chart-1.svg',
      'image-1.png',
    ]);
    for (const file of reply.files) assert.ok(fs.statSync(file).size > 0);
    assert.equal(err, '');
  });

  it('says what went wrong on the way, and still answers', async () => {
    await run(['<PLAN>1. Draw it. 2. Play it.<ACT>Here.<IMG0>' + AUD], { text: 'x' });
    assert.match(out, /plans: .*\nHere\.\n/);
    assert.match(err, /step 1 \(Draw it\.\) failed: nothing in the answer carries it out\n/);
    assert.match(err, /warning: no image was made: its block of signal tokens is incomplete \(1 of 5\)\n/);
  });

  it('prints nothing that a terminal would obey', async () => {
    await run(
      [
        '<TOOL_CALL>{"name":"code_interpreter","arguments":{"code":"\\"\\\\u001b[2Jx\\""}}',
        'constructor \x1b]0;title\x07 done\ttab',
      ],
      { text: 'x' },
    );
    assert.match(out, /-> \[2Jx\nconstructor \]0;title done\ttab\n$/);
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(out, /[\x1b\x07]/);
  });

  it('answers mistakes with a message and a status', async () => {
    const broken = path.join(dir, 'broken.png');
    await writePng(broken, renderImage(drawScene(new Random(1))));
    fs.truncateSync(broken, 80);
    const cases: [Partial<ChatCommandOptions>, string[], number, RegExp][] = [
      [{ image: broken }, [], 1, /broken\.png: .*\nhelp: /],
      [{ image: path.join(dir, 'none.png') }, [], 1, /no such file\nhelp: check the path/],
      [{ audio: broken }, [], 1, /expected a WAV sound, got PNG\nhelp: /],
      [{ text: 'x', tools: 'teleport' }, [], 2, /no tool is named "teleport"\nhelp: there are web_search, /],
      [{ text: 'x' }, ['y'], 2, /given twice/],
      [{ text: ' ' }, [], 2, /expected a text or a medium/],
      [{ text: 'é'.repeat(4001) }, [], 2, /at most 8000 bytes on the command line, got 8002\nhelp: .*standard input/],
    ];
    for (const [options, words, status, message] of cases) {
      const result = await run(['never'], options, [], words);
      assert.equal(result.status, status, err);
      assert.match(err, message);
      assert.doesNotMatch(err, /\n\s+at /);
      assert.equal(out, '');
      assert.equal(result.model.asked.length, 0);
    }
    // Before a model is loaded for nothing.
    const inTheWay = path.join(dir, 'file');
    fs.writeFileSync(inTheWay, '');
    for (const bad of [inTheWay, path.join(inTheWay, 'deeper')]) {
      const blocked = await run([IMG], { text: 'x', out: bad });
      assert.deepEqual([blocked.status, blocked.model.asked.length], [2, 0]);
      assert.match(err, /^--out: expected a folder to write into, got a file in its place \(.*\)\nhelp: /);
    }
    const failing = await run([new Error('the device went away')], { text: 'x' });
    assert.equal(failing.status, 1);
    const allowed = await run(['<TOOL_CALL>{"name":"chart","arguments":{}}', 'x'], { text: 'x', tools: 'none' });
    assert.equal(allowed.status, 0);
    assert.match(out, /-> error: chart may not be called here; allowed: none/);
  });

  it('asks for a model that is there', async () => {
    const omnilab = async (...args: string[]) => {
      out = err = '';
      return main(['chat', 'hello', '--profile', 'smoke', ...args], terminal);
    };
    assert.equal(await omnilab('--model', 'omniagent/stage9'), 2);
    assert.match(err, /no experiment "omniagent\/stage9"\nhelp: /);
    assert.equal(await omnilab('--model', 'omniagent/stage0_backbone'), 1);
    assert.match(
      err,
      /has not been made yet\nhelp: make it: omnilab run omniagent\/stage0_backbone --profile smoke --seed 0/,
    );
    assert.equal(await omnilab('--model', dir), 1);
    assert.match(err, /omniagent\.json: expected a JSON file/);
    assert.equal(await omnilab('--temperature', '-1'), 2);
    assert.equal(await omnilab('--device', 'gpu'), 2);
    assert.equal(await omnilab('--search', 'nowhere', '--model', dir), 2);
    assert.equal(out, '');
  });

  it('talks: requests, files, commands, and mistakes that end nothing', async () => {
    const picture = path.join(dir, 'a.png');
    await writePng(picture, renderImage(drawScene(new Random(1))));
    const { status, model } = await run(['One.', `Two.${IMG}`, new Error('gone wrong'), 'Three.', 'Four.'], {}, [
      'hello',
      '',
      '/image ' + path.join(dir, 'none.png'),
      `/image ${picture}`,
      'what is this',
      `/save ${dir}`,
      '/seed 7',
      '/seed x',
      '/fly',
      '/help',
      'fails',
      'again',
      '/reset',
      'anew',
      '/save',
      '/quit',
      'never asked',
    ]);
    assert.equal(status, 0);
    assert.equal(model.asked.length, 5);
    assert.deepEqual(
      model.asked[1].messages.map((m) => m.content),
      ['hello', 'One.', '<|image|><|media_end|>what is this'],
    );
    // What failed left no trace, and the picture was of one request only.
    assert.deepEqual(model.asked[3].messages.map((m) => m.content).slice(4), ['again']);
    assert.deepEqual(
      model.asked[4].messages.map((m) => m.content),
      ['anew'],
    );
    assert.notEqual(model.asked[3].options.seed, model.asked[1].options.seed);
    assert.ok(fs.existsSync(path.join(dir, '2-image-1.png')));
    for (const pattern of [
      /no such file/,
      /with the next request: image\n/,
      /expected a whole number/,
      /no command \/fly/,
      /gone wrong/,
      /a new conversation/,
      /the last answer made no media/,
    ])
      assert.match(err, pattern);
    assert.match(out, /^One\.\nTwo\.\nmade: image .*\nwrote .*2-image-1\.png\n\/image FILE/);
    assert.match(out, /Three\.\nFour\.\n$/);
    const json = await run(['One.', `Two.${IMG}`], { json: true, out: dir }, ['a', 'b']);
    assert.equal(json.status, 0);
    const replies = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { text: string; files: string[] });
    assert.deepEqual(
      replies.map((r) => [r.text, r.files.length]),
      [
        ['One.', 0],
        ['Two.', 1],
      ],
    );
  });

  it('ends without a trace when nobody reads any more', async () => {
    const script = path.resolve(__dirname, '../../lib/cli/main.js');
    const child = spawn(process.execPath, [script, '--help'], { stdio: 'pipe' });
    let told = '';
    child.stdout.destroy();
    child.stderr.on('data', (chunk) => (told += String(chunk)));
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.deepEqual([code, told], [1, '']);
  });

  it('stops an answer at Ctrl-C and goes on with the conversation', async () => {
    const script = `
      const { OmniAgentModel } = require(${JSON.stringify(path.resolve(__dirname, '../../lib/agent'))});
      const { chatCommand } = require(${JSON.stringify(path.resolve(__dirname, '../../lib/cli/chat'))});
      const { standardTerminal } = require(${JSON.stringify(path.resolve(__dirname, '../../lib/cli/terminal'))});
      const { scripted } = require(${JSON.stringify(path.resolve(__dirname, '../agent/scripted'))});
      const model = scripted(['word '.repeat(1000), 'Short.'], { delayMs: 5 });
      chatCommand([], { model: 'x', profile: 'smoke', device: 'cpu' }, standardTerminal,
        { load: async () => new OmniAgentModel(model) }).then((status) => (process.exitCode = status));`;
    const child = spawn(process.execPath, ['-e', script], { stdio: 'pipe' });
    let [said, told] = ['', ''];
    child.stdout.on('data', (chunk) => (said += String(chunk)));
    child.stderr.on('data', (chunk) => (told += String(chunk)));
    const until = async (test: () => boolean) => {
      while (!test()) {
        assert.equal(child.exitCode, null, told);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    child.stdin.write('go\n');
    await until(() => said.includes('word word'));
    child.kill('SIGINT');
    await until(() => told.includes('stopped'));
    child.stdin.write('and now\n');
    await until(() => said.includes('Short.'));
    // Where nothing is being answered it ends the conversation.
    child.kill('SIGINT');
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(code, 130, told);
    assert.ok(said.split('word').length < 900);
  });
});
