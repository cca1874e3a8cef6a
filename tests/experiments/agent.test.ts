/** OmniAgent by the name of an experiment, once the experiments are imported. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { FormatError } from '../../lib/errors';
import { OmniAgentModel } from '../../lib/experiments';
import { setDefaultProgress } from '../../lib/pipeline';
import '../pipeline/fixtures/toy';

describe('experiments: OmniAgentModel.fromPretrained', () => {
  const saved = { ...process.env };
  let root = '';
  beforeEach(() => {
    process.env.OMNILAB_RUNS = root = fs.mkdtempSync(path.join(os.tmpdir(), 'omnilab-names-'));
    setDefaultProgress(() => undefined);
  });
  afterEach(() => {
    process.env = { ...saved };
    fs.rmSync(root, { recursive: true });
  });

  it('makes the experiment of that name, and looks into its folder', async () => {
    await assert.rejects(
      OmniAgentModel.fromPretrained('toy/data', { profile: 'smoke', seed: 2 }),
      // It is no agent, but it was made, and the agent's file was looked for in it.
      (e: FormatError) => e instanceof FormatError && e.where.startsWith(path.join(root, 'toy', 'data')),
    );
    const [run] = fs.readdirSync(path.join(root, 'toy', 'data'));
    const manifest = JSON.parse(fs.readFileSync(path.join(root, 'toy', 'data', run, 'manifest.json'), 'utf8')) as {
      seed: number;
      profile: string;
    };
    assert.deepEqual([manifest.seed, manifest.profile], [2, 'smoke']);
  });

  it('says which names it takes', async () => {
    await assert.rejects(OmniAgentModel.fromPretrained('toy/none'), /or the name of an experiment, got "toy\/none"/);
  });
});
