/** Attribute accuracy of generated media: estimates and intervals, chance, renderings and their permutations, tables. */
import assert from 'node:assert/strict';
import { attributeMetrics, estimate, mediaAttributes, mediumAttributes } from '../../lib/eval';
import type { GeneratedMedium } from '../../lib/eval';
import { Random } from '../../lib/nn';
import { attributeTable, checkTable } from '../../lib/report';
import { drawScene, MODALITIES, renderMedium } from '../../lib/world';
import type { Modality, Scene } from '../../lib/world';

const scenes = Array.from({ length: 24 }, (_, i) => drawScene(new Random(3, `media ${i}`), { split: 'test' }));
const shown = (modality: Modality, scene: Scene, expected = scene.objects): GeneratedMedium => ({
  expected,
  medium: renderMedium(modality, scene),
});

describe('attributes of generated media', () => {
  it("Wilson's interval: published values, and never empty", () => {
    // scipy.stats.binomtest(k, n).proportion_ci(method='wilson')
    const close = (a: number, b: number): void => assert.ok(Math.abs(a - b) < 1e-6, `${a} and ${b}`);
    const eight = estimate([1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
    close(eight.mean, 0.8);
    close(eight.low, 0.4901625);
    close(eight.high, 0.9433178);
    const all = estimate(new Array<number>(10).fill(1));
    close(all.low, 0.7224672);
    assert.equal(all.high, 1);
    const none = estimate(new Array<number>(10).fill(0));
    close(none.high, 0.2775328);
    assert.equal(none.low, 0);
    assert.ok(estimate([0.5]).high - estimate([0.5]).low > 0.5);
    assert.throws(() => estimate([]), /at least one value.*none/);
    assert.throws(() => estimate([0.5, 1.5]), /got 1.5/);
  });

  it('renderings of what was expected get everything right; motion counts in clips alone', () => {
    const reports = mediaAttributes(MODALITIES.flatMap((m) => scenes.map((s) => shown(m, s))));
    assert.deepEqual(
      reports.map((r) => r.modality),
      [...MODALITIES],
    );
    for (const r of reports) {
      assert.equal(r.media, scenes.length);
      assert.equal(
        r.objects,
        scenes.reduce((n, s) => n + s.objects.length, 0),
      );
      assert.equal(r.accuracy.motion !== undefined, r.modality === 'video');
      for (const [name, e] of Object.entries(r.accuracy)) assert.equal(e.mean, 1, `${r.modality} ${name}`);
    }
  });

  it('renderings of other scenes get about the chance that is stated', () => {
    const others = Array.from({ length: 150 }, (_, i) => drawScene(new Random(4, `other ${i}`)));
    const [report] = mediaAttributes(others.map((s, i) => shown('video', s, others[(i + 1) % others.length].objects)));
    assert.ok(report.accuracy.exact!.mean < 0.05);
    for (const [name, e] of Object.entries(report.accuracy)) {
      const chance = report.chance[name as keyof typeof report.chance]!;
      assert.ok(Math.abs(e.mean - chance) < 0.1, `${name}: ${e.mean}, chance ${chance}`);
    }
  });

  it('one wrong attribute of one object counts for its share', () => {
    const scene = scenes.find((s) => s.objects.length === 2)!;
    const [first, second] = scene.objects;
    const colour = first.colour === 'red' ? 'blue' : 'red';
    const values = mediumAttributes(shown('image', scene, [{ ...first, colour }, second]));
    assert.equal(values.colour, 0.5);
    assert.equal(values.shape, 1);
    assert.equal(values.exact, 0);
    const missing = mediumAttributes(shown('image', { ...scene, objects: [first] }, scene.objects));
    assert.equal(missing.shape, 0.5);
    assert.equal(missing.count, 0);
    assert.throws(() => mediumAttributes(shown('image', scene, [])), /at least one object/);
    assert.throws(() => mediaAttributes([]), /at least one medium/);
  });

  it('metrics and tables', () => {
    const reports = mediaAttributes([shown('image', scenes[0]), shown('video', scenes[1])]);
    const metrics = attributeMetrics(reports);
    assert.equal(metrics['image/shape'], 1);
    assert.equal(metrics['video/media'], 1);
    assert.ok(metrics['video/motion_low'] < 1 && metrics['video/motion_chance'] < 1);
    assert.ok(!('image/motion' in metrics));
    const table = checkTable(attributeTable(reports, { targets: { shape: 0.6 } }));
    assert.equal(table.rows.length, 6 + 7);
    assert.deepEqual(table.rows[0].slice(0, 3), ['image', 'shape', 1]);
    assert.deepEqual(table.rows[0].slice(-2), [0.6, true]);
    assert.deepEqual(table.rows[1].slice(-2), [null, null]);
    const both = checkTable(attributeTable({ captions: reports, chain: reports.slice(0, 1) }));
    assert.deepEqual([both.columns[0], both.rows[0][0], both.rows[13][0]], ['Generated from', 'captions', 'chain']);
  });
});
