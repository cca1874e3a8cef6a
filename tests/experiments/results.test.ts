/** From evaluated samples to tables, figures and verdicts: with made-up samples whose figures are known. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { EvaluatedSample } from '../../lib/eval';
import {
  ablationStudy,
  CLAIM_RULE,
  categoryBreakdown,
  differencesFrom,
  differenceTable,
  generationTable,
  indicesTable,
  judgeClaims,
  METHOD_NAMES,
  methodsOf,
  novelIndicesComparison,
  paperTable1,
  paretoPlot,
  radarChart,
  relatedWorkTable,
  rkpTable,
  rlComparison,
  table1,
  table2,
  table3,
} from '../../lib/experiments';
import type { EpochResults, Method, Results } from '../../lib/experiments';
import { decide } from '../../lib/experiments/omniagent/decide';
import { figuresOf, joinResults } from '../../lib/experiments/omniagent/results';
import { withEpochs, withShare } from '../../lib/experiments/omniagent/variants';
import { Random } from '../../lib/nn';
import { checkTable, saveClaims, saveTable, svgToPng, tableToMarkdown } from '../../lib/report';
import { renderSvg } from '../../lib/report/render-figure';
import { formatTable } from '../../lib/report/table';
import { CATEGORIES } from '../../lib/world';

const VOCABULARY = 1000;

/** Samples of which perplexity, reward, drift and the share of passed checks are as given (the first up to noise). */
function makeSamples(
  seed: number,
  { ppl, reward, drift, aci }: Record<'ppl' | 'reward' | 'drift' | 'aci', number>,
): EvaluatedSample[] {
  const random = new Random(seed, 'samples');
  return CATEGORIES.flatMap((category) =>
    Array.from({ length: 20 }, (_, i): EvaluatedSample => {
      const tokens = 30 + ((7 * i) % 20);
      const agentic = category === 'multi_step_creation' && i < 12;
      const passed = (k: number): boolean => (5 * i + k) / 60 < aci;
      return {
        id: `${category}-${i}`,
        category,
        tokens,
        nll: tokens * Math.log(ppl) * (1 + 0.05 * random.normal()),
        answer: {
          tokens: 20,
          scores: { text: reward, img: 1, aud: 1, vid: 1, task: reward },
          reward: reward + 0.01 * (i % 3),
          emitted: { text: 2, img: 1, aud: i % 2, vid: 0, call: 1, plan: 0, think: 1, act: 1 },
          modalities: 0.5,
          human: { relevance: 0.4, format: 1, length: 1, freshness: 0.9, task: reward },
          ...(agentic
            ? { agentic: { think: passed(0), plan: passed(1), call: passed(2), act: passed(3), signals: passed(4) } }
            : {}),
          drift: 20 * drift,
          driftTokens: 20,
        },
      };
    }),
  );
}

/** Results in which everything is as the card says. */
function paperLike(
  seeds: number[],
  change: Partial<Record<Method, Partial<Record<'ppl' | 'reward' | 'drift' | 'aci', number>>>> = {},
): Results {
  const drift: Record<Method, number> = {
    sft: 0,
    dpo: 0.05,
    simpo: 0.1,
    grpo: 3,
    grpo_plus: 2,
    online_grpo: 2.5,
    mm_dpo: 0.04,
  };
  return joinResults(
    VOCABULARY,
    Object.fromEntries(
      METHOD_NAMES.map((m) => [
        m,
        (m === 'sft' ? [0] : seeds).map((seed) => ({
          seed,
          samples: makeSamples(seed, {
            ppl: paperTable1[m].ppl,
            aci: paperTable1[m].aci,
            reward: m === 'sft' ? 0.5 : 0.6,
            drift: drift[m],
            ...change[m],
          }),
        })),
      ]),
    ),
  );
}
const epochs = (factor: number): EpochResults =>
  Object.fromEntries(
    methodsOf('preference', 'reward').map((m) => [m, { one: [factor * 3, factor * 4], three: [3, 4] }]),
  );
const verdicts = (results: Results, e: EpochResults = epochs(10)): Record<string, string> =>
  Object.fromEntries(judgeClaims(results, e, { draws: 40 }).map((c) => [c.id, c.verdict]));

