/** `omnilab doctor`: what this machine has, what is missing, and what to do about it. */
import { checks, examine } from './checks';
import type { Finding } from './checks';
import type { Terminal } from './terminal';
import { STATUS } from './status';

const SIGN: Record<Finding['status'], string> = { ok: 'ok     ', missing: 'missing', problem: 'PROBLEM' };

/** `omnilab doctor`. Returns the exit status. */
export async function doctor(options: { json?: boolean }, terminal: Terminal, which = checks): Promise<number> {
  const findings: Finding[] = [];
  for (const check of which) {
    const finding = await examine(check);
    findings.push(finding);
    if (options.json) continue;
    terminal.out(`${SIGN[finding.status]}  ${finding.name}: ${finding.found}\n`);
    if (finding.advice) terminal.out(`         -> ${finding.advice}\n`);
  }
  const healthy = findings.every((f) => f.status !== 'problem');
  if (options.json) terminal.out(JSON.stringify({ healthy, findings }, null, 2) + '\n');
  else terminal.out(healthy ? 'all that is needed is there\n' : 'something that is needed is missing\n');
  return healthy ? STATUS.ok : STATUS.failure;
}
