/** The verdict on a direction, at and beside its borders. */
import assert from 'node:assert/strict';
import { directionVerdict } from '../../lib/eval';

describe('verdict on a direction', () => {
  const paper = { method: 2.3, baseline: 1.9 };
  const verdict = (method: number[]): string => directionVerdict({ paper, ours: { method, baseline: 2 } });
  it('holds when every seed agrees with the sign', () => assert.equal(verdict([2.2, 2.1]), 'holds'));
  it('does not hold when none does', () => assert.equal(verdict([1.8, 1.9]), 'does not hold'));
  it('is undecided when seeds differ or the difference is slight', () => {
    assert.equal(verdict([2.3, 1.95]), 'undecided');
    assert.equal(verdict([2.01]), 'undecided');
  });
  it('is undecided where there is nothing to compare', () => {
    assert.equal(verdict([2.2, NaN]), 'undecided');
    const same = directionVerdict({ paper: { method: 1, baseline: 1 }, ours: { method: [3], baseline: 2 } });
    assert.equal(same, 'undecided');
  });
  it('needs a seed', () => assert.throws(() => verdict([]), /at least one seed/));
});
