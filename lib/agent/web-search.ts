/**
 * `web_search`: ranked full-text search over OmniWorld's encyclopaedia (world/search.ts), which is the default, or an
 * HTTP endpoint that answers in JSON.
 */
import { z } from 'zod';
import { ArgumentError } from '../errors';
import { searchArticles } from '../world/search';
import type { Encyclopaedia } from '../world/encyclopaedia';
import { checkTimeout, defineTool, MAX_TIMEOUT_MS, ToolError } from './tool';

export interface SearchEndpoint {
  /** http or https; {query} stands for the words: https://example.org/search?q={query}&format=json */
  url: string;
  headers?: Record<string, string>;
  /** Default 5000. */
  timeoutMs?: number;
}

export interface SearchOptions {
  /** How many results the model sees. Default 1, as in OmniWorld's examples. */
  limit?: number;
}

/** Longest answer of an endpoint that is read, in bytes. */
const MAX_BYTES = 1 << 20;

const parameters = z.strictObject({ query: z.string().trim().min(1) });
const shared = {
  name: 'web_search',
  description: 'Searches for facts. Returns the best texts for the words of the query.',
  parameters,
} as const;

const NOTHING = 'nothing found';

function checkLimit(limit: number): void {
  if (!(Number.isInteger(limit) && limit >= 1))
    throw new ArgumentError(
      'web_search',
      `expected limit as a whole number of 1 or more, got ${limit}`,
      'leave it out',
    );
}

/** Searches an encyclopaedia. Same query, same answer. @throws ArgumentError for a limit that is none */
export function encyclopaediaSearch(book: Encyclopaedia, { limit = 1 }: SearchOptions = {}) {
  checkLimit(limit);
  return defineTool({
    ...shared,
    run: ({ query }) =>
      searchArticles(book, query, limit)
        .map((article) => article.text)
        .join('\n') || NOTHING,
  });
}

const hit = z.object({
  title: z.string().nullish(),
  content: z.string().nullish(),
  snippet: z.string().nullish(),
  text: z.string().nullish(),
});
/** What SearXNG and its like return; other fields are left alone. */
const answer = z.object({ results: z.array(hit) });

/**
 * Searches through an endpoint, which answers a GET request with {"results": [{"title", "content" | "snippet" |
 * "text"}]}, best first. An endpoint that is late, fails, or answers otherwise gives an error that the model sees.
 * @throws ArgumentError for an address, headers or limits that cannot be used
 */
export function endpointSearch(endpoint: SearchEndpoint, { limit = 1 }: SearchOptions = {}) {
  const { url, headers = {}, timeoutMs = 5000 } = endpoint;
  checkLimit(limit);
  checkTimeout('web_search', "the endpoint's timeoutMs", timeoutMs);
  const refuse = (expected: string, help: string): never => {
    throw new ArgumentError('web_search', `expected the endpoint ${expected}, got "${url}"`, help);
  };
  const example = 'write https://example.org/search?q={query}&format=json';
  // Before any error that shows the address.
  if (URL.canParse(url) && (new URL(url).username || new URL(url).password))
    throw new ArgumentError(
      'web_search',
      'expected an endpoint without a name and password in its address, got one with',
      "give them as headers: { authorization: 'Basic ...' }",
    );
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol) || !url.includes('{query}'))
    refuse('as an http or https address with {query} in it', example);
  // The model writes the query: it must not choose whom is asked.
  const [one, other] = ['a', 'b'].map((query) => url.replaceAll('{query}', query));
  if (!URL.canParse(one) || new URL(one).origin !== new URL(other).origin)
    refuse('with {query} after its host', example);
  try {
    new Headers(headers);
  } catch (error) {
    throw new ArgumentError('web_search', `expected headers of HTTP, got: ${(error as Error).message}`, 'check them', {
      cause: error,
    });
  }
  const { host } = new URL(url);
  return defineTool({
    ...shared,
    timeoutMs: Math.min(timeoutMs + 1000, MAX_TIMEOUT_MS),
    async run({ query }, { signal }) {
      const timeout = AbortSignal.timeout(Math.ceil(timeoutMs));
      let body: string;
      try {
        // Half a character, which JSON can write, has no place in an address.
        const words = encodeURIComponent(query.replace(/\p{Surrogate}/gu, '\uFFFD'));
        const response = await fetch(url.replaceAll('{query}', words), {
          headers: { accept: 'application/json', ...headers },
          signal: AbortSignal.any([signal, timeout]),
        });
        if (!response.ok) throw new ToolError(`${host} answered with status ${response.status}`);
        body = await readLimited(response, host);
      } catch (error) {
        if (error instanceof ToolError) throw error;
        if (signal.aborted) throw error;
        if (timeout.aborted) throw new ToolError(`${host} did not answer within ${timeoutMs / 1000} s`);
        const cause = (error as { cause?: { code?: string } }).cause;
        throw new ToolError(`${host} cannot be reached${cause?.code ? ` (${cause.code})` : ''}`);
      }
      return readAnswer(body, host).slice(0, limit).join('\n') || NOTHING;
    },
  });
}

async function readLimited(response: Response, host: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    // Leaving the loop closes the connection.
    if (bytes > MAX_BYTES) throw new ToolError(`${host} answered with more than ${MAX_BYTES >> 20} MiB`);
    chunks.push(chunk);
  }
  // It leaves a byte order mark out.
  return new TextDecoder().decode(Buffer.concat(chunks));
}

/** The results as texts. */
function readAnswer(body: string, host: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new ToolError(`${host} did not answer with JSON`);
  }
  const { success, data } = answer.safeParse(value);
  if (!success) throw new ToolError(`${host} did not answer with {"results": [{"title", "content"}]}`);
  return data.results
    .map(({ title, content, snippet, text }) => [title, content ?? snippet ?? text].filter(Boolean).join(': '))
    .filter(Boolean);
}
