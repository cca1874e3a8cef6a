/** The command line: help, mistakes, exit statuses, and what programs read. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import '../pipeline/fixtures/toy';
import { FormatError } from '../../lib/errors';
import { atLeast, examine } from '../../lib/cli/checks';
import type { Check } from '../../lib/cli/checks';
import { doctor } from '../../lib/cli/doctor';
import { main } from '../../lib/cli/program';
import { parseSettings } from '../../lib/cli/run';
import { setDefaultProgress } from '../../lib/pipeline';
import { report, UsageError } from '../../lib/cli/status';

const MAIN = path.resolve(__dirname, '../../lib/cli/main.js');

describe('cli', () => {
  const saved = { ...process.env };
  let root = '';
  let out = '';
  let err = '';
  const terminal = { out: (t: string) => void (out += t), err: (t: string) => void (err += t) };
  const omnilab = (...args: string[]) => {
    out = err = '';
    return main(args, terminal);
  };
  beforeEach(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), 'omnilab-cli-'));
    process.env.OMNILAB_RUNS = root;
    process.env.OMNILAB_PROFILE = 'smoke';
    delete process.env.OMNILAB_DEBUG;
    setDefaultProgress(() => undefined);
  });
  afterEach(() => {
    process.env = { ...saved };
    fs.rmSync(root, { recursive: true });
  });

  it('answers --help and --version of every command with 0', async () => {
    const commands = ['doctor', 'reproduce', 'run', 'kernel', 'kernel install', 'notebook', 'data', 'bench', 'chat'];
    for (const command of ['', ...commands]) {
      assert.equal(await omnilab(...command.split(' ').filter(Boolean), '--help'), 0, command);
      assert.match(out, new RegExp(`Usage: omnilab ${command}`));
    }
    assert.equal(await omnilab('--version'), 0);
    assert.match(out, /^\d+\.\d+\.\d+\n$/);
  });

  it('answers mistakes with 2 and a message without a trace', async () => {
    const mistakes: [string[], RegExp][] = [
      [['nothing'], /unknown command 'nothing'/],
      [['reproduce', '--profil', 'smoke'], /unknown option '--profil'/],
      [['reproduce', '--profile', 'huge'], /smoke, laptop, gpu, paper/],
      [['reproduce', '--seeds', '0'], /whole number of 1 or more/],
      [['reproduce', '--jobs', '0'], /whole number of 1 or more/],
      [['reproduce', '--only', 'no/such'], /no notebook or experiment "no\/such"/],
      [['run', 'toy/fitt'], /no experiment "toy\/fitt"\nhelp: the closest names are toy\/fit/],
      [['run', 'toy/fit', '--set', 'rate=fast'], /configuration of toy\/fit: rate: /],
      [['run', 'toy/fit', '--set', 'rate'], /expected key=value/],
      [['run', 'toy/fit', '--device', 'gpu'], /--device: expected cpu, .* got "gpu"\nhelp: /],
      [['reproduce', '--device', 'cuda'], /--device: .* got "cuda"/],
      [['run', 'toy/fit', '--seed', '-1'], /whole number of 0 or more/],
      [['run', 'toy/fit', '--seed', '1', '--seeds', '2'], /give one of them/],
      [['kernel', 'remove'], /unknown command 'remove'/],
      [['data', 'nothing'], /no data script "nothing"/],
    ];
    for (const [args, message] of mistakes) {
      assert.equal(await omnilab(...args), 2, args.join(' '));
      assert.match(err, message);
      assert.doesNotMatch(err, /\n\s+at /);
      assert.equal(out, '');
    }
  });

  it('runs an experiment, for people and for programs', async () => {
    assert.equal(await omnilab('run', 'toy/fit', '--set', 'steps=5', '--seeds', '2'), 0);
    assert.match(out, /toy\/fit, seed 1: made, .*\n {2}slope: /);
    assert.equal(await omnilab('run', 'toy/fit', '--set', 'steps=5', '--json'), 0);
    const [run] = JSON.parse(out) as { reused: boolean; config: { steps: number }; status: string }[];
    assert.deepEqual([run.reused, run.config.steps, run.status], [true, 5, 'done']);
    assert.equal(await omnilab('run', '--json'), 0);
    assert.ok((JSON.parse(out) as string[]).includes('toy/fit'));
  });

  it('answers a failure with 1, and shows the trace only when asked', async () => {
    process.env.TOY_FAIL_AT = '3';
    assert.equal(await omnilab('run', 'toy/fit'), 1);
    assert.match(err, /step 3 went wrong\nhelp: .*OMNILAB_DEBUG=1/);
    assert.doesNotMatch(err, /\n\s+at /);
    process.env.OMNILAB_DEBUG = '1';
    assert.equal(await omnilab('run', 'toy/fit'), 1);
    assert.match(err, /\n\s+at /);
    delete process.env.OMNILAB_DEBUG;
    err = '';
    assert.equal(report(new FormatError('a.json', 'damaged', 'delete it'), terminal.err), 1);
    assert.equal(err, 'a.json: damaged\nhelp: delete it\n');
  });

  it('reads --set', () => {
    const read = JSON.parse(JSON.stringify(parseSettings(['a.b=1', 'a.c=[1,2]', 'd=word', 'e="2"']))) as unknown;
    assert.deepEqual(read, { a: { b: 1, c: [1, 2] }, d: 'word', e: '2' });
    assert.throws(() => parseSettings(['=1']), UsageError);
    parseSettings(['__proto__.polluted=1']);
    assert.equal(({} as { polluted?: number }).polluted, undefined);
  });

  it('stops at Ctrl-C with 130, and goes on', async () => {
    const script = `require(${JSON.stringify(path.join(__dirname, '../pipeline/fixtures/toy.js'))});
      require(${JSON.stringify(path.join(path.dirname(MAIN), 'program.js'))}).main(process.argv.slice(1)).then(s => process.exitCode = s)`;
    const child = spawn(process.execPath, ['-e', script, 'run', 'toy/fit'], {
      env: { ...process.env, TOY_DELAY_MS: '10' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (chunk) => (errors += String(chunk)));
    const log = () =>
      (fs.readdirSync(root, { recursive: true }) as string[]).find((f) => /fit.*metrics\.jsonl$/.test(f));
    while (!log() || fs.statSync(path.join(root, log()!)).size < 1000) {
      assert.equal(child.exitCode, null, errors);
      await new Promise((r) => setTimeout(r, 5));
    }
    child.kill('SIGINT');
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(code, 130, errors);
    assert.match(errors, /stopping after this step/);
    assert.match(errors, /cancelled/);
    assert.equal(await omnilab('run', 'toy/fit', '--json'), 0);
    assert.equal((JSON.parse(out) as { resumes: number }[])[0].resumes, 1);
  });

  it('is a program with a shebang', () => {
    assert.match(fs.readFileSync(MAIN, 'utf8'), /^#!\/usr\/bin\/env node\n/);
    const { status, stderr } = spawnSync(process.execPath, [MAIN, 'run', 'x'], { encoding: 'utf8' });
    assert.equal(status, 2);
    assert.match(stderr, /no experiment "x"/);
  });

  it('doctor: prints what it found as JSON, for this machine', async function () {
    const status = await omnilab('doctor', '--json');
    const { healthy, findings } = JSON.parse(out) as { healthy: boolean; findings: Record<string, string>[] };
    assert.equal(status, healthy ? 0 : 1);
    for (const name of [
      'Node',
      'onnxruntime-node',
      'device cpu',
      'device webgpu',
      'device cuda:0',
      'tslab',
      'zeromq',
      'memory',
      'disk',
    ])
      assert.ok(
        findings.some((f) => f.name === name),
        name,
      );
    for (const f of findings) assert.ok(f.found && (f.status === 'ok' || f.advice), JSON.stringify(f));
    const found = (name: string) => findings.find((f) => f.name === name)!;
    assert.match(found('onnxruntime-node').found, /^\d+\.\d+\.\d+, with .*cpu/);
    assert.match(found('device cpu').found, /works/);
  });

  it('doctor: fails only for what is needed', async () => {
    const fine: Check = { name: 'a', needed: true, look: () => 'there', advice: '' };
    const extra: Check = { name: 'b', needed: false, look: () => ({ bad: 'gone' }), advice: 'fetch it' };
    const broken: Check = {
      ...fine,
      name: 'c',
      look: () => Promise.reject(new Error('no\nlibrary')),
      advice: 'mend it',
    };
    assert.equal(await doctor({}, terminal, [fine, extra]), 0);
    assert.match(out, /missing {2}b: gone\n +-> fetch it/);
    assert.equal(await doctor({}, terminal, [fine, extra, broken]), 1);
    assert.deepEqual(await examine(broken), { name: 'c', status: 'problem', found: 'no', advice: 'mend it' });
    assert.deepEqual(
      [
        atLeast('20.19.0', '20.19'),
        atLeast('22.1.0', '20.19'),
        atLeast('20.9.1', '20.19'),
        atLeast('18.20.0', '20.19'),
      ],
      [true, true, false, false],
    );
  });
});
