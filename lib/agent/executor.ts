/**
 * The action executor: takes the text of a tool call as the model wrote it, checks it against the tool's schema, runs
 * the tool with a time limit, and says what came of it in words for the model. Nothing that a call or a tool does makes
 * it throw, but the user's own signal.
 */
import type { z } from 'zod';
import { CancelledError } from '../errors';
import { parseCall } from '../world/response';
import { ToolError } from './tool';
import type { Tool, ToolRegistry, ToolResult } from './tool';

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

const failed = (text: string): string => `error: ${text.split('\n')[0]}`;

/** Executes a call. @throws CancelledError once the signal is aborted */
export async function executeCall(json: string, tools: ToolRegistry, options: ExecutorOptions = {}): Promise<ToolCall> {
  const { allowed, timeoutMs = 10_000, maxResult = 1000, signal } = options;
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
    const checked = await tool.parameters.safeParseAsync(parsed.call.arguments);
    if (!checked.success) return finish(failed(explain(tool.name, checked.error, parsed.call.arguments)));
    const { text, value } = await limited(tool, checked.data, tool.timeoutMs ?? timeoutMs, options.seed ?? 0, signal);
    if (value !== undefined) call.value = value;
    return finish(text, true);
  } catch (error) {
    if (signal?.aborted) throw cancelled(tool.name, error);
    if (error instanceof ToolError) return finish(failed(error.message));
    return finish(failed(`${tool.name} failed: ${error instanceof Error ? error.message : String(error)}`));
  }
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

/** Runs a tool until it ends, its time is over or the signal is aborted, whatever comes first. */
async function limited(
  tool: Tool,
  args: unknown,
  timeoutMs: number,
  seed: number,
  signal: AbortSignal | undefined,
): Promise<ToolResult> {
  signal?.throwIfAborted();
  const stop = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let abort: (() => void) | undefined;
  const ended = new Promise<never>((_, reject) => {
    const end = (error: Error): void => {
      reject(error);
      stop.abort(error);
    };
    timer = setTimeout(() => end(new ToolError(`${tool.name} took longer than ${timeoutMs / 1000} s`)), timeoutMs);
    abort = () => end(cancelled(tool.name, signal?.reason));
    signal?.addEventListener('abort', abort, { once: true });
  });
  try {
    // The tool may throw at once, or much later, when nobody waits for it any more.
    const work = (async () => tool.run(args, { signal: stop.signal, seed }))();
    work.catch(() => undefined);
    return asResult(await Promise.race([work, ended]));
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort!);
  }
}

/** What a tool returned; tools written without types may return anything. */
function asResult(returned: unknown): ToolResult {
  if (typeof returned === 'string') return { text: returned };
  if (typeof returned === 'object' && returned !== null && typeof (returned as ToolResult).text === 'string')
    return returned as ToolResult;
  const text = typeof returned === 'object' && returned !== null ? JSON.stringify(returned) : String(returned);
  return { text, value: returned };
}
