/** A conversation in the terminal: a request a line, and commands that begin with "/". */
import * as path from 'node:path';
import * as readline from 'node:readline';
import type { ChatRequest, OmniAgentModel, Reply } from '../agent';
import { CancelledError } from '../errors';
import { readAudio, readClip, readImage } from '../io/media-files';
import type { Medium } from '../io/media';
import { saveReply } from './chat-files';
import { ChatPrinter } from './chat-printer';
import { report, STATUS } from './status';
import type { Terminal } from './terminal';

export type Input = NodeJS.ReadableStream & { isTTY?: boolean };

const HELP = `/image FILE   give a picture (PNG, JPEG, GIF) with the next request
/audio FILE   give a sound (WAV)
/video FILE   give a clip (animated GIF, or a folder of frames)
/save [DIR]   write the media of the last answer
/seed N       draw differently
/reset        begin a new conversation
/help         this
/quit         leave (or Ctrl-D); Ctrl-C stops an answer
`;

interface Output {
  json?: boolean;
  /** Folder for media; each answer's files begin with its number. */
  out?: string;
}

class Session {
  private media: Medium[] = [];
  private last: Reply | null = null;
  private answers = 0;
  private answering: AbortController | null = null;

  constructor(
    private readonly agent: OmniAgentModel,
    private settings: Pick<ChatRequest, 'tools' | 'seed' | 'temperature' | 'maxTurns'>,
    private readonly output: Output,
    private readonly terminal: Terminal,
  ) {}

  /** Stops the answer that is being given; false if there is none, or it is being stopped already. */
  stop(): boolean {
    if (!this.answering || this.answering.signal.aborted) return false;
    this.answering.abort();
    return true;
  }

  /** Does what a line says; false at /quit. Mistakes are told, and leave the conversation as it was. */
  async line(text: string): Promise<boolean> {
    try {
      const [, command, rest] = /^\/(\S*)\s*(.*)$/.exec(text) ?? [];
      if (command === undefined) await this.ask(text);
      else if (command === 'quit' || command === 'exit') return false;
      else await this.command(command, rest.trim());
    } catch (error) {
      if (error instanceof CancelledError || (error as Error).name === 'AbortError') this.terminal.err('stopped\n');
      else report(error, this.terminal.err);
    }
    return true;
  }

  private async command(name: string, rest: string): Promise<void> {
    const { out, err } = this.terminal;
    switch (name) {
      case 'image':
        return this.attach({ modality: 'image', picture: await readImage(rest) });
      case 'audio':
        return this.attach({ modality: 'audio', sound: await readAudio(rest) });
      case 'video':
        return this.attach({ modality: 'video', clip: await readClip(rest) });
      case 'save': {
        if (!this.last?.media.length) return err('the last answer made no media\n');
        const folder = rest || (this.output.out ?? '.');
        for (const file of await saveReply(this.last, folder, `${this.answers}-`, rest ? '/save' : '--out'))
          out(`wrote ${file}\n`);
        return;
      }
      case 'seed': {
        const seed = Number(rest);
        if (!rest || !Number.isSafeInteger(seed) || seed < 0) return err('expected a whole number: /seed 1\n');
        this.settings = { ...this.settings, seed };
        return;
      }
      case 'reset':
        this.agent.reset();
        this.media = [];
        this.last = null;
        return err('a new conversation\n');
      case 'help':
        return out(HELP);
      default:
        err(`there is no command /${name}\nhelp: /help lists them\n`);
    }
  }

  private attach(medium: Medium): void {
    this.media.push(medium);
    this.terminal.err(`with the next request: ${this.media.map((m) => m.modality).join(', ')}\n`);
  }

  private async ask(text: string): Promise<void> {
    if (!text.trim() && !this.media.length) return;
    const { json, out } = this.output;
    const printer = new ChatPrinter(this.terminal, !!process.stderr.isTTY);
    const controller = (this.answering = new AbortController());
    try {
      const reply = await this.agent.chat({
        ...this.settings,
        text,
        media: this.media,
        signal: controller.signal,
        onEvent: json ? undefined : printer.show,
      });
      this.last = reply;
      this.answers++;
      this.media = [];
      const files = out === undefined ? [] : await saveReply(reply, path.resolve(out), `${this.answers}-`);
      if (json) this.terminal.out(JSON.stringify({ ...reply.toJSON(), files }) + '\n');
      else printer.end(reply, files);
    } finally {
      printer.endLine();
      this.answering = null;
    }
  }
}

/**
 * Reads requests until the input ends or /quit. With `json`, each reply is one line of JSON. Ctrl-C stops the answer;
 * where there is none, or twice, it ends the conversation. Returns the exit status.
 */
export async function converse(
  agent: OmniAgentModel,
  settings: Pick<ChatRequest, 'tools' | 'seed' | 'temperature' | 'maxTurns'>,
  output: Output,
  terminal: Terminal,
  input: Input = process.stdin,
): Promise<number> {
  const live = !!input.isTTY && !output.json;
  const session = new Session(agent, settings, output, terminal);
  const lines = readline.createInterface({
    input,
    output: live ? process.stdout : undefined,
    prompt: '> ',
    terminal: live,
  });
  let interrupted = false;
  const interrupt = (): void => {
    if (session.stop()) return;
    interrupted = true;
    lines.close();
  };
  // In a terminal the line editor hears Ctrl-C, otherwise the process does.
  lines.on('SIGINT', interrupt);
  process.on('SIGINT', interrupt);
  if (live) terminal.err('/help lists commands; /quit leaves\n');
  try {
    if (live) lines.prompt();
    for await (const line of lines) {
      if (interrupted || !(await session.line(line))) break;
      if (live) lines.prompt();
    }
  } finally {
    process.removeListener('SIGINT', interrupt);
    lines.close();
  }
  return interrupted ? STATUS.interrupted : STATUS.ok;
}
