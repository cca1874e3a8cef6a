/** OmniAgentModel: load a checkpoint, chat with it. */
import * as fs from 'node:fs/promises';
import { ArgumentError } from '../errors';
import { loadOmniModel } from '../generate/omni-load';
import type { LoadOptions } from '../generate/omni-load';
import { freeze } from '../generate/programs';
import { readAudio, readClip, readImage } from '../io/media-files';
import { checkMedium } from '../io/media';
import type { Medium } from '../io/media';
import { readOmniAgentConfig } from '../models/omniagent-folder';
import { makeEncyclopaedia } from '../world/encyclopaedia';
import { chart } from './chart';
import { codeInterpreter } from './code-interpreter';
import type { AgentModel, ChatMessage } from './model';
import { omniAgentModel } from './omni-model';
import type { OmniModelOptions } from './omni-model';
import type { Reply } from './reply';
import type { SandboxLimits } from './sandbox';
import { toolRegistry } from './tool';
import type { Tool, ToolRegistry } from './tool';
import { runTurn } from './turn';
import type { AgentEvent, TurnOptions } from './turn';
import { encyclopaediaSearch, endpointSearch } from './web-search';
import type { SearchEndpoint } from './web-search';

/** What an agent has besides its model. */
export interface AgentOptions {
  /** Tools of your own, besides web_search, code_interpreter and chart; one of the same name replaces its namesake. */
  tools?: readonly Tool[];
  /**
   * An endpoint for web_search, as an address with {query} or with its settings; default: the embedded encyclopaedia.
   */
  search?: string | SearchEndpoint;
  /** The embedded encyclopaedia: its seed and how many places it has. Default: the checkpoint's. */
  encyclopaedia?: { seed: number; places: number };
  /** Limits of code_interpreter. */
  sandbox?: Partial<SandboxLimits>;
  /** A system turn that begins every conversation. OmniWorld's models have learned without one. */
  system?: string;
}

export interface PretrainedOptions extends AgentOptions, OmniModelOptions, LoadOptions {
  /** What is computed in. Only float32 for now; `loadIn4bit` makes the weights small. */
  dtype?: 'float32';
  /** For a name of an experiment: which profile and seed. */
  profile?: string;
  seed?: number;
  signal?: AbortSignal;
}

export interface ChatRequest extends Pick<
  TurnOptions,
  'maxTurns' | 'maxCalls' | 'callTimeoutMs' | 'seed' | 'temperature' | 'topP' | 'maxNewTokens' | 'onEvent' | 'signal'
> {
  text?: string;
  /** A PNG, JPEG or GIF. */
  imagePath?: string;
  /** A WAV, of any rate. */
  audioPath?: string;
  /** An animated GIF, or a folder of frames. */
  videoPath?: string;
  /** Media in memory, after those of the paths. */
  media?: readonly Medium[];
  /** The tools that may be called, by name, or tools for this request alone. Default: all that are registered. */
  tools?: readonly (string | Tool)[];
  /** Called with each piece of text as it comes, signal tokens too. */
  onToken?: (piece: string) => void;
}

/** Finds the checkpoint folder of a name that is no folder; null if it knows no such name. */
export type CheckpointResolver = (
  name: string,
  options: Pick<PretrainedOptions, 'profile' | 'seed' | 'device' | 'signal'>,
) => Promise<string | null>;

let resolveName: CheckpointResolver | undefined;

/**
 * Says how names of experiments become folders, and returns what said so before. omnilab/experiments does it when it is
 * imported.
 */
export function setCheckpointResolver(resolver: CheckpointResolver | undefined): CheckpointResolver | undefined {
  const before = resolveName;
  resolveName = resolver;
  return before;
}

async function folderOf(name: string, options: PretrainedOptions): Promise<string> {
  const stat = await fs.stat(name).catch(() => null);
  if (stat?.isDirectory()) return name;
  const found = stat ? null : await resolveName?.(name, options);
  if (found) return found;
  throw new ArgumentError(
    'OmniAgentModel.fromPretrained',
    `expected a checkpoint's folder${resolveName ? ' or the name of an experiment' : ''}, got "${name}"`,
    resolveName
      ? 'the folder holds omniagent.json and backbone/; the name is omniagent/stage3_sft, say'
      : "for the name of an experiment, import 'omnilab/experiments' first",
  );
}

/** A conversation with OmniAgent. Its calls of `chat` are answered one after the other. */
export class OmniAgentModel {
  /** The present conversation. A new one is a new object: what was asked in the old one goes on in the old one. */
  private talk: { messages: ChatMessage[] };
  private queue: Promise<unknown> = Promise.resolve();
  /** The tools that it may call. */
  readonly tools: ToolRegistry;

  /** An agent around any model. */
  constructor(
    readonly model: AgentModel,
    private readonly options: AgentOptions = {},
  ) {
    const { search, encyclopaedia = { seed: 0, places: 60 }, sandbox, tools = [] } = options;
    const webSearch =
      search === undefined
        ? encyclopaediaSearch(makeEncyclopaedia(encyclopaedia.seed, encyclopaedia.places))
        : endpointSearch(typeof search === 'string' ? { url: search } : search);
    toolRegistry(tools);
    const own = [webSearch, codeInterpreter(sandbox), chart()] as readonly Tool[];
    this.tools = toolRegistry([...own.filter((t) => !tools.some((other) => other.name === t.name)), ...tools]);
    this.talk = { messages: this.beginning() };
  }

