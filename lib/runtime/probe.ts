/**
 * Which devices work on this machine, found by running a small program on each. It is done in a process of its own,
 * since a driver that is broken can end the process that asks.
 */
import { execFile } from 'node:child_process';
import path from 'node:path';

/** What one device can do. */
export interface DeviceReport {
  name: string;
  works: boolean;
  /** Whether it computes with float16; without, only float32 programs run on it. */
  float16: boolean;
  /** Milliseconds until the first result; null if there was none. */
  startMs: number | null;
  /** Why it does not work (or why not float16), and what to do. */
  reason: string | null;
  help: string | null;
}

const PROBED_DEVICES = ['cpu', 'webgpu', 'cuda:0', 'tfjs'] as const;
/** Precedes the report on the child's output, which drivers write to as well. */
export const REPORT_MARK = 'omnilab-device-report:';
const TIMEOUT_MS = 60_000;

const failed = (name: string, reason: string, help: string): DeviceReport => ({
  name,
  works: false,
  float16: false,
  startMs: null,
  reason,
  help,
});

/** Tries one device, e.g. webgpu or cuda:1. Never throws: what goes wrong is the report's reason. */
export function probeDevice(name: string, timeoutMs = TIMEOUT_MS): Promise<DeviceReport> {
  return new Promise((resolve) => {
    const child = path.join(__dirname, 'probe-child.js');
    execFile(
      process.execPath,
      [child, name],
      { timeout: timeoutMs, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => {
        const line = stdout.split('\n').find((l) => l.startsWith(REPORT_MARK));
        if (line) {
          const report = JSON.parse(line.slice(REPORT_MARK.length)) as DeviceReport;
          // Which library is missing stands only in the runtime's log.
          const library = report.works ? null : /with error: (.+)/.exec(stderr)?.[1];
          resolve(library ? { ...report, reason: `${report.reason} (${library})` } : report);
        } else if (error?.killed)
          resolve(failed(name, `it gave no answer in ${timeoutMs / 1000} s`, 'check the driver, or use device cpu'));
        else {
          const end = error?.signal ? `signal ${error.signal}` : `code ${error?.code ?? 0}`;
          resolve(failed(name, `the process that tried it ended with ${end}`, 'check the driver, or use device cpu'));
        }
      },
    );
  });
}

/** Tries cpu, webgpu, cuda:0 and tfjs, one after the other. */
export async function probeDevices(names: readonly string[] = PROBED_DEVICES): Promise<DeviceReport[]> {
  const reports: DeviceReport[] = [];
  for (const name of names) reports.push(await probeDevice(name));
  return reports;
}
