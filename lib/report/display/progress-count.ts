/** Counts units of work for a progress display: how many are done, how fast, since when. */
import { ArgumentError } from '../../errors';
import type { ProgressInfo, ProgressState } from './progress-text';

/** Milliseconds between two redraws. */
const redraw = 200;
/** Milliseconds of the past that the rate is measured over. */
const rateWindow = 10_000;

export interface ProgressCountOptions {
  total: number;
  label: string;
  unit: string;
  /** Units that were done before; they do not count for the rate. */
  initial: number;
  /** Milliseconds of some clock. */
  now: () => number;
}

export class ProgressCount {
  readonly state: ProgressState;
  private readonly now: () => number;
  private readonly start: number;
  /** Times and counts of the last seconds, oldest first. */
  private readonly past: { at: number; done: number }[];
  private drawn: number;

  /** Throws ArgumentError for a total or a count that is not a number of 0 or more. */
  constructor({ total, label, unit, initial, now }: ProgressCountOptions) {
    this.state = { label, unit, total, done: initial, initial, elapsed: 0, rate: null, info: {}, status: 'running' };
    this.check('total', total);
    this.check('initial', initial);
    this.now = now;
    this.start = this.drawn = now();
    this.past = [{ at: this.start, done: initial }];
  }

  private check(name: string, value: number): void {
    if (Number.isFinite(value) && value >= 0) return;
    const where = `progress "${this.state.label}"`;
    throw new ArgumentError(where, `expected ${name} of 0 or more, got ${value}`, 'count units of work');
  }

  /** Notes a count; true if it is time to draw it. Cheap: may be called on every step. */
  update(done: number, info?: ProgressInfo): boolean {
    const { state, past } = this;
    this.check('the count', done);
    if (state.status !== 'running') return false;
    state.done = done;
    if (info) state.info = { ...info };
    const at = this.now();
    // Samples are kept at the pace of redraws; one per step would make 100,000 of them.
    if (at - this.drawn < redraw) return false;
    this.drawn = at;
    past.push({ at, done });
    while (past.length > 2 && at - past[1].at >= rateWindow) past.shift();
    const seconds = (at - past[0].at) / 1000;
    state.elapsed = (at - this.start) / 1000;
    state.rate = seconds > 0 && done > past[0].done ? (done - past[0].done) / seconds : state.rate;
    return true;
  }

  /** Ends the count; false if it had ended before. */
  finish(status: 'done' | 'failed'): boolean {
    if (this.state.status !== 'running') return false;
    this.state.status = status;
    this.state.elapsed = (this.now() - this.start) / 1000;
    return true;
  }
}