  /**
   * Loads a checkpoint: a folder in the card's layout (omniagent.json, backbone/, projectors, tokenizer/, encoder/,
   * decoders/), or, once omnilab/experiments is imported, the name of an experiment, which is made first if it is not
   * there.
   * @throws ArgumentError for what is neither, FormatError for a damaged folder, DeviceError
   */
  static async fromPretrained(name: string, options: PretrainedOptions = {}): Promise<OmniAgentModel> {
    const { dtype = 'float32' } = options;
    if (dtype !== 'float32')
      throw new ArgumentError(
        'OmniAgentModel.fromPretrained',
        `expected dtype float32, got ${String(dtype)}`,
        'leave it out; loadIn4bit: true makes the weights small',
      );
    const dir = await folderOf(name, options);
    const { encyclopaedia } = await readOmniAgentConfig(dir);
    const loaded = await loadOmniModel(dir, options);
    // Weights of 4 bits have nothing to gain, and would be held twice.
    const llama = options.loadIn4bit ? loaded.llama : await freeze(loaded.llama, options);
    const model = omniAgentModel({ ...loaded, llama }, options);
    return new OmniAgentModel(model, { ...(encyclopaedia ? { encyclopaedia } : {}), ...options });
  }

  /**
   * Answers a request, and keeps the exchange in mind for the next one. A request that is refused, cancelled or fails
   * leaves the conversation as it was.
   * @throws ArgumentError for a request that cannot be used, FormatError for a file that cannot be read, CancelledError
   */
  chat(request: ChatRequest): Promise<Reply> {
    const { talk } = this;
    const turn = this.queue.then(() => this.answer(request, talk));
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  /** The conversation so far: every turn of user, model and tools. */
  conversation(): readonly ChatMessage[] {
    return this.talk.messages;
  }

  /**
   * Begins anew, or goes on from a conversation that was kept. An answer that is still being given ends, but is no part of
   * the new conversation.
   */
  reset(conversation?: readonly ChatMessage[]): void {
    this.talk = { messages: conversation ? [...conversation] : this.beginning() };
  }

  private beginning(): ChatMessage[] {
    const { system } = this.options;
    return system === undefined ? [] : [{ role: 'system', content: system }];
  }

  private async answer(request: ChatRequest, talk: { messages: ChatMessage[] }): Promise<Reply> {
    checkRequest(request);
    const { text = '', onToken, onEvent } = request;
    const media = await readMedia(request);
    if (!text.trim() && !media.length)
      throw new ArgumentError('chat', 'expected a text or a medium, got neither', "write chat({ text: '...' })");
    const { tools, allowed } = this.toolsFor(request.tools);
    const reply = await runTurn(
      this.model,
      talk.messages,
      { text, media },
      {
        ...request,
        tools,
        allowed,
        onEvent:
          (onEvent ?? onToken) &&
          ((event: AgentEvent) => {
            onEvent?.(event);
            if (event.kind === 'token') onToken?.(event.piece);
          }),
      },
    );
    talk.messages = reply.messages;
    return reply;
  }

  /** The registry for a request, and which of it may be called. */
  private toolsFor(wanted: ChatRequest['tools']): { tools: ToolRegistry; allowed?: string[] } {
    if (!wanted) return { tools: this.tools };
    const extra = wanted.filter((t) => typeof t !== 'string');
    toolRegistry(extra);
    const tools = new Map([...this.tools, ...extra.map((t): [string, Tool] => [t.name, t])]);
    const allowed = wanted.map((t) => (typeof t === 'string' ? t : t.name));
    for (const name of allowed)
      if (!tools.has(name))
        throw new ArgumentError(
          'chat',
          `no tool is named "${name}"`,
          `registered are ${[...tools.keys()].join(', ')}; give others to fromPretrained as tools: [...]`,
        );
    return { tools, allowed };
  }
}

/** Refuses what a program without types may have put into a request. */
function checkRequest(request: ChatRequest): void {
  const refuse = (what: string, expected: string, got: unknown): never => {
    throw new ArgumentError(
      'chat',
      `expected ${what} to be ${expected}, got ${got === null ? 'null' : typeof got}`,
      "write chat({ text: '...', imagePath: '...' }), and leave out what is not needed",
    );
  };
  if (typeof request !== 'object' || (request as unknown) === null) refuse('a request', 'an object', request);
  for (const name of ['text', 'imagePath', 'audioPath', 'videoPath'] as const) {
    const value: unknown = request[name];
    if (value !== undefined && typeof value !== 'string') refuse(name, 'a text', value);
  }
  for (const name of ['media', 'tools'] as const)
    if (request[name] !== undefined && !Array.isArray(request[name])) refuse(name, 'a list', request[name]);
  for (const name of ['onToken', 'onEvent'] as const)
    if (request[name] !== undefined && typeof request[name] !== 'function') refuse(name, 'a function', request[name]);
  for (const [i, medium] of (request.media ?? []).entries()) checkMedium('chat', `media[${i}]`, medium);
}

async function readMedia({ imagePath, audioPath, videoPath, media = [] }: ChatRequest): Promise<Medium[]> {
  const read: Medium[] = [];
  if (imagePath !== undefined) read.push({ modality: 'image', picture: await readImage(imagePath) });
  if (audioPath !== undefined) read.push({ modality: 'audio', sound: await readAudio(audioPath) });
  if (videoPath !== undefined) read.push({ modality: 'video', clip: await readClip(videoPath) });
  return [...read, ...media];
}
