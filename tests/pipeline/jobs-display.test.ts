/** What several runs at once show: lines that change in place in a terminal, plain lines elsewhere. */
import assert from 'node:assert/strict';
import { jobsDisplay } from '../../lib/pipeline/jobs-display';
import { fakeStream } from '../report/helpers';

const ESC = '\x1b';

/** What a terminal shows in the end, for the signs that the display uses: up, to the left, clear below. */
function screen(text: string): string[] {
  const lines = [''];
  let row = 0;
  for (const part of text.split(new RegExp(`(${ESC}\\[\\d*[AJ]|\r|\n)`))) {
    const up = new RegExp(`^${ESC}\\[(\\d+)A$`).exec(part);
    if (up) {
      row -= Number(up[1]);
      assert.ok(row >= 0, 'above the first line');
    } else if (part === `${ESC}[J`) lines.splice(row, Infinity, '');
    else if (part === '\n') lines[++row] ??= '';
    else if (part !== '\r') lines[row] += part;
  }
  return lines;
}

const steps = (experiment: string, done: number, total = 100) =>
  ({ kind: 'progress', experiment, done, total, info: { loss: 0.5 } }) as const;

describe('pipeline: display of jobs', () => {
  it('in a terminal: a line each at the foot, with rate and time left; others above', () => {
    let at = 0;
    const stream = fakeStream(true);
    const display = jobsDisplay({ stream, now: () => at, print: (line) => void stream.write(`${line}\n`) });
    display.print('two runs');
    const [a, b] = ['[1/2] a', '[2/2] b'].map((label) => display.begin(label));
    assert.deepEqual(screen(stream.text), ['two runs', '[1/2] a  starting', '[2/2] b  starting', '']);
    a.event(steps('a', 0));
    for (let done = 1; done <= 20; done++) {
      at += 500;
      a.event(steps('a', done));
    }
    b.event({ kind: 'message', experiment: 'b', text: 'going on from step 30' });
    const shown = screen(stream.text);
    assert.deepEqual(shown.slice(0, 2), ['two runs', '[2/2] b: going on from step 30']);
    assert.match(shown[2], /^\[1\/2\] a .* 20 % {2}20\/100 steps, 2 steps\/s, 0:40 left, loss 0.500$/);
    assert.deepEqual(shown.slice(3), ['[2/2] b  starting', '']);
    a.end('made in 10 s');
    assert.deepEqual(screen(stream.text).slice(2), ['[1/2] a: made in 10 s', '[2/2] b  starting', '']);
    b.event(steps('b', 1));
    b.event({ ...steps('b', 1, 7), info: { note: 'x'.repeat(200) } });
    assert.ok(
      screen(stream.text).every((line) => line.length < 120),
      'no line is wrapped',
    );
    // What somebody else prints is not overwritten.
    display.clear();
    stream.write('stopping\n');
    b.event({ kind: 'message', experiment: 'b', text: 'nearly there' });
    b.end('failed');
    display.clear();
    assert.deepEqual(screen(stream.text).slice(2), [
      '[1/2] a: made in 10 s',
      'stopping',
      '[2/2] b: nearly there',
      '[2/2] b: failed',
      '',
    ]);
  });

  it('elsewhere: the start, the end, and something every half minute at most', () => {
    let at = 0;
    const lines: string[] = [];
    const display = jobsDisplay({ stream: fakeStream(false), now: () => at, print: (line) => void lines.push(line) });
    const line = display.begin('[1/1] a');
    for (let done = 1; done <= 70; done++) {
      at += 1000;
      line.event(steps('a', done));
    }
    line.end('made in 1 min 10 s');
    display.clear();
    assert.deepEqual(lines, [
      '[1/1] a: started',
      '[1/1] a: 30 %, 30/100 steps, 1 steps/s, 1:10 left, loss 0.500',
      '[1/1] a: 60 %, 60/100 steps, 1 steps/s, 0:40 left, loss 0.500',
      '[1/1] a: made in 1 min 10 s',
    ]);
  });
});
