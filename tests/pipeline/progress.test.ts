/** Events of runs on a display: one bar for each experiment, from where it goes on to its end. */
import assert from 'node:assert/strict';
import { showOn } from '../../lib/pipeline';

describe('pipeline: progress', () => {
  it('opens a bar at the first step seen, moves it, and ends it', () => {
    const seen: unknown[] = [];
    const onProgress = showOn({
      message: (text) => seen.push(text),
      progress: ({ label, total, initial }) => {
        seen.push(`${label} ${initial}/${total}`);
        return {
          update: (done, info) => seen.push([label, done, info]),
          done: () => seen.push(`${label} done`),
          fail: (error) => seen.push(`${label} failed: ${error.message}`),
        };
      },
    });
    onProgress({ kind: 'message', experiment: 'a', text: 'going on from step 30' });
    onProgress({ kind: 'progress', experiment: 'a', done: 31, total: 60, info: { loss: 1 } });
    onProgress({ kind: 'progress', experiment: 'b', done: 1, total: 2 });
    onProgress({ kind: 'progress', experiment: 'b', done: 2, total: 2 });
    onProgress({ kind: 'progress', experiment: 'b', done: 1, total: 5 });
    onProgress({ kind: 'end', experiment: 'a' });
    onProgress({ kind: 'end', experiment: 'b', error: new Error('NaN') });
    onProgress({ kind: 'end', experiment: 'c' });
    assert.deepEqual(seen, [
      'a: going on from step 30',
      'a 31/60',
      ['a', 31, { loss: 1 }],
      'b 1/2',
      ['b', 1, undefined],
      ['b', 2, undefined],
      'b done',
      'b 1/5',
      ['b', 1, undefined],
      'a done',
      'b failed: NaN',
    ]);
  });
});
