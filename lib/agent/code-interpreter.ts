/** `code_interpreter`: runs JavaScript in the sandbox, and gives back what it printed and its value. */
import { z } from 'zod';
import { Sandbox } from './sandbox';
import type { SandboxLimits } from './sandbox';
import { defineTool, ToolError } from './tool';

/**
 * The tool. Its result is what the program printed, line by line, then the value of its last expression; a program that
 * has neither, fails, or goes over a limit gives an error. OmniWorld's own programs run in world/javascript.ts, which
 * does the same for what it allows (a test compares them on random programs) but at once: data are made by functions
 * that do not wait.
 */
export function codeInterpreter(limits: Partial<SandboxLimits> = {}) {
  const sandbox = new Sandbox(limits);
  return defineTool({
    name: 'code_interpreter',
    description:
      'Runs a JavaScript program, without files, network or modules. Returns what it prints and its last value.',
    parameters: z.strictObject({ code: z.string() }),
    // The sandbox keeps its own time; this is for its thread to start as well, on a busy machine.
    timeoutMs: (limits.timeoutMs ?? 0) + 40_000,
    async run({ code }, { signal, seed }) {
      const outcome = await sandbox.run(code, { signal, seed });
      if (!outcome.ok) throw new ToolError(outcome.error);
      const parts = [outcome.output, outcome.value].filter((text) => text !== null && text !== '');
      if (!parts.length) throw new ToolError('no value: end the program with an expression, or print one');
      return parts.join('\n');
    },
  });
}
