/** `omnilab run` */
import '../experiments';
import { listExperiments } from '../pipeline/experiment';
import { plan } from '../pipeline/identity';
import { parseProfile } from '../pipeline/profile';
import { run } from '../pipeline/run';
import type { Run } from '../pipeline/run-result';
import { interruptible } from './interrupt';
import type { Terminal } from './terminal';
import { checkDevice, STATUS, usage, UsageError } from './status';

export interface RunCommandOptions {
  profile: string;
  device: string;
  seed?: number;
  seeds?: number;
  set?: string[];
  json?: boolean;
}

/** `a.b=1` and `c=text` as {a: {b: 1}, c: 'text'}: values are JSON, or else texts. */
export function parseSettings(settings: readonly string[]): Record<string, unknown> {
  const out = Object.create(null) as Record<string, unknown>;
  for (const setting of settings) {
    const at = setting.indexOf('=');
    if (at < 1) throw new UsageError('--set', `expected key=value, got "${setting}"`, 'write --set steps=10');
    const path = setting.slice(0, at).split('.');
    const text = setting.slice(at + 1);
    let value: unknown = text;
    try {
      value = JSON.parse(text);
    } catch {
      // A text that needs no quotes.
    }
    let inner = out;
    for (const key of path.slice(0, -1)) {
      const next = inner[key];
      inner = (
        typeof next === 'object' && next !== null ? next : (inner[key] = Object.create(null) as object)
      ) as Record<string, unknown>;
    }
    inner[path.at(-1)!] = value;
  }
  return out;
}

/** `omnilab run`. Returns the exit status. */
export async function runCommand(
  name: string | undefined,
  options: RunCommandOptions,
  terminal: Terminal,
): Promise<number> {
  if (name === undefined) {
    const all = listExperiments();
    if (options.json) terminal.out(JSON.stringify(all.map((e) => e.name)) + '\n');
    else for (const e of all) terminal.out(`${e.name}${e.description ? `  ${e.description}` : ''}\n`);
    return STATUS.ok;
  }
  if (options.seed !== undefined && options.seeds !== undefined)
    throw new UsageError('run', '--seed and --seeds were both given', 'give one of them');
  const profile = usage(() => parseProfile(options.profile));
  checkDevice(options.device);
  const config = parseSettings(options.set ?? []);
  const seeds = options.seeds ? Array.from({ length: options.seeds }, (_, i) => i) : [options.seed ?? 0];
  usage(() => plan(name, profile, seeds[0], config));
  const runs: Run[] = [];
  await interruptible(
    async (signal) => {
      for (const seed of seeds) {
        const made = await run(name, { profile, device: options.device, seed, config, signal });
        runs.push(made);
        if (options.json) continue;
        terminal.out(`${name}, seed ${seed}: ${made.reused ? 'present' : 'made'}, ${made.dir}\n`);
        for (const [metric, value] of Object.entries(made.metrics)) terminal.out(`  ${metric}: ${value}\n`);
      }
    },
    () => terminal.err('\nstopping after this step; once more to end at once\n'),
  );
  if (options.json)
    terminal.out(
      JSON.stringify(
        runs.map((r) => ({ dir: r.dir, reused: r.reused, ...r.manifest })),
        null,
        2,
      ) + '\n',
    );
  return STATUS.ok;
}
