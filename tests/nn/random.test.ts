/** Random numbers: the generator, its distributions and its streams. */
import assert from 'node:assert/strict';
import { philox, Random } from '../../lib/nn/random';

const hex = (words: readonly number[]): string => words.map((w) => w.toString(16).padStart(8, '0')).join(' ');

describe('random numbers', () => {
  it("gives Philox 4x32-10's published known answers", () => {
    assert.equal(hex(philox([0, 0, 0, 0], [0, 0])), '6627e8d5 e169c58d bc57ac4c 9b00dbd8');
    const f = 0xffffffff;
    assert.equal(hex(philox([f, f, f, f], [f, f])), '408f276d 41c83b0e a20bc7c6 6d5451fd');
    assert.equal(
      hex(philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])),
      'd16cfe09 94fdcceb 5001e420 24126ea1',
    );
  });

  it('gives independent streams by name, whatever was drawn elsewhere', () => {
    const a = new Random(7);
    const first = a.stream('x').uniforms(5);
    a.uniforms(100);
    assert.deepEqual(a.stream('x').uniforms(5), first);
    assert.notDeepEqual(a.stream('y').uniforms(5), first);
    assert.notDeepEqual(new Random(8).stream('x').uniforms(5), first);
  });

  it('goes on from a stored state', () => {
    for (const n of [0, 1, 3, 4, 17]) {
      const a = new Random(3, 'train');
      for (let i = 0; i < n; i++) a.uint32();
      const b = Random.restore(structuredClone(a.state()));
      assert.deepEqual([b.uint32(), b.normal(), b.int(10)], [a.uint32(), a.normal(), a.int(10)]);
    }
  });

  it('draws uniform, normal and bounded numbers with the right moments', () => {
    const rng = new Random(1);
    const n = 40000;
    const u = Array.from({ length: n }, () => rng.uniform());
    const z = [...rng.normals(n)];
    const mean = (x: number[]): number => x.reduce((a, b) => a + b, 0) / x.length;
    assert.ok(u.every((x) => x >= 0 && x < 1));
    assert.ok(Math.abs(mean(u) - 0.5) < 0.01);
    assert.ok(Math.abs(mean(z)) < 0.02);
    assert.ok(Math.abs(mean(z.map((x) => x * x)) - 1) < 0.03);
    const counts = new Array<number>(6).fill(0);
    for (let i = 0; i < n; i++) counts[rng.int(6)]++;
    for (const c of counts) assert.ok(Math.abs(c / n - 1 / 6) < 0.01);
    const w = new Array<number>(3).fill(0);
    for (let i = 0; i < n; i++) w[rng.weighted([0, 1, 2], [1, 0, 3])]++;
    assert.equal(w[1], 0);
    assert.ok(Math.abs(w[2] / n - 0.75) < 0.01);
  });

  it('permutes without loss', () => {
    const p = new Random(5).permutation(100);
    assert.deepEqual(
      [...p].sort((a, b) => a - b),
      Array.from({ length: 100 }, (_, i) => i),
    );
    assert.notDeepEqual(
      p,
      [...p].sort((a, b) => a - b),
    );
  });

  it('refuses bad seeds, bounds and weights', () => {
    for (const seed of [-1, 1.5, NaN, 2 ** 53]) assert.throws(() => new Random(seed), /expected a seed in/);
    assert.throws(() => new Random(0).int(0), /expected a bound/);
    assert.throws(() => new Random(0).choice([]), /non-empty/);
    assert.throws(() => new Random(0).weighted([1, 2], [0, 0]), /positive sum/);
  });
});
