/** Retrieval on vectors whose neighbours are known. */
import assert from 'node:assert/strict';
import { retrieval } from '../../lib/eval';

const at = (...degrees: number[]): Float32Array[] =>
  degrees.map((d) => Float32Array.of(Math.cos((d * Math.PI) / 180), Math.sin((d * Math.PI) / 180)));

describe('retrieval', () => {
  it('counts partners among the nearest, in both directions', () => {
    // Queries find 0, 1 (nearer to 0's partner), 2; backwards 0, 1 and 2 do.
    const found = retrieval(at(0, 20, 90), at(5, 38, 80), { groupSize: 3, at: [1, 2] });
    assert.equal(found.recall[1], 5 / 6);
    assert.equal(found.recall[2], 1);
    assert.equal(found.chance[1], 1 / 3);
    assert.equal(found.margin[1], 0);
  });

  it('averages over groups, with an interval from their spread', () => {
    const found = retrieval(at(0, 90, 0, 90), at(0, 90, 90, 0), { groupSize: 2, at: [1] });
    assert.equal(found.groups, 2);
    assert.equal(found.recall[1], 0.5);
    assert.ok(Math.abs(found.margin[1] - 1.96 * Math.sqrt(0.5 / 2)) < 1e-12);
  });

  it('ties count against the partner: equal vectors are no retrieval', () => {
    assert.equal(retrieval(at(0, 0, 0, 0), at(0, 0, 0, 0), { groupSize: 4, at: [1] }).recall[1], 0);
  });

  it('lists that make no groups are named', () => {
    assert.throws(() => retrieval(at(0, 1), at(0), {}), /whole groups of 50 pairs, got 2 and 1/);
    assert.throws(() => retrieval(at(0, 1, 2), at(0, 1, 2), { groupSize: 2 }), /whole groups of 2/);
  });
});
