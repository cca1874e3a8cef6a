/** Runs made ahead of the notebooks in processes of their own: order, failures, kills, interruptions, and equal results. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import './fixtures/parts';
import './fixtures/toy';
import type { Note } from './fixtures/parts';
import { defaultJobs, plan, reproduce, run } from '../../lib/pipeline';
import type { NotebookEntry, RunRequest } from '../../lib/pipeline';
import { runJob } from '../../lib/pipeline/job';
import { makeAhead } from '../../lib/pipeline/jobs';
import type { JobsOptions } from '../../lib/pipeline/jobs';
import { lockHolders } from '../../lib/pipeline/lock';
import { schedule } from '../../lib/pipeline/schedule';
import { readManifest, runDir } from '../../lib/pipeline/store';

const worker = path.join(__dirname, 'fixtures/run-worker.js');
const silent = { profile: 'smoke', onProgress: () => undefined };

describe('pipeline: jobs', function () {
  this.timeout(120_000);
  const saved = { ...process.env };
  let root = '';
  let lines: string[] = [];

  const parts = (...names: string[]): RunRequest[] => names.map((name) => ({ name: `parts/${name}`, seed: 0 }));
  const ahead = (requests: readonly RunRequest[], options: Partial<JobsOptions> = {}) => {
    lines = [];
    const print = (line: string) => void lines.push(line);
    return makeAhead({ requests, profile: 'smoke', device: 'cpu', jobs: 2, worker, print, quiet: true, ...options });
  };
  const states = (results: Awaited<ReturnType<typeof ahead>>) => results.map((r) => `${r.name} ${r.status}`);
  const journal = (): Note[] =>
    fs
      .readFileSync(process.env.PARTS_JOURNAL!, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Note);
  const fitDir = (seed = 0) => runDir(plan('toy/fit', 'smoke', seed));
  const logged = (seed = 0) => {
    const file = path.join(fitDir(seed), 'metrics.jsonl');
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').length - 1 : 0;
  };
  /** The bytes of a result of toy/fit, and of the data that it was made from. */
  const bytes = (seed = 0) =>
    [
      path.join(fitDir(seed), 'metrics.jsonl'),
      path.join(fitDir(seed), 'model.safetensors'),
      path.join(runDir(plan('toy/data', 'smoke', seed)), 'points.safetensors'),
    ].map((file) => fs.readFileSync(file));
  let straight: Buffer[][];

  before(async () => {
    process.env.OMNILAB_RUNS = fs.mkdtempSync(path.join(os.tmpdir(), 'omnilab-straight-'));
    straight = [];
    for (const seed of [0, 1]) {
      await run('toy/fit', { ...silent, seed });
      straight.push(bytes(seed));
    }
    fs.rmSync(process.env.OMNILAB_RUNS, { recursive: true });
  });
  beforeEach(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), 'omnilab-jobs-'));
    process.env.OMNILAB_RUNS = path.join(root, 'runs');
    process.env.PARTS_JOURNAL = path.join(root, 'journal');
  });
  afterEach(() => {
    process.env = { ...saved };
    fs.rmSync(root, { recursive: true, force: true });
  });

  it('makes each run once, after its parents, two at a time, in a process of its own', async () => {
    process.env.OMNILAB_THREADS = '4';
    process.env.PARTS_SAY = '1';
    process.env.PARTS_MEET = '1';
    const made = await ahead(parts('left', 'top', 'top', 'apart'));
    assert.deepEqual(
      states(made),
      ['base', 'left', 'right', 'top', 'apart'].map((p) => `parts/${p} made`),
    );
    const notes = journal();
    const at = (kind: Note['kind'], name: string) => {
      const found = notes.flatMap((n, i) => (n.kind === kind && n.name === `parts/${name}` ? [i] : []));
      assert.equal(found.length, 1, `${kind} of ${name}`);
      return found[0];
    };
    for (const [child, parents] of Object.entries({ left: ['base'], right: ['base'], top: ['left', 'right'] }))
      for (const parent of parents) assert.ok(at('begin', child) > at('end', parent), `${child} after ${parent}`);
    let most = 0;
    notes.reduce((running, { kind }) => {
      const now = running + (kind === 'begin' ? 1 : -1);
      most = Math.max(most, now);
      return now;
    }, 0);
    assert.equal(most, 2);
    assert.equal(new Set(notes.map((n) => n.pid)).size, 5);
    assert.ok(!notes.some((n) => n.pid === process.pid));
    assert.deepEqual([...new Set(notes.map((n) => n.threads))], ['2']);
    assert.match(lines[0], /^5 runs to make for the notebooks, at most 2 at once with 2 threads each$/);
    assert.ok(lines.includes('[1/5] parts/base: size of base'), 'what a process prints is shown');
    assert.ok(lines.some((l) => /^\[4\/5\] parts\/top: made in \d/.test(l)));
    assert.deepEqual(await ahead(parts('top', 'apart')), [], 'all is there');
    assert.deepEqual(lines, []);
  });

  it('gives all threads to a run beside which no other can be made, also when it goes on alone', async () => {
    process.env.OMNILAB_THREADS = '5';
    await ahead(parts('top'));
    const threads = () => Object.fromEntries(journal().map((n) => [n.name.slice(6), n.threads]));
    assert.deepEqual(threads(), { base: '5', left: '2', right: '2', top: '5' });
    fs.rmSync(runDir(plan('parts/right', 'smoke', 0)), { recursive: true });
    fs.rmSync(runDir(plan('parts/top', 'smoke', 0)), { recursive: true });
    fs.rmSync(process.env.PARTS_JOURNAL!);
    await ahead(parts('top'));
    assert.deepEqual(threads(), { right: '2', top: '5' });
  });

  it('does not look behind a finished run', async () => {
    await ahead(parts('left'));
    fs.rmSync(runDir(plan('parts/base', 'smoke', 0)), { recursive: true });
    assert.deepEqual(await ahead(parts('left')), []);
    assert.deepEqual(states(await ahead(parts('right'))), ['parts/base made', 'parts/right made']);
  });

  it('keeps the order of the requests, and fills what is free', async () => {
    const began: string[] = [];
    const free: (() => void)[] = [];
    const plans = ['base', 'left', 'right', 'apart'].map((p) => plan(`parts/${p}`, 'smoke', 0));
    const all = schedule(plans, { jobs: 2 }, (p) => {
      began.push(p.experiment.name.slice(6));
      return new Promise((resolve) => free.push(() => resolve('made')));
    });
    await sleep(1);
    assert.deepEqual(began, ['base', 'apart'], 'what waits for base leaves its place to the next');
    free[0]();
    await sleep(1);
    assert.deepEqual(began, ['base', 'apart', 'left']);
    free[1]();
    await sleep(1);
    assert.deepEqual(began, ['base', 'apart', 'left', 'right']);
    free.slice(2).forEach((end) => end());
    assert.deepEqual([...(await all).values()], ['made', 'made', 'made', 'made']);
  });

  it('loses to a failed run only what builds on it, and tries it again', async () => {
    process.env.PARTS_FAIL = 'parts/left';
    const first = await ahead(parts('top', 'apart'));
    assert.deepEqual(states(first), [
      'parts/base made',
      'parts/left failed',
      'parts/right made',
      'parts/top skipped',
      'parts/apart made',
    ]);
    assert.equal(first[1].error, 'parts/left went wrong');
    assert.equal(first[3].error, 'parts/left is not made');
    assert.match(lines.join('\n'), /parts\/left: failed after .*\nparts\/left went wrong/);
    assert.match(lines.join('\n'), /parts\/top: skipped \(parts\/left is not made\)/);
    delete process.env.PARTS_FAIL;
    assert.deepEqual(states(await ahead(parts('top', 'apart'))), ['parts/left made', 'parts/top made']);
  });

  it('hands configurations on as they are, parts that are taken out included', async () => {
    const configs = [{ size: 2 }, { extra: { depth: 3 } }, { extra: undefined }];
    const made = await ahead(configs.map((config) => ({ name: 'parts/apart', seed: 1, config })));
    assert.deepEqual(
      made.map((r) => [r.status, r.hash]),
      configs.map((config) => ['made', plan('parts/apart', 'smoke', 1, config).hash]),
    );
    assert.ok(
      lines.some((l) => l.includes('parts/apart, seed 1, size=2: made')),
      lines.join('\n'),
    );
  });

  it('leaves requests that make no sense to those who ask', async () => {
    const wrong = [
      { name: 'parts/none', seed: 0 },
      { name: 'parts/apart', seed: 0, config: { size: 'x' } },
    ];
    assert.deepEqual(states(await ahead([...wrong, ...parts('base')])), ['parts/base made']);
  });

  it('gives the bytes that runs one after another in one process give', async () => {
    const made = await ahead([0, 1].map((seed) => ({ name: 'toy/fit', seed })));
    assert.ok(made.length === 4 && made.every((r) => r.status === 'made'));
    for (const seed of [0, 1]) assert.deepEqual(bytes(seed), straight[seed]);
    assert.equal((await run('toy/fit', silent)).reused, true);
  });

  it('reports a process that was killed; the next try goes on from its checkpoint', async () => {
    process.env.TOY_KILL_AT = '25';
    const killed = await ahead([{ name: 'toy/fit', seed: 0 }, ...parts('apart')]);
    assert.deepEqual(states(killed), ['toy/data made', 'toy/fit failed', 'parts/apart made']);
    assert.match(killed[1].error!, /its process ended early \(SIGKILL\)\nhelp: .*JOBS=1/);
    delete process.env.TOY_KILL_AT;
    assert.deepEqual(states(await ahead([{ name: 'toy/fit', seed: 0 }])), ['toy/fit made']);
    assert.ok(
      lines.some((l) => l.endsWith('toy/fit: going on from step 20')),
      lines.join('\n'),
    );
    assert.deepEqual(bytes(), straight[0]);
  });

  it('stops between two steps when cancelled, and goes on', async () => {
    process.env.TOY_DELAY_MS = '30';
    const stop = new AbortController();
    const work = ahead([{ name: 'toy/fit', seed: 0 }, { name: 'toy/fit', seed: 1 }, ...parts('top')], {
      signal: stop.signal,
    });
    while (logged(0) < 15) await sleep(5);
    stop.abort();
    const stopped = await work;
    assert.equal(stopped.find((r) => r.name === 'toy/fit')!.status, 'cancelled');
    assert.equal(stopped.at(-1)!.status, 'cancelled', 'nothing else was begun');
    assert.ok(logged(0) < 60, `${logged(0)} steps`);
    assert.equal((await readManifest(fitDir(0)))?.status, 'cancelled');
    assert.deepEqual(lockHolders(fitDir(0)), []);
    delete process.env.TOY_DELAY_MS;
    await ahead([0, 1].map((seed) => ({ name: 'toy/fit', seed })));
    assert.ok(
      lines.some((l) => l.endsWith('toy/fit: going on from step 10')),
      lines.join('\n'),
    );
    for (const seed of [0, 1]) assert.deepEqual(bytes(seed), straight[seed]);
    const before = AbortSignal.abort();
    assert.deepEqual(await ahead(parts('top'), { signal: before }), []);
  });

  it('stops once at Ctrl-C, which reaches all processes of a terminal; and when the first process is gone', async () => {
    const command = () => {
      const child = spawn(process.execPath, [path.join(__dirname, 'fixtures/ahead.js')], {
        env: { ...process.env, TOY_DELAY_MS: '30' },
        stdio: ['ignore', 'pipe', 'inherit'],
        detached: true,
      });
      let output = '';
      child.stdout.on('data', (chunk) => (output += String(chunk)));
      return { child, ended: new Promise<string>((resolve) => child.on('close', () => resolve(output))) };
    };
    const seen = async (step: number) => {
      while (logged(0) < step) await sleep(5);
    };
    const first = command();
    await seen(12);
    process.kill(-first.child.pid!, 'SIGINT');
    const results = JSON.parse((await first.ended).trimEnd().split('\n').at(-1)!) as { name: string; status: string }[];
    const fit = results.filter((r) => r.name === 'toy/fit');
    assert.equal(fit[0].status, 'cancelled');
    // The other may have begun much earlier or later on a busy machine; it does not fail.
    assert.ok(['cancelled', 'made'].includes(fit[1].status), fit[1].status);
    const second = command();
    await seen(32);
    second.child.kill('SIGKILL');
    await second.ended;
    for (const seed of [0, 1]) while (lockHolders(fitDir(seed)).length) await sleep(10);
    assert.equal((await readManifest(fitDir(0)))?.status, 'cancelled');
    await ahead([0, 1].map((seed) => ({ name: 'toy/fit', seed })));
    for (const seed of [0, 1]) assert.deepEqual(bytes(seed), straight[seed]);
  });

  it('reproduce makes ahead what its notebooks ask for, if more than one at a time is allowed', async () => {
    const notebooks: NotebookEntry[] = [
      { path: 'notebooks/a.ipynb', needs: ['parts/left'], outputs: [], runs: (_, seeds) => seeds.map((seed) => ({ name: 'parts/left', seed })) }, // prettier-ignore
      { path: 'notebooks/b.ipynb', needs: ['parts/apart'], outputs: [] },
      { path: 'notebooks/c.ipynb', needs: ['parts/right'], outputs: [], onRequest: true },
    ];
    fs.mkdirSync(path.join(root, 'notebooks'));
    for (const { path: file } of notebooks) fs.writeFileSync(path.join(root, file), JSON.stringify({ cells: [] }));
    const reused: boolean[] = [];
    const go = (count: number, only?: string) =>
      reproduce({
        notebooks,
        profile: 'smoke',
        root,
        seeds: 2,
        only,
        quiet: true,
        jobs: { count, worker },
        runNotebook: async (file, { output }) => {
          if (file.endsWith('a.ipynb'))
            for (const seed of [0, 1]) reused.push((await run('parts/left', { ...silent, seed })).reused);
          fs.writeFileSync(output, '{}');
        },
      });
    const names = (r: Awaited<ReturnType<typeof go>>) => r.runs.map((j) => `${j.name} ${j.seed}`);
    const first = await go(2);
    assert.deepEqual([first.status, reused], ['ok', [true, true]]);
    assert.deepEqual(names(first), ['parts/base 0', 'parts/left 0', 'parts/base 1', 'parts/left 1', 'parts/apart 0']);
    assert.deepEqual(names(await go(2)), [], 'notebooks that are up to date ask for nothing');
    fs.rmSync(path.join(root, 'runs'), { recursive: true });
    reused.length = 0;
    const one = await go(1);
    assert.deepEqual([one.status, one.runs, reused], ['ok', [], [false, false]]);
    assert.deepEqual(names(await go(2, 'c')), ['parts/right 0']);
  });

  it('takes two at a time where nobody says, on a CPU with threads for two', () => {
    process.env.OMNILAB_THREADS = '1';
    assert.equal(defaultJobs('cpu', 'smoke', 64e9), 1);
    process.env.OMNILAB_THREADS = '8';
    assert.deepEqual(
      ['cpu', 'webgpu', 'cuda:0', 'tfjs'].map((device) => defaultJobs(device, 'smoke', 64e9)),
      [2, 1, 1, 1],
    );
    // Two trainings of profile laptop do not fit where two of smoke do.
    assert.deepEqual(
      ['smoke', 'laptop', 'gpu'].map((profile) => defaultJobs('cpu', profile, 5e9)),
      [2, 1, 1],
    );
  });

  it('gives processes their threads and one heap for all sessions, unless the user set another', async () => {
    const file = path.join(root, 'tell.js');
    const names = ['OMNILAB_THREADS', 'OMNILAB_ARENA', 'MALLOC_ARENA_MAX'];
    fs.writeFileSync(file, `console.log(JSON.stringify(${JSON.stringify(names)}.map((n) => process.env[n])));`);
    const told = async (device: string): Promise<unknown> => {
      const said: string[] = [];
      const options = { worker: file, device, threads: 3, onLine: (line: string) => void said.push(line) };
      await assert.rejects(runJob(plan('toy/fit', 'smoke', 0), options), /its process ended early \(status 0\)/);
      return JSON.parse(said.join('')) as unknown;
    };
    for (const name of names) delete process.env[name];
    const linux = process.platform === 'linux';
    assert.deepEqual(await told('cpu'), ['3', ...(linux ? ['0', '1'] : [null, null])]);
    assert.deepEqual(await told('webgpu'), ['3', null, null]);
    process.env.OMNILAB_ARENA = '1';
    assert.deepEqual(await told('cpu'), ['3', '1', linux ? '1' : null]);
  });
});
