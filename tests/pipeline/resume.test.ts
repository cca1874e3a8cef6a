/** Runs that are killed, torn, damaged or shared: each ends equal to the straight run. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import './fixtures/toy';
import { CancelledError, FormatError, OmniError } from '../../lib/errors';
import { CheckpointFolder } from '../../lib/pipeline/checkpoint';
import { explained } from '../../lib/pipeline/disk';
import { lockFolder, lockHolders } from '../../lib/pipeline/lock';
import { plan, run } from '../../lib/pipeline';
import { readManifest, runDir } from '../../lib/pipeline/store';

const CHILD = path.join(__dirname, 'fixtures/child.js');

describe('pipeline: resume', () => {
  let root = '';
  const saved = { ...process.env };
  let straight: Record<string, Buffer>;
  let messages: string[] = [];
  const onProgress = (event: { kind: string; text?: string }) => void (event.text && messages.push(event.text));

  /** The files of the result of toy/fit in the present folder of runs. */
  const dirOfFit = () => runDir(plan('toy/fit', 'smoke', 0));
  const files = (): Record<string, Buffer> => ({
    log: fs.readFileSync(path.join(dirOfFit(), 'metrics.jsonl')),
    model: fs.readFileSync(path.join(dirOfFit(), 'model.safetensors')),
  });
  const fit = (options = {}) => run('toy/fit', { profile: 'smoke', onProgress, ...options });
  const child = (env: Record<string, string> = {}) => {
    const process_ = spawn(process.execPath, [CHILD, 'toy/fit', '{"profile":"smoke"}'], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    process_.stdout.on('data', (chunk) => (output += String(chunk)));
    const ended = new Promise<{ code: number | null; output: string }>((resolve) =>
      process_.on('close', (code) => resolve({ code, output })),
    );
    return { process: process_, ended };
  };
  const lines = () => {
    const file = path.join(dirOfFit(), 'metrics.jsonl');
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').length - 1 : 0;
  };
  const checkpoints = () => fs.readdirSync(path.join(dirOfFit(), 'checkpoints')).sort();
  /** Runs until the step and stops with an error, as a failing experiment does. */
  const failAt = async (step: number) => {
    process.env.TOY_FAIL_AT = String(step);
    await assert.rejects(fit(), /went wrong/);
    delete process.env.TOY_FAIL_AT;
  };
  const flip = (file: string, at = 3) => {
    const bytes = fs.readFileSync(file);
    bytes[bytes.length - at] ^= 1;
    fs.writeFileSync(file, bytes);
  };

  before(async () => {
    process.env.OMNILAB_RUNS = fs.mkdtempSync(path.join(os.tmpdir(), 'omnilab-straight-'));
    await fit();
    straight = files();
    fs.rmSync(process.env.OMNILAB_RUNS, { recursive: true });
    assert.equal(straight.log.toString().split('\n').length, 61);
  });
  beforeEach(() => {
    messages = [];
    root = fs.mkdtempSync(path.join(os.tmpdir(), 'omnilab-runs-'));
    process.env.OMNILAB_RUNS = root;
  });
  afterEach(() => {
    process.env = { ...saved };
    fs.rmSync(root, { recursive: true, force: true });
  });

  it('survives SIGKILL at random moments, again and again', async () => {
    for (const round of [1, 2, 3]) {
      const moments: number[] = [];
      for (let kills = 0; kills < 3; kills++) {
        const { process: worker, ended } = child({ TOY_DELAY_MS: '4' });
        // The last of the three comes after the first checkpoint, so that there is one to go on from.
        const target = Math.max(lines() + 1 + Math.floor(Math.random() * 18), kills === 2 ? 12 : 0);
        while (lines() < target && worker.exitCode === null) await sleep(2);
        moments.push(lines());
        worker.kill('SIGKILL');
        await ended;
      }
      assert.equal((await readManifest(dirOfFit()))?.status, 'running');
      const { code, output } = await child().ended;
      assert.equal(code, 0, output);
      assert.match(output, /going on from step \d+/);
      assert.deepEqual(files(), straight, `round ${round}, killed at lines ${moments.join()}`);
      assert.equal(lockHolders(dirOfFit()).length, 0);
      fs.rmSync(dirOfFit(), { recursive: true });
    }
  });

  it('cuts a torn last line off the log, and steps after the checkpoint', async () => {
    await failAt(37);
    fs.appendFileSync(path.join(dirOfFit(), 'metrics.jsonl'), '{"step":37,"lo');
    const temporary = path.join(dirOfFit(), '.model.safetensors.tmp-1-00000000');
    fs.writeFileSync(temporary, 'half a model');
    await fit();
    assert.deepEqual(files(), straight);
    assert.ok(messages.includes('going on from step 30'), messages.join());
    assert.ok(!fs.existsSync(temporary));
  });

  it('keeps two checkpoints at work, and falls back to the older one when the newer is damaged', async () => {
    await failAt(45);
    assert.deepEqual(checkpoints(), ['step-0000000030', 'step-0000000040']);
    flip(path.join(dirOfFit(), 'checkpoints/step-0000000040/tensors.safetensors'));
    await fit();
    assert.match(messages.join('\n'), /step-0000000040 is damaged \(tensors.safetensors has changed/);
    assert.ok(messages.includes('going on from step 30'));
    assert.deepEqual(files(), straight);
  });

  it('starts over when no checkpoint is whole', async () => {
    await failAt(45);
    flip(path.join(dirOfFit(), 'checkpoints/step-0000000040/state.json'));
    fs.rmSync(path.join(dirOfFit(), 'checkpoints/step-0000000030/checkpoint.json'));
    // A write that was interrupted: never renamed, so never a checkpoint.
    fs.mkdirSync(path.join(dirOfFit(), 'checkpoints/.step-0000000050.tmp-1-00000000'));
    await fit();
    assert.ok(!messages.some((m) => m.includes('going on')));
    assert.deepEqual(files(), straight);
    assert.deepEqual(checkpoints(), ['step-0000000060']);
  });

  it('takes no checkpoint for damaged that cannot be read just now', async () => {
    await failAt(45);
    const before = checkpoints();
    const busy = Object.assign(new Error('EMFILE: too many open files, open'), { code: 'EMFILE' });
    const folder = new CheckpointFolder(path.join(dirOfFit(), 'checkpoints'), (text) => messages.push(text));
    const latest = folder.latest(() => {
      throw busy;
    });
    await assert.rejects(latest, /EMFILE/);
    assert.deepEqual([checkpoints(), messages.filter((m) => m.includes('damaged'))], [before, []]);
    // The folder itself, too: what cannot be listed is not empty.
    const file = path.join(dirOfFit(), 'metrics.jsonl');
    await assert.rejects(new CheckpointFolder(file, () => undefined).latest(), /ENOTDIR/);
    await fit();
    assert.deepEqual(files(), straight);
  });

  it('notices a damaged or shortened log', async () => {
    await failAt(45);
    const log = path.join(dirOfFit(), 'metrics.jsonl');
    flip(log, fs.statSync(log).size - 20);
    await fit();
    assert.ok(messages.some((m) => m.includes('metrics.jsonl has changed')));
    assert.deepEqual(files(), straight);
  });

  it('makes damaged or missing files of a finished run again, and says so', async () => {
    const first = await fit();
    assert.equal((await fit()).reused, true);
    flip(first.file('model.safetensors'));
    assert.equal((await fit()).reused, false);
    assert.match(messages.join('\n'), /model.safetensors is missing or damaged; making it again/);
    assert.ok(messages.includes('going on from step 60'));
    assert.deepEqual(files(), straight);
    fs.rmSync(first.file('model.safetensors'));
    fs.rmSync(first.file('metrics.jsonl'));
    await fit();
    assert.deepEqual(files(), straight);
  });

  it('takes a damaged manifest as interrupted', async () => {
    const { dir } = await fit();
    const manifest = path.join(dir, 'manifest.json');
    fs.writeFileSync(manifest, fs.readFileSync(manifest, 'utf8').replace('"seed": 0', '"seed": "0"'));
    await assert.rejects(
      readManifest(dir),
      (e) => e instanceof FormatError && /manifest\.json: seed: /.test(e.message),
    );
    await fit();
    assert.match(messages.join('\n'), /manifest\.json: seed: .*taken as interrupted/);
    fs.writeFileSync(manifest, '{"form');
    await fit();
    assert.equal((await readManifest(dir))?.status, 'done');
    assert.deepEqual(files(), straight);
  });

  it('marks a failed run with the error, and goes on the next time', async () => {
    await failAt(25);
    const manifest = (await readManifest(dirOfFit()))!;
    assert.equal(manifest.status, 'failed');
    assert.match(manifest.error!, /step 25 went wrong/);
    await fit();
    const after = (await readManifest(dirOfFit()))!;
    assert.deepEqual([after.status, after.error, after.resumes], ['done', null, 1]);
    assert.ok(after.wallSeconds > manifest.wallSeconds);
    assert.equal(after.started, manifest.started);
    assert.deepEqual(files(), straight);
  });

  it('stops between two steps when cancelled, and goes on', async () => {
    const stop = new AbortController();
    const cancelled = fit({
      signal: stop.signal,
      onProgress: (e: { done?: number }) => void (e.done === 33 && stop.abort()),
    });
    await assert.rejects(cancelled, CancelledError);
    assert.equal((await readManifest(dirOfFit()))?.status, 'cancelled');
    assert.equal(lines(), 33);
    await fit();
    assert.deepEqual(files(), straight);
  });

  it('is made once by processes that want it at the same time', async () => {
    const ended = await Promise.all([1, 2, 3].map(() => child({ TOY_DELAY_MS: '5' }).ended));
    assert.deepEqual(
      ended.map((e) => e.code),
      [0, 0, 0],
    );
    const made = ended.filter((e) => e.output.includes('"reused":false'));
    assert.equal(made.length, 1, ended.map((e) => e.output).join('---\n'));
    for (const other of ended) if (other !== made[0]) assert.match(other.output, /process \d+ is making it; waiting/);
    assert.deepEqual(files(), straight);
  });

  it('says what to do where the folder of runs cannot be written', async () => {
    const file = path.join(root, 'file');
    fs.writeFileSync(file, '');
    process.env.OMNILAB_RUNS = file;
    const told = /file.*: expected a folder that can be read and written, .*ENOTDIR.*\nhelp: make room/s;
    await assert.rejects(fit(), (e) => e instanceof OmniError && told.test(e.message));
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const other = Object.assign(new Error('spawn EACCES'), { code: 'EACCES', path: 'python3' });
    assert.match((explained('/runs/a', full) as Error).message, /^\/runs\/a: .*ENOSPC.*\nhelp: .*OMNILAB_RUNS/s);
    assert.equal(explained('/runs/a', other), other);
  });

  it('is made once by callers of one process', async () => {
    const [a, b] = await Promise.all([fit(), fit()]);
    assert.equal(a, b);
  });

  it('takes over the lock of a dead process and of a process id used again, and waits for a live one', async () => {
    const dead = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => dead.on('exit', resolve));
    fs.writeFileSync(path.join(root, `.lock-${dead.pid}-1-00000000`), '');
    fs.writeFileSync(path.join(root, `.lock-${process.pid}-1-00000000`), '');
    const waited: number[] = [];
    const release = await lockFolder(root, (pid) => waited.push(pid));
    // Where the system does not tell when a process started, the used id cannot be told apart.
    if (process.platform === 'linux') assert.deepEqual([waited, lockHolders(root)], [[], [process.pid]]);
    const second = lockFolder(root, (pid) => waited.push(pid));
    await sleep(100);
    assert.deepEqual(waited, [process.pid]);
    release();
    (await second)();
    assert.deepEqual(fs.readdirSync(root), []);
    const held = await lockFolder(root, () => undefined);
    await assert.rejects(
      lockFolder(root, () => undefined, AbortSignal.timeout(50)),
      CancelledError,
    );
    held();
  });
});
