/**
 * How a run tells of itself: events to a callback, and their rendering as progress bars on a display: by default the
 * notebook's or the terminal's.
 */
import { notebook, show } from '../report/display/hook';
import { progress } from '../report/display/progress';
import type { LogRow } from './metrics-log';

/** What a run says while it works. */
export type RunEvent =
  | { kind: 'message'; experiment: string; text: string }
  /** It begins, or goes on, in this folder. */
  | { kind: 'start'; experiment: string; dir: string }
  /** A logged row. Those that an interrupted run had logged before come first. */
  | { kind: 'log'; experiment: string; row: LogRow }
  | { kind: 'progress'; experiment: string; done: number; total: number; info?: Record<string, number | string> }
  | { kind: 'end'; experiment: string; error?: Error };

export type OnProgress = (event: RunEvent) => void;

/** A bar that updates in place. */
export interface ProgressBar {
  update(done: number, info?: Record<string, number | string>): void;
  done(): void;
  fail(error: Error): void;
}

/** Where events are shown. */
export interface RunDisplay {
  message(text: string): void;
  /** `initial` units were done before, by an interrupted run. */
  progress(options: { total: number; label: string; unit: string; initial: number }): ProgressBar;
}

/** Turns events into a bar for each experiment (another one where it begins to count anew, to another total), and messages. Logged rows are for charts (watch.ts). */
export function showOn(display: RunDisplay): OnProgress {
  const bars = new Map<string, { bar: ProgressBar; total: number }>();
  return (event) => {
    if (event.kind === 'message') return display.message(`${event.experiment}: ${event.text}`);
    if (event.kind === 'start' || event.kind === 'log') return;
    const shown = bars.get(event.experiment);
    if (event.kind === 'progress') {
      const { done, total, experiment } = event;
      if (shown?.total === total) return shown.bar.update(done, event.info);
      shown?.bar.done();
      const bar = display.progress({ total, label: experiment, unit: 'steps', initial: done });
      bars.set(experiment, { bar, total });
      return bar.update(done, event.info);
    }
    bars.delete(event.experiment);
    if (event.error) shown?.bar.fail(event.error);
    else shown?.bar.done();
  };
}

/** A notebook's output, or the terminal's stderr. */
const standardDisplay: RunDisplay = {
  message: (text) => (notebook() ? show({ 'text/plain': text }) : void process.stderr.write(`${text}\n`)),
  progress,
};

let standard: OnProgress = showOn(standardDisplay);

/** Sets what happens to the events of runs whose caller gives no callback of its own. */
export function setDefaultProgress(onProgress: OnProgress): void {
  standard = onProgress;
}

/** Shows a run where the caller gives no display of its own. */
export const defaultProgress: OnProgress = (event) => standard(event);
