/** `omnilab chat`: one request, or a conversation. */
import * as fs from 'node:fs';
import type { OmniAgentModel } from '../agent';
import { ArgumentError, OmniError } from '../errors';
import { plan } from '../pipeline/identity';
import { parseProfile } from '../pipeline/profile';
import { isPresent, runDir } from '../pipeline/store';
import { ChatPrinter } from './chat-printer';
import { prepareFolder, saveReply } from './chat-files';
import { converse } from './chat-session';
import type { Input } from './chat-session';
import { interruptible } from './interrupt';
import { checkDevice, STATUS, usage, UsageError } from './status';
import type { Terminal } from './terminal';

export interface ChatCommandOptions {
  text?: string;
  image?: string;
  audio?: string;
  video?: string;
  model: string;
  profile: string;
  device: string;
  seed?: number;
  temperature?: number;
  tools?: string;
  search?: string;
  maxTurns?: number;
  out?: string;
  json?: boolean;
}

/**
 * Longest request on the command line, in bytes. ONNX Runtime searches the process's command line when it is loaded, and
 * with one of some 14,000 bytes it ends the process (release 1.30, Linux). Standard input has no such limit.
 */
const MAX_WORDS = 8000;

/** What a test puts in the place of the real ones. */
export interface ChatSources {
  load: (options: ChatCommandOptions) => Promise<OmniAgentModel>;
  input: Input;
}

/** The folder of the checkpoint. Training takes too long to begin it unasked. */
async function checkpointFolder({ model, profile: name, seed = 0 }: ChatCommandOptions): Promise<string> {
  if (fs.statSync(model, { throwIfNoEntry: false })?.isDirectory()) return model;
  await import('../experiments/index.js');
  const profile = usage(() => parseProfile(name));
  const found = usage(() => plan(model, profile, seed));
  if (await isPresent(found)) return runDir(found);
  throw new OmniError(
    'chat',
    `expected a trained model, but ${model} (profile ${profile}, seed ${seed}) has not been made yet`,
    `make it: omnilab run ${model} --profile ${profile} --seed ${seed}; or name a checkpoint's folder with --model`,
  );
}

async function load(options: ChatCommandOptions): Promise<OmniAgentModel> {
  const { OmniAgentModel } = await import('../agent/index.js');
  checkDevice(options.device);
  const dir = await checkpointFolder(options);
  const { device, search = process.env.OMNILAB_SEARCH || undefined } = options;
  if (search !== undefined) {
    const { endpointSearch } = await import('../agent/web-search.js');
    usage(() => endpointSearch({ url: search }));
  }
  return OmniAgentModel.fromPretrained(dir, { device, search });
}

/** `a,b` as names; `none` as no name. Names that no tool has are mistakes. */
function toolNames(text: string | undefined, agent: OmniAgentModel): string[] | undefined {
  if (text === undefined) return undefined;
  const names = text === 'none' ? [] : text.split(',').map((name) => name.trim()).filter(Boolean); // prettier-ignore
  for (const name of names)
    if (!agent.tools.has(name))
      throw new UsageError(
        '--tools',
        `no tool is named "${name}"`,
        `there are ${[...agent.tools.keys()].join(', ')}; or none`,
      );
  return names;
}

/** Throws an ArgumentError as a mistake of usage, and anything else as it is. */
function asMistake(error: unknown): never {
  if (error instanceof ArgumentError) throw new UsageError(error.where, error.what, error.help, { cause: error });
  throw error;
}

/** `omnilab chat`. Returns the exit status. */
export async function chatCommand(
  words: readonly string[],
  options: ChatCommandOptions,
  terminal: Terminal,
  sources: Partial<ChatSources> = {},
): Promise<number> {
  if (words.length && options.text !== undefined)
    throw new UsageError('chat', 'the request was given twice', 'give it as --text or at the end, not both');
  const text = options.text ?? (words.length ? words.join(' ') : undefined);
  if (text !== undefined && Buffer.byteLength(text) > MAX_WORDS)
    throw new UsageError(
      'chat',
      `expected a request of at most ${MAX_WORDS} bytes on the command line, got ${Buffer.byteLength(text)}`,
      'give it on standard input, as one line: omnilab chat < request.txt',
    );
  const { image, audio, video } = options;
  const single = text !== undefined || [image, audio, video].some((file) => file !== undefined);
  // Before the minutes that an answer may take.
  if (options.out !== undefined) await prepareFolder(options.out).catch(asMistake);
  const agent = await (sources.load ?? load)(options);
  const tools = toolNames(options.tools, agent);
  const { seed, temperature, maxTurns, json, out } = options;
  const settings = { tools, seed, temperature, maxTurns };
  if (!single) return converse(agent, settings, { json, out }, terminal, sources.input);
  const printer = new ChatPrinter(terminal, !!process.stderr.isTTY);
  await interruptible(
    async (signal) => {
      try {
        const reply = await agent.chat({
          ...settings,
          text,
          imagePath: image,
          audioPath: audio,
          videoPath: video,
          signal,
          onEvent: json ? undefined : printer.show,
        });
        const files = out === undefined ? [] : await saveReply(reply, out);
        if (json) terminal.out(JSON.stringify({ ...reply.toJSON(), files }, null, 2) + '\n');
        else printer.end(reply, files);
      } catch (error) {
        printer.endLine();
        if (error instanceof ArgumentError && error.where === 'chat') asMistake(error);
        throw error;
      }
    },
    () => terminal.err('\nstopping after this token; once more to end at once\n'),
  );
  return STATUS.ok;
}
