/** What the notebook on the reward-based methods shows, of runs whose numbers are known. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  changedAnswers,
  exampleGroup,
  heldOutResult,
  heldOutTable,
  partsTable,
  readMethod,
  seedCurves,
  stabilityTable,
} from '../../lib/experiments/omniagent/rl-report';
import type { Manifest } from '../../lib/pipeline/manifest';
import { Run } from '../../lib/pipeline/run-result';
import { checkTable } from '../../lib/report';
import type { Completion } from '../../lib/trainers';

const folder = mkdtempSync(path.join(tmpdir(), 'rl-report-'));

/** A run whose held-out rewards change by `gains`, one a prompt. */
function runOf(seed: number, gains: readonly number[]): Run {
  const dir = mkdtempSync(path.join(folder, 'run-'));
  const row = (step: number): Record<string, number> => ({
    step,
    reward: 0.2 + 0.1 * step,
    kl: 0.01 * step + seed,
    entropy: 1,
    'completions/mean_length': 20,
    'completions/clipped_ratio': 0,
    frac_reward_zero_std: 0,
    'clip_ratio/region_mean': 0,
    'sampling/sampling_logp_difference/max': 1e-6 * (step + seed),
  });
  const rows = [
    { step: 0, 'eval_rewards/text/mean': 0.1 },
    ...[1, 2, 3].map(row),
    { ...row(4), 'eval_rewards/text/mean': 0.4 },
  ];
  writeFileSync(path.join(dir, 'metrics.jsonl'), rows.map((r) => `${JSON.stringify(r)}\n`).join(''));
  const completion = (step: number, id: string, reward: number, split: Completion['split']): Completion => ({
    step,
    split,
    id,
    category: id,
    prompt: `prompt ${id}`,
    completion: `answer worth ${reward}`,
    reward,
    rewards: { text: reward },
    advantage: split === 'train' ? reward : null,
    tokens: 5,
    finished: true,
    temperature: 1,
  });
  const lines = [
    ...gains.map((_, i) => completion(0, `held ${i}`, 0.5, 'heldOut')),
    ...[0.1, 0.2].map((r) => completion(1, 'even', r, 'train')),
    ...[0.1, 0.9].map((r) => completion(1, 'uneven', r, 'train')),
    ...gains.map((gain, i) => completion(4, `held ${i}`, 0.5 + gain, 'heldOut')),
  ];
  writeFileSync(path.join(dir, 'completions.jsonl'), lines.map((l) => `${JSON.stringify(l)}\n`).join(''));
  return new Run(dir, { experiment: 'omniagent/stage4_grpo', seed } as Manifest, true);
}

describe('report on the reward-based methods', () => {
  after(() => rmSync(folder, { recursive: true }));
  const rising = [runOf(0, [0.3, 0.2, 0, 0.25]), runOf(1, [0.1, 0.3, 0.2, 0.15])];
  const runs = { up: rising, mixed: [runOf(0, [0.4, -0.4, 0, 0.1])] };

  it('pairs answers before and after, over seeds', () => {
    const { before, after, gain } = heldOutResult(rising);
    assert.deepEqual(before, [0.5, 0.5]);
    assert.ok(Math.abs(after[0] - 0.6875) < 1e-9 && Math.abs(after[1] - 0.6875) < 1e-9);
    assert.ok(Math.abs(gain.value - 0.1875) < 1e-9);
    // Each prompt is a stratum of its own here, so that no draw differs from the samples.
    assert.ok(Math.abs(gain.low - gain.high) < 1e-9);
  });

  it('tables are well-formed, with means over seeds', () => {
    const tables = [heldOutTable(runs, 'a'), partsTable(runs, 'b'), stabilityTable(runs, 'c')];
    for (const table of tables) assert.equal(checkTable(table).rows.length, 2);
    assert.equal(tables[0].rows[0].at(-1), '2 of 2');
    assert.deepEqual(tables[1].rows[1].slice(2), [null, null, null, null]);
    assert.ok(Math.abs((tables[2].rows[0].at(-1) as number) - 5e-6) < 1e-12);
    const [up, mixed] = seedCurves(runs, 'kl');
    assert.deepEqual(up.x, [1, 2, 3, 4]);
    assert.ok(Math.abs(up.y[0]! - 0.51) < 1e-9 && !mixed.lower);
    assert.deepEqual([up.lower![0], up.upper![0]], [0.01, 1.01], 'from the lowest to the highest seed');
  });

  it('the largest gap of all seeds is shown as it is, for a logarithmic axis', () => {
    const [{ y, lower }] = seedCurves(runs, 'sampling/sampling_logp_difference/max', 'largest');
    assert.equal(lower, undefined);
    assert.ok(Math.abs(y[0]! - 2e-6) < 1e-12);
  });

  it('the text says what the numbers say', () => {
    assert.match(readMethod('up', rising), /rises: 0\.500 before, 0\.688 after.*in 2 of 2 seeds/);
    assert.match(readMethod('down', [runOf(0, [-0.2, -0.1])]), /falls: 0\.500 before/);
    assert.match(readMethod('same', [runOf(0, [0, 0])]), /undecided.*in 0 of 1 seed\b/);
  });

  it('shows the answers that changed most, up and down, and the most uneven group', () => {
    const { rows } = changedAnswers(runs.mixed[0], 2, 'x');
    assert.deepEqual(
      rows.map((r) => r[0]),
      ['prompt held 0', 'prompt held 1'],
    );
    const group = exampleGroup(rising[0], 1, 'x');
    assert.match(group.caption!, /prompt uneven/);
    assert.deepEqual(
      group.rows.map((r) => r[1]),
      [0.9, 0.1],
    );
  });
});
