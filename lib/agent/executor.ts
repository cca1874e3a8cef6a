/**
 * The action executor: takes the text of a tool call as the model wrote it, checks it against the tool's schema, runs
 * the tool with a time limit, and says what came of it in words for the model. Nothing that a call or a tool does makes
 * it throw, but the user's own signal.
 */
import type { z } from 'zod';
import { CancelledError } from '../errors';
import { parseCall } from '../world/response';
import { checkTimeout, ToolError } from './tool';
import type { Tool, ToolContext, ToolRegistry, ToolResult } from './tool';

/** One tool call and what came of it. */
export interface ToolCall {
  /** As the model wrote it. */
  json: string;
  /** Absent if the call could not be read. */
  name?: string;
  arguments?: Record<string, unknown>;
  ok: boolean;
  /** What the model was told: the tool's text, or "error: ...". */
  result: string;
  /** What the tool returned for the program, a chart's figure for example. */
  value?: unknown;
  milliseconds: number;
}

export interface ExecutorOptions {
  /** Names of the tools that may be called; default: all of the registry. */
  allowed?: readonly string[];
  /** For a tool that names no limit of its own. Default 10,000. */
  timeoutMs?: number;
  /** Characters of a result that the model sees. Default 1000. */
  maxResult?: number;
  seed?: number;
  signal?: AbortSignal;
}

const failed = (text: string): string =>
  `error: ${text.split('\n').find((line) => line.trim()) ?? 'no reason was given'}`;

/** Executes a call. @throws CancelledError once the signal is aborted, ArgumentError for a time limit that is none */
export async function executeCall(json: string, tools: ToolRegistry, options: ExecutorOptions = {}): Promise<ToolCall> {
  const { allowed, timeoutMs = 10_000, maxResult = 1000, signal } = options;
  checkTimeout('executeCall', 'timeoutMs', timeoutMs);
  const began = performance.now();
  const parsed = parseCall(json.trim(), [...tools.keys()]);
  const call: ToolCall = { json, ok: false, result: '', milliseconds: 0, ...named(parsed.call) };
  const finish = (result: string, ok = false): ToolCall => {
    const cut = result.length > maxResult ? `${result.slice(0, maxResult)}... (${result.length} characters)` : result;
    return Object.assign(call, { ok, result: cut, milliseconds: Math.round(performance.now() - began) });
  };
  if (!parsed.call) return finish(failed(parsed.problem!));
  const tool = tools.get(parsed.call.name)!;
  if (allowed && !allowed.includes(tool.name))
    return finish(failed(`${tool.name} may not be called here; allowed: ${allowed.join(', ') || 'none'}`));
  try {
    const work = (stop: AbortSignal): Promise<ToolResult> =>
      carryOut(tool, parsed.call!.arguments, { signal: stop, seed: options.seed ?? 0 });
    const { text, value } = await limited(tool.name, work, tool.timeoutMs ?? timeoutMs, signal);
    if (value !== undefined) call.value = value;
    return finish(text, true);
  } catch (error) {
    if (signal?.aborted) throw cancelled(tool.name, error);
    return finish(failed(reasonOf(tool.name, error)));
  }
}

/** Why a call failed. Whatever a tool throws may itself throw when it is looked at. */
function reasonOf(name: string, error: unknown): string {
  try {
    const reason = String(error instanceof Error ? error.message : error);
    return error instanceof ToolError ? reason : `${name} failed: ${reason}`;
  } catch {
    return `${name} failed, and what it threw cannot be shown`;
  }
}

/** Checks the arguments and runs the tool. A schema may wait for something too, so both are under the time limit. */
async function carryOut(tool: Tool, given: Record<string, unknown>, context: ToolContext): Promise<ToolResult> {
  const checked = await tool.parameters.safeParseAsync(given);
  if (!checked.success) throw new ToolError(explain(tool.name, checked.error, given));
  context.signal.throwIfAborted();
  return asResult(await tool.run(checked.data, context));
}

const named = (call: { name: string; arguments: Record<string, unknown> } | undefined) =>
  call ? { name: call.name, arguments: call.arguments } : {};

const cancelled = (name: string, cause: unknown): CancelledError =>
  new CancelledError(name, 'the call was cancelled', 'ask again; the conversation is as it was', { cause });

/** "web_search needs query (expected string)": the first thing that is wrong. */
function explain(name: string, error: z.ZodError, given: Record<string, unknown>): string {
  const [issue] = error.issues;
  const path = issue.path.map(String).join('.');
  if (issue.path.length === 1 && !Object.hasOwn(given, path) && issue.code !== 'custom') return `${name} needs ${path}`;
  return `${name}: ${path ? `${path}: ` : ''}${issue.message}`;
}

/** Waits for work until it ends, its time is over or the signal is aborted, whatever comes first. */
async function limited<T>(
  name: string,
  begin: (stop: AbortSignal) => Promise<T>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<T> {
  signal?.throwIfAborted();
  const stop = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let abort: (() => void) | undefined;
  const ended = new Promise<never>((_, reject) => {
    const end = (error: Error): void => {
      reject(error);
      stop.abort(error);
    };
    timer = setTimeout(() => end(new ToolError(`${name} took longer than ${timeoutMs / 1000} s`)), timeoutMs);
    abort = () => end(cancelled(name, signal?.reason));
    signal?.addEventListener('abort', abort, { once: true });
  });
  try {
    // It may throw at once, or much later, when nobody waits for it any more.
    const work = begin(stop.signal);
    work.catch(() => undefined);
    return await Promise.race([work, ended]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort!);
  }
}

/** What a tool returned; tools written without types may return anything. */
function asResult(returned: unknown): ToolResult {
  if (typeof returned === 'string') return { text: returned };
  if (typeof returned !== 'object' || returned === null) return { text: String(returned), value: returned };
  const { text, value } = returned as Partial<ToolResult>;
  if (typeof text === 'string') return { text, value };
  // A toJSON may give nothing.
  return { text: JSON.stringify(returned) ?? 'undefined', value: returned };
}
