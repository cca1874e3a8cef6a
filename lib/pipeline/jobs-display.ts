/**
 * What several runs at once show: in a terminal a line for each at its foot, with count, rate and time left; elsewhere a
 * plain line now and then.
 */
import { ProgressCount } from '../report/display/progress-count';
import { progressLine, progressLog } from '../report/display/progress-text';
import { StatusLines } from '../report/display/status-lines';
import type { JobEvent } from './job';

/** Milliseconds between two plain lines of a run. */
const SILENCE = 30_000;
/** Characters of a bar: shorter than where there is one, so that the time left fits into the terminal. */
const BAR = 10;

export interface JobLine {
  event(event: JobEvent): void;
  /** A line of the run: what its process printed. */
  say(text: string): void;
  /** Takes its line away, and prints how it ended. */
  end(text: string): void;
}

export interface JobsDisplay {
  begin(label: string): JobLine;
  print(text: string): void;
  /** Takes the lines away, at the end or before somebody else prints; the next event brings them back. */
  clear(): void;
}

export interface JobsDisplayOptions {
  /** Where lines for the reader go. */
  print: (line: string) => void;
  /** The terminal; default stderr. null: print alone. */
  stream?: NodeJS.WriteStream | null;
  /** Milliseconds of some clock. For tests. */
  now?: () => number;
}

/** Shows runs on a terminal, or by `print` alone where the stream is none. */
export function jobsDisplay(options: JobsDisplayOptions): JobsDisplay {
  const { stream = process.stderr, now = () => performance.now() } = options;
  const status = stream?.isTTY ? new StatusLines(stream) : null;
  const lines = new Map<symbol, string>();
  const draw = (): void => status?.set([...lines.values()]);
  const print = (text: string): void => (status ? status.print(() => options.print(text)) : options.print(text));
  return {
    print,
    clear: () => status?.set([]),
    begin(label) {
      const key = Symbol(label);
      let counted: { count: ProgressCount; experiment: string } | undefined;
      let printed = now();
      const say = (text: string): void => print(`${label}: ${text}`);
      lines.set(key, `${label}  starting`);
      if (status) draw();
      else say('started');
      return {
        say,
        event(event) {
          if (event.kind === 'message') return say(event.text);
          const { done, total, info, experiment } = event;
          // Another total is another part of the work, which begins to count anew.
          if (counted?.count.state.total !== total || counted.experiment !== experiment)
            counted = { count: new ProgressCount({ total, label, unit: 'steps', initial: done, now }), experiment };
          else if (!counted.count.update(done, info)) return;
          const { state } = counted.count;
          lines.set(key, progressLine(state, BAR));
          if (status) return draw();
          if (now() - printed < SILENCE) return;
          printed = now();
          print(progressLog(state));
        },
        end(text) {
          lines.delete(key);
          draw();
          say(text);
        },
      };
    },
  };
}
