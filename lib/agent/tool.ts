/**
 * Tools: what they are, and the registry of those that an agent may call. A tool says what it takes as a zod schema, so
 * that a call is checked before it runs and a model can be told what to write.
 */
import { z } from 'zod';
import { ArgumentError } from '../errors';

/** What a tool throws to tell the model what went wrong: `message` becomes its result. Any other error does too. */
export class ToolError extends Error {}

/** What a tool's run gets besides its arguments. */
export interface ToolContext {
  /** Aborted when the time is over or the user has stopped the answer; a tool should then end. */
  signal: AbortSignal;
  /** For tools that draw random numbers: the same chat with the same seed gives the same one. */
  seed: number;
}

/** What a tool returns: a text for the model, and perhaps a value for the program that called `chat`. */
export interface ToolResult {
  text: string;
  value?: unknown;
}

export interface Tool<S extends z.ZodType = z.ZodType> {
  /** As the model writes it: letters, digits, "_", "-" and "."; at most 64. */
  name: string;
  /** One sentence: what it does and when to use it. */
  description: string;
  /** What it takes: a schema of an object. */
  parameters: S;
  /** In milliseconds; default: the chat's limit. */
  timeoutMs?: number;
  /**
   * Returns a text, or a text and a value. What it throws becomes an error that the model sees. It runs in this
   * process: wait for what takes long, and heed the signal; an endless loop without an await cannot be stopped.
   */
  run(args: z.output<S>, context: ToolContext): string | ToolResult | Promise<string | ToolResult>;
}

/** Longest time limit: what a timer of Node takes, 24 days. A longer one would fire at once. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** @throws ArgumentError for a time limit that no timer keeps */
export function checkTimeout(where: string, name: string, timeoutMs: number): void {
  if (!(timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS))
    throw new ArgumentError(
      where,
      `expected ${name} as milliseconds above 0, at most ${MAX_TIMEOUT_MS}, got ${timeoutMs}`,
      'leave it out for the default',
    );
}

/**
 * A tool, with the types of its arguments taken from its schema.
 * @throws ArgumentError for a name, a schema, a time limit or a function that cannot be used
 */
export function defineTool<S extends z.ZodType>(tool: Tool<S>): Tool<S> {
  if (typeof tool !== 'object' || tool === null)
    throw new ArgumentError('defineTool', `expected a tool, got ${String(tool)}`, 'write defineTool({ name, ... })');
  if (typeof tool.name !== 'string' || !/^[A-Za-z_][\w.-]{0,63}$/.test(tool.name))
    throw new ArgumentError(
      'defineTool',
      `expected a name of letters, digits, "_", "-" and ".", got "${String(tool.name)}"`,
      'name it as a function, weather_report for example',
    );
  // Not by its class: a project may have a copy of zod of its own.
  if (!(
    (tool.parameters as Partial<z.ZodType> | undefined)?._zod && typeof tool.parameters.safeParseAsync === 'function'
  ))
    throw new ArgumentError(
      'defineTool',
      `expected the parameters of ${tool.name} to be a schema of zod 4, got ${typeof tool.parameters}`,
      "write parameters: z.object({ city: z.string() }), with z from 'omnilab/agent' or zod 4",
    );
  if (typeof tool.run !== 'function')
    throw new ArgumentError(
      'defineTool',
      `expected the run of ${tool.name} to be a function, got ${typeof tool.run}`,
      'write run: ({ city }) => ...',
    );
  if (tool.timeoutMs !== undefined) checkTimeout('defineTool', `timeoutMs of ${tool.name}`, tool.timeoutMs);
  return tool;
}

/** The tools that there are, by name. */
export type ToolRegistry = ReadonlyMap<string, Tool>;

/** A registry of these tools. @throws ArgumentError where two have one name */
export function toolRegistry(tools: readonly Tool[]): ToolRegistry {
  const registry = new Map<string, Tool>();
  for (const tool of tools) {
    defineTool(tool);
    if (registry.has(tool.name))
      throw new ArgumentError('toolRegistry', `two tools are named ${tool.name}`, 'give one of them another name');
    registry.set(tool.name, tool);
  }
  return registry;
}

/**
 * The tools as text for a system prompt: name, description and JSON schema, and how a call is written. The small models
 * of OmniWorld have learned their two tools from examples and are not told; a model that follows instructions is.
 */
export function describeTools(tools: Iterable<Tool>): string {
  const lines = [...tools].map(
    ({ name, description, parameters }) =>
      `- ${name}: ${description} Arguments: ${JSON.stringify(z.toJSONSchema(parameters, { unrepresentable: 'any', io: 'input' }))}`,
  );
  return `You can call these tools by writing <TOOL_CALL>{"name": ..., "arguments": {...}}:\n${lines.join('\n')}`;
}
