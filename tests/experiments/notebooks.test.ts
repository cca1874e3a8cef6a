/** The table of notebooks: the runs that an entry names are those that the notebook's cells ask for, and can be planned. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { METHOD_NAMES, notebooks } from '../../lib/experiments';
import type { Method } from '../../lib/experiments';
import { resultRequests } from '../../lib/experiments/omniagent/results';
import { r1Request } from '../../lib/experiments/omni-r1/results';
import type { R1Model } from '../../lib/experiments/paper/omni-r1';
import { notebookName, plan, requestsOf, selectNotebooks } from '../../lib/pipeline';
import type { Plan, RunRequest } from '../../lib/pipeline';
import { reachableFiles } from '../../lib/pipeline/code-version';
import { keyOf } from '../../lib/pipeline/schedule';
import { root } from '../package/consumer';

const SEEDS = [0, 1, 2];

/** The words of a cell's list: "['sft', 'm']". */
const words = (list: string): string[] => [...list.matchAll(/'([^']+)'/g)].map((m) => m[1]);

/** What the calls in a notebook's cells ask for, read from their text. */
function asked(file: string): RunRequest[] {
  const { cells } = JSON.parse(fs.readFileSync(path.join(root, file), 'utf8')) as {
    cells: { cell_type: string; source: string[] | string }[];
  };
  const code = cells.filter((c) => c.cell_type === 'code').map((c) => [c.source].flat().join('')).join('\n'); // prettier-ignore
  const out: RunRequest[] = [];
  for (const [, name, rest] of code.matchAll(/\b(?:run|watch)\((?:'|`omniagent\/)([^'`]+)['`]([^)]*)/g)) {
    const names = name === 'stage0_${m}' ? ['image', 'audio', 'video'].map((m) => `omniagent/stage0_${m}`) : [name];
    if (name !== '${name}') for (const one of names) out.push({ name: one, seed: /seed: 1/.test(rest) ? 1 : 0 });
  }
  for (const [, name] of code.matchAll(/\bget\('([^']+)'\)/g)) out.push({ name: `omniagent/${name}`, seed: 0 });
  for (const [, name, first] of code.matchAll(/runSeeds\('([^']+)', seeds(\.slice\(0, 1\))?/g))
    out.push(...(first ? [0] : SEEDS).map((seed) => ({ name, seed })));
  for (const [, list] of code.matchAll(/collectResults\((METHOD_NAMES|\[[^\]]*\]), seeds/g))
    out.push(...resultRequests(list.startsWith('[') ? (words(list) as Method[]) : METHOD_NAMES, SEEDS));
  for (const [, list] of code.matchAll(/collectR1\((\[[^\]]*\])/g))
    out.push(...words(list).map((model) => r1Request(model as R1Model)));
  for (const [, model] of code.matchAll(/r1Run\('(\w+)'/g)) out.push(r1Request(model as R1Model));
  return out;
}

describe('the table of notebooks', () => {
  for (const entry of notebooks)
    it(`${notebookName(entry)} names the runs that it asks for`, () => {
      const keys = (requests: readonly RunRequest[]) =>
        [...new Set(requests.map((r) => keyOf(plan(r.name, 'laptop', r.seed, r.config))))].sort();
      const given = requestsOf(entry, 'laptop', SEEDS);
      if (/training$/.test(notebookName(entry)))
        // Its loop over the methods is not read here; what the entry needs says the same.
        assert.deepEqual([...new Set(given.map((r) => r.name))].sort(), [...entry.needs].sort());
      else if (notebookName(entry) === 'OmniAgent_Inference')
        assert.deepEqual(given, [{ name: entry.needs[0], seed: 0 }]);
      else assert.deepEqual(keys(given), keys(asked(entry.path)));
    });

  for (const profile of ['smoke', 'laptop'] as const)
    it(`asks for runs that can be planned at profile ${profile}, here and in another process`, () => {
      const seen = new Map<string, Plan>();
      const visit = (p: Plan): void => {
        if (seen.has(keyOf(p))) return;
        seen.set(keyOf(p), p);
        p.parents.forEach(visit);
      };
      for (const entry of notebooks)
        for (const { name, seed, config } of requestsOf(entry, profile, SEEDS))
          visit(plan(name, profile, seed, config));
      assert.ok(seen.size > 50, `${seen.size} runs`);
      for (const p of seen.values()) {
        const sent = structuredClone(p.config) as Record<string, unknown>;
        assert.equal(plan(p.experiment.name, profile, p.seed, sent).hash, p.hash, keyOf(p));
      }
    });

  it('leaves what is made on request out of a whole reproduction', () => {
    const chosen = selectNotebooks(notebooks);
    assert.deepEqual(
      notebooks.filter((n) => !chosen.includes(n)).map(notebookName),
      notebooks.filter((n) => n.onRequest).map(notebookName),
    );
    const names = chosen.flatMap((entry) => requestsOf(entry, 'laptop', SEEDS).map((r) => r.name));
    assert.ok(!names.includes('omniagent/search'));
    const [search] = selectNotebooks(notebooks, 'omniagent/search');
    assert.deepEqual(requestsOf(search, 'laptop', SEEDS), [{ name: 'omniagent/search', seed: 0 }]);
  });

  it('is no part of any run, nor are the functions that it takes requests from', () => {
    const lib = path.resolve(__dirname, '../../lib');
    const reached = new Set(
      notebooks
        .flatMap((entry) => entry.needs)
        .flatMap((name) => reachableFiles(plan(name, 'smoke', 0).experiment.module)),
    );
    assert.ok(reached.has(path.join(lib, 'experiments/omniagent/methods.js')));
    for (const file of ['index', 'notebooks', 'omniagent/results', 'omni-r1/results'])
      assert.ok(!reached.has(path.join(lib, 'experiments', `${file}.js`)), file);
  });
});
