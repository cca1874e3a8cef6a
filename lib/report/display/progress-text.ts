/** How progress reads: one line of text for terminals and logs, one of HTML for notebooks. */
import { formatNumber } from '../numbers';
import { escapeHtml } from '../table-text';

/** A value shown beside the bar, for instance the last loss. */
export type ProgressInfo = Record<string, number | string>;

export interface ProgressState {
  label: string;
  unit: string;
  total: number;
  done: number;
  /** Units that were done before the start. */
  initial: number;
  /** Seconds since the start. */
  elapsed: number;
  /** Units a second over the recent past; null before there is one. */
  rate: number | null;
  info: ProgressInfo;
  status: 'running' | 'done' | 'failed';
  error?: string;
}

/** 4 s, 0:58, 12:05, 1:02:03. */
export function formatDuration(seconds: number): string {
  if (seconds < 9.95) return `${seconds < 0.095 ? seconds.toFixed(2) : seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Share done, in [0, 1]; an empty task counts as done. */
const shareDone = ({ done, total }: ProgressState) => (total > 0 ? Math.min(1, done / total) : 1);

function bar(share: number, width: number): string {
  const eighths = Math.round(share * width * 8);
  const full = Math.floor(eighths / 8);
  const part = eighths % 8 ? ' ▏▎▍▌▋▊▉'[eighths % 8] : '';
  return ('█'.repeat(full) + part).padEnd(width, '░');
}

const infoText = (info: ProgressInfo) =>
  Object.entries(info).map(([name, value]) => `${name} ${typeof value === 'number' ? formatNumber(value) : value}`);

/** The parts of the line behind the bar: count, rate, time, values. */
function details(state: ProgressState): string[] {
  const { unit, total, done, initial, elapsed, rate, info, status, error } = state;
  const count = `${done}/${total} ${unit}`;
  if (status === 'failed') return [`failed at ${count} after ${formatDuration(elapsed)}: ${error}`];
  const values = infoText(info);
  const mean = elapsed > 0 && done > initial ? (done - initial) / elapsed : null;
  const speed = status === 'done' ? mean : rate;
  const parts = [count];
  if (speed !== null) parts.push(`${formatNumber(speed)} ${unit}/s`);
  if (status === 'done') parts.push(`in ${formatDuration(elapsed)}`);
  else if (rate !== null && rate > 0 && done < total) parts.push(`${formatDuration((total - done) / rate)} left`);
  return [...parts, ...values];
}

/** One line, without a line end: `train dpo  ████░░░░  40 %  480/1200 steps, 12.3 steps/s, 0:58 left, loss 1.92`. */
export function progressLine(state: ProgressState, width = 20): string {
  // Rounded down: 100 % is said only when all is done.
  const percent = `${Math.floor(shareDone(state) * 100)} %`.padStart(5);
  const line = `${state.label}  ${bar(shareDone(state), width)} ${percent}  ${details(state).join(', ')}`;
  return line.replace(/\s*\n\s*/g, ' ');
}

/** The line for a log, which needs no bar: `train dpo: 40 %, 480/1200 steps, ...`. */
export function progressLog(state: ProgressState): string {
  const percent = state.status === 'failed' ? [] : [`${Math.floor(shareDone(state) * 100)} %`];
  return `${state.label}: ${[...percent, ...details(state)].join(', ')}`.replace(/\s*\n\s*/g, ' ');
}

/** The bar for a notebook; plain HTML, so that it is still there in a saved notebook. */
export function progressHtml(state: ProgressState): string {
  const percent = Math.floor(shareDone(state) * 100);
  const color = { running: '#0072B2', done: '#009E73', failed: '#D55E00' }[state.status];
  const text = escapeHtml(details(state).join(' · '));
  return (
    `<div style="font-family:sans-serif;font-size:13px;display:flex;flex-wrap:wrap;gap:4px 10px;align-items:center">` +
    `<b>${escapeHtml(state.label)}</b>` +
    `<div role="progressbar" aria-valuenow="${percent}" aria-valuemin="0" aria-valuemax="100" ` +
    `aria-label="${escapeHtml(state.label)}" style="width:200px;height:12px;background:#E3E3E3;border-radius:6px;overflow:hidden">` +
    `<div style="width:${percent}%;height:100%;background:${color}"></div></div>` +
    `<span>${percent} %</span><span style="font-variant-numeric:tabular-nums">${text}</span></div>`
  );
}
