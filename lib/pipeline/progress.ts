/**
 * How a run tells of itself: events to a callback, and their rendering as progress bars by a display that is put in from
 * outside (a notebook's or a terminal's).
 */

/** What a run says while it works. */
export type RunEvent =
  | { kind: 'message'; experiment: string; text: string }
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
  progress(options: { total: number; label: string; unit?: string }): ProgressBar;
}

/** Turns events into one bar for each experiment, and messages. */
export function showOn(display: RunDisplay): OnProgress {
  const bars = new Map<string, ProgressBar>();
  return (event) => {
    if (event.kind === 'message') return display.message(`${event.experiment}: ${event.text}`);
    let bar = bars.get(event.experiment);
    if (event.kind === 'progress') {
      if (!bar) {
        bar = display.progress({ total: event.total, label: event.experiment, unit: 'step' });
        bars.set(event.experiment, bar);
      }
      return bar.update(event.done, event.info);
    }
    bars.delete(event.experiment);
    if (event.error) bar?.fail(event.error);
    else bar?.done();
  };
}

let standard: OnProgress = () => undefined;

/** Sets what happens to the events of runs whose caller gives no callback of its own. Silent at first. */
export function setDefaultProgress(onProgress: OnProgress): void {
  standard = onProgress;
}
export const defaultProgress: OnProgress = (event) => standard(event);
