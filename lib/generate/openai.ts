/**
 * Chat completions from a server that speaks OpenAI's protocol (vLLM, llama.cpp, OpenAI). Failures that pass (no
 * connection, a time-out, status 408, 409, 429 and 5xx) are tried again, each time after twice the wait or after what
 * Retry-After says.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { CancelledError, OmniError } from '../errors';

/** A server that did not answer, or not as the protocol says. */
export class ServerError extends OmniError {}

export type ChatContent =
  | { type: 'text'; text: string }
  /** `url` is a data URL or an address that the server can reach. */
  | { type: 'image_url'; image_url: { url: string } };

export interface ChatRequest {
  model: string;
  messages: { role: 'system' | 'user' | 'assistant'; content: string | ChatContent[] }[];
  temperature?: number;
  top_p?: number;
  max_tokens?: number;
  seed?: number;
}

export interface ServerOptions {
  /** Up to and with the version: http://127.0.0.1:8000/v1. */
  baseUrl: string;
  /** Sent as a bearer token; never shown. */
  apiKey?: string;
  /** Of one attempt. Default 300. */
  timeoutSeconds?: number;
  /** After the first attempt. Default 5. */
  retries?: number;
  /** Before the second attempt, default 1; at most 60. */
  waitSeconds?: number;
  signal?: AbortSignal;
}

const PASSING = (status: number): boolean => [408, 409, 425, 429].includes(status) || status >= 500;
const LONGEST_WAIT = 60;

/** Seconds that Retry-After asks for: a number, or a date. */
function retryAfter(header: string | null): number | undefined {
  if (!header) return undefined;
  const seconds = /^\d+(\.\d+)?$/.test(header.trim()) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), LONGEST_WAIT) : undefined;
}

type Attempt = { text: string } | { error: ServerError; wait?: number; final: boolean };

async function attempt(url: string, request: ChatRequest, options: ServerOptions): Promise<Attempt> {
  const { apiKey, timeoutSeconds = 300, signal } = options;
  const fail = (what: string, help: string, final: boolean, wait?: number): Attempt => ({
    error: new ServerError(url, what, help),
    final,
    wait,
  });
  let response: Response;
  let body: string;
  try {
    const timeout = AbortSignal.timeout(timeoutSeconds * 1000);
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(apiKey && { authorization: `Bearer ${apiKey}` }) },
      body: JSON.stringify(request),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    body = await response.text();
  } catch (error) {
    if (signal?.aborted) throw new CancelledError('openai', 'the request was cancelled', 'start again to go on', { cause: error }); // prettier-ignore
    const { name, cause, message } = error as Error & { cause?: Error };
    const why = name === 'TimeoutError' ? `no answer in ${timeoutSeconds} s` : (cause?.message ?? message);
    return fail(`expected an answer, got: ${why}`, 'check the address, and that the server runs', false);
  }
  if (!response.ok)
    return fail(
      `expected status 200, got ${response.status}: ${body.slice(0, 300)}`,
      response.status === 401 ? 'set the API key in the environment' : 'the server says what it did not like',
      !PASSING(response.status),
      retryAfter(response.headers.get('retry-after')),
    );
  try {
    const { choices } = JSON.parse(body) as { choices: { message: { content: unknown } }[] };
    const text = choices[0].message.content ?? '';
    if (typeof text !== 'string') throw new TypeError();
    return { text };
  } catch {
    return fail(`expected a chat completion, got ${body.slice(0, 300)}`, 'is the address one of the protocol?', true);
  }
}

/**
 * The answer's text.
 * @throws ServerError after the last attempt, or at once for a request that the server refuses; CancelledError
 */
export async function chatCompletion(request: ChatRequest, options: ServerOptions): Promise<string> {
  const { retries = 5, waitSeconds = 1, signal } = options;
  const url = `${options.baseUrl.replace(/\/+$/, '')}/chat/completions`;
  for (let n = 0; ; n++) {
    const result = await attempt(url, request, options);
    if ('text' in result) return result.text;
    if (result.final || n >= retries) throw result.error;
    const seconds = result.wait ?? Math.min(waitSeconds * 2 ** n, LONGEST_WAIT);
    await sleep(seconds * 1000, undefined, { signal }).catch(() => {
      throw new CancelledError('openai', 'the wait for the server was cancelled', 'start again to go on');
    });
  }
}