describe('results of the evaluation', () => {
  const three = paperLike([0, 1, 2]);

  it('figures: those of the samples', () => {
    const sft = three.seeds.sft![0].samples;
    const own = figuresOf(makeSamples(4, { ppl: 3, reward: 0.7, drift: 0.19, aci: 0.5 }), sft, VOCABULARY);
    assert.ok(Math.abs(own.ppl / 3 - 1) < 0.03);
    assert.equal(own.aci, 0.5);
    assert.ok(Math.abs(own.rkp - 0.2 / 0.2) < 1e-9 && own.winRate === 1);
    assert.ok(!('rkp' in three.seeds.sft![0].metrics));
    assert.throws(() => joinResults(VOCABULARY, {}), /an evaluation of SFT/);
    assert.throws(() => joinResults(VOCABULARY, { sft: [{ seed: 0, samples: sft }], dpo: [{ seed: 0, samples: sft.slice(1) }] }), /on the samples of SFT/); // prettier-ignore
  });

  it('each claim holds where everything is as the card says', () => {
    assert.deepEqual(verdicts(three), { OA1: 'holds', OA2: 'holds', OA3: 'holds', OA4: 'holds', OA5: 'holds', OA6: 'holds' }); // prettier-ignore
  });

  it('and each one fails alone where what it says is not so', () => {
    const failing: [string, Results, EpochResults][] = [
      ['OA1', paperLike([0, 1], { online_grpo: { ppl: 2.4 } }), epochs(10)],
      ['OA2', paperLike([0, 1], { dpo: { drift: 0.001 } }), epochs(10)],
      ['OA3', paperLike([0, 1], { grpo_plus: { ppl: 9000 } }), epochs(10)],
      ['OA4', paperLike([0, 1], { simpo: { ppl: 2.2 } }), epochs(10)],
      ['OA5', paperLike([0, 1]), epochs(1)],
      ['OA6', paperLike([0, 1], { grpo: { aci: 1 }, dpo: { aci: 0.5 } }), epochs(10)],
    ];
    for (const [id, results, e] of failing) {
      const found = verdicts(results, e);
      const wrong = Object.entries(found).filter(([, v]) => v !== 'holds');
      assert.deepEqual(wrong, [[id, 'does not hold']], JSON.stringify(found));
    }
  });

  it('seeds at odds, or nothing measured: undecided', () => {
    const odd = paperLike([0, 1]);
    odd.seeds.grpo_plus![1] = { ...paperLike([1], { grpo_plus: { ppl: 9000 } }).seeds.grpo_plus![0], seed: 1 };
    assert.equal(verdicts(odd).OA3, 'undecided');
    const alike = Object.fromEntries(METHOD_NAMES.map((m) => [m, { aci: 0 }]));
    assert.equal(verdicts(paperLike([0, 1], alike)).OA6, 'undecided');
    const few = { ...three, seeds: { sft: three.seeds.sft, dpo: three.seeds.dpo } };
    assert.deepEqual(new Set(Object.values(verdicts(few, {}))), new Set(['undecided']));
  });

  it('the rule, on numbers', () => {
    const of = (perSeed: number[], interval?: { low: number; high: number }, ties = false): string =>
      decide([{ says: '', perSeed, interval, ties }]).verdict;
    assert.equal(of([1, 2], { low: 0.1, high: 3 }), 'holds');
    assert.equal(of([1, 2], { low: -0.1, high: 3 }), 'undecided');
    assert.equal(of([-1, -2], { low: -3, high: -0.1 }), 'does not hold');
    assert.equal(of([-1, 2], { low: -3, high: 3 }), 'undecided');
    assert.equal(of([0, 0]), 'does not hold');
    assert.equal(of([0, 0], undefined, true), 'holds');
    assert.equal(of([]), 'undecided');
    assert.equal(decide([]).verdict, 'undecided');
    const right = { says: '', perSeed: [1] };
    assert.equal(decide([right, { says: '', perSeed: [-1, 1] }]).verdict, 'undecided');
    assert.equal(decide([right, { says: '', perSeed: [-1] }, { says: '', perSeed: [-1, 1] }]).verdict, 'does not hold');
  });

  it('tables: every method, the paper beside ours, nothing typed in where nothing was measured', () => {
    const intervals = differencesFrom(three, 'sft', ['ppl', 'aci'], { draws: 40 });
    const simpo = intervals.find((d) => d.method === 'simpo' && d.name === 'ppl')!;
    const { value, low, high } = simpo;
    assert.ok(low <= value && value <= high && high < 0, JSON.stringify(simpo));
    const [against] = differencesFrom(three, 'dpo', ['aci'], { methods: ['mm_dpo'], draws: 20 });
    assert.deepEqual(against, { method: 'mm_dpo', baseline: 'dpo', name: 'aci', value: 0, low: 0, high: 0 });
    const tables = [table1(three, 'one'), table2(three), table3(three), rkpTable(three), indicesTable(three), generationTable(three), differenceTable(intervals), relatedWorkTable({ params: '4 M', profile: 'laptop' })]; // prettier-ignore
    tables.forEach((t) => checkTable(t));
    const [one, two, third, rkp, , generation] = tables;
    assert.equal(one.rows.length, 7);
    assert.deepEqual(one.rows.map((r) => r.at(-1)), ['the baseline', ...new Array<string>(6).fill('holds')]); // prettier-ignore
    assert.equal(two.rows.find((r) => r[0] === 'ACI')![3], 'DPO, MM-DPO');
    assert.equal(two.rows.find((r) => r[0] === 'CMTS')![5], 'yes');
    // All methods have the same answers here: a tie with Online GRPO, the paper's best, decides nothing.
    assert.equal(two.rows.find((r) => r[0] === 'TDI')![5], 'undecided: a tie');
    assert.match(tableToMarkdown(one), /130\.5 .*195\.5 /, 'the paper is not rounded');
    assert.match(tableToMarkdown(rkp), /18\.89 /);
    assert.equal(third.rows.length, 6);
    assert.deepEqual(rkp.rows.filter((r) => r[5]).map((r) => r[0]), ['SimPO', 'MM-DPO']); // prettier-ignore
    // Nothing was decoded here.
    assert.equal(generation.rows[0][generation.columns.indexOf('image: shape')], null);
    assert.match(tableToMarkdown(one), /GRPO\+\+ +\|/);
  });

  it('figures: drawn, each method in them', async () => {
    for (const figure of [
      rlComparison(three, 'test'),
      radarChart(three, 'test'),
      novelIndicesComparison(three, 'test'),
      categoryBreakdown(three, 'test'),
      paretoPlot(three, 'test'),
    ]) {
      // prettier-ignore
      const svg = await renderSvg(figure);
      assert.match(svg, /MM-DPO/);
      if (process.env.OMNILAB_LOOK)
        writeFileSync(path.join(process.env.OMNILAB_LOOK, `${svg.length}.png`), await svgToPng(svg, 1));
    }
  });

  it('a method that diverged is left out, and its verdict open', () => {
    const lost = paperLike([0, 1]);
    for (const s of lost.seeds.grpo!) Object.assign(s.metrics, { ppl: Infinity, drift: NaN, rkp: NaN });
    const row = table1(lost).rows.find((r) => r[0] === 'GRPO')!;
    assert.deepEqual([row[2], row.at(-1)], [null, 'undecided']);
    // One seed that diverged decides nothing either.
    const one = paperLike([0, 1]);
    one.seeds.grpo![0].metrics.ppl = Infinity;
    assert.equal(
      table1(one)
        .rows.find((r) => r[0] === 'GRPO')!
        .at(-1),
      'undecided',
    );
    const names = (paretoPlot(lost, 'test').layout as { annotations: { text: string }[] }).annotations.map(
      (a) => a.text,
    );
    assert.ok(names.includes('GRPO++') && !names.includes('GRPO'));
    const stages = [{ name: 'stage 0', metrics: { ppl: 1e6, genPpl: NaN } }];
    assert.deepEqual((ablationStudy(stages, 'test').data[1] as { y: unknown[] }).y, [null]);
  });

  it('claims.json and index.html: one part a paper, and other papers stay', async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'claims-'));
    try {
      const claims = judgeClaims(three, epochs(10), { draws: 20 });
      const set = { title: 'OmniAgent', profile: 'test', seeds: 3, note: 'a < b', rule: CLAIM_RULE, claims };
      await saveClaims(dir, 'omniR1', { ...set, title: 'Omni-R1', claims: [{ ...claims[0], id: 'OR1', verdict: 'does not hold' }] }); // prettier-ignore
      writeFileSync(path.join(dir, 'radar_chart.svg'), '<svg/>');
      writeFileSync(path.join(dir, 'radar_chart.json'), JSON.stringify(radarChart(three, 'test')));
      await saveTable(path.join(dir, 'tables'), 'table1', table1(three, 'Table 1, <test>'));
      await saveTable(path.join(dir, 'tables'), 'broken', table2(three, 'not readable'));
      writeFileSync(path.join(dir, 'tables', 'broken.json'), '{');
      const { json, html } = await saveClaims(dir, 'omniagent', set);
      const stored = JSON.parse(readFileSync(json, 'utf8')) as Record<string, typeof set>;
      assert.deepEqual(Object.keys(stored), ['omniR1', 'omniagent']);
      assert.deepEqual(stored.omniagent.claims.map((c) => c.verdict), claims.map((c) => c.verdict)); // prettier-ignore
      const page = readFileSync(html, 'utf8');
      for (const text of [
        'OA6',
        'OR1',
        'a &lt; b',
        'radar_chart.svg',
        'does not hold',
        'The five indices by method (test',
        'Table 1, &lt;test&gt;',
        '>130.5<',
        'tables/broken.md',
      ])
        // prettier-ignore
        assert.ok(page.includes(text), text);
      assert.ok(!page.includes('not readable'));
      // The page reads tables from JSON; it shows them as they are elsewhere.
      const sft = formatTable(table1(three, 'Table 1, <test>')).cells.find(([name]) => name === 'SFT')!;
      assert.ok(sft.some((cell) => /\.\d/.test(cell)));
      for (const cell of sft) assert.ok(page.includes(`>${cell}<`), cell);
      assert.ok(page.indexOf('"#OA1"') < page.indexOf('"#OR1"'));
      writeFileSync(json, '[]');
      await assert.rejects(saveClaims(dir, 'omniagent', set), /claims by paper/);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('variants: steps go with epochs, and keep the data', () => {
    assert.deepEqual(withEpochs('dpo', 'laptop', 3), {});
    const one = withEpochs('dpo', 'laptop', 1) as { epochs: number; optimizer: { steps: number } };
    assert.equal(one.epochs, 1);
    const quarter = withShare('simpo', 'laptop', { share: 0.25, rate: 1 / 3 }) as { optimizer: { steps: number; learningRate: number } }; // prettier-ignore
    assert.ok(quarter.optimizer.steps > 0 && quarter.optimizer.learningRate > 0);
    assert.ok(3 * one.optimizer.steps - 4 * quarter.optimizer.steps <= 4);
  });
});
