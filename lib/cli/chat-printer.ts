/**
 * What `omnilab chat` shows of an answer while it comes: text as it is, actions under their names, media as progress.
 */
import type { AgentEvent, Reply } from '../agent';
import { CHAT_TOKENS, SIGNALS, SIGNAL_TOKENS } from '../world/signals';
import type { Terminal } from './terminal';

/** What stands before the content of an action. */
const LABELS: Record<string, string> = {
  [SIGNALS.think.tokens[0]]: 'thinks: ',
  [SIGNALS.plan.tokens[0]]: 'plans: ',
  [SIGNALS.call.tokens[0]]: 'calls: ',
  [SIGNALS.act.tokens[0]]: '',
};

/** Without what a terminal would obey: a model, or a page that it found, may write anything. */
// eslint-disable-next-line no-control-regex -- they are what is looked for
const printable = (text: string): string => text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, '');

const TOKENS = new RegExp(`(${SIGNAL_TOKENS.join('|')})`);

export class ChatPrinter {
  /** Whether the line that is being written has something on it. */
  private begun = false;
  private progress = false;

  /** `live`: whether the terminal can write a line anew. */
  constructor(
    private readonly terminal: Terminal,
    private readonly live: boolean,
  ) {}

  /** Shows something that happens. */
  readonly show = (event: AgentEvent): void => {
    if (event.kind === 'token') return this.text(event.piece);
    if (event.kind === 'decode') return this.decoding(event);
    if (event.kind === 'result') {
      this.endLine();
      this.terminal.out(`-> ${printable(event.call.result).replaceAll('\n', '\n   ')}\n`);
    }
  };

  private text(piece: string): void {
    for (const part of piece.replaceAll(CHAT_TOKENS.end, '').split(TOKENS)) {
      if (Object.hasOwn(LABELS, part)) {
        this.endLine();
        this.write(LABELS[part]);
      } else if (!SIGNAL_TOKENS.includes(part)) this.write(this.begun ? part : part.trimStart());
    }
  }

  private write(text: string): void {
    if (!text) return;
    this.terminal.out(printable(text));
    this.begun = !text.endsWith('\n');
  }

  private decoding({ modality, done, total }: Extract<AgentEvent, { kind: 'decode' }>): void {
    this.endLine();
    if (!this.live) return;
    this.terminal.err(`\r${modality}: step ${done} of ${total}${done === total ? '\r\x1b[K' : ''}`);
    this.progress = done < total;
  }

  /** Ends the line that is being written. */
  endLine(): void {
    if (this.progress) this.terminal.err('\r\x1b[K');
    if (this.begun) this.terminal.out('\n');
    this.begun = this.progress = false;
  }

  /** What is left to say of a reply: steps that were not done, what was made, and warnings. */
  end(reply: Reply, files: readonly string[]): void {
    this.endLine();
    for (const { id, text, status, detail } of reply.plan?.steps ?? [])
      if (status !== 'done')
        this.terminal.err(printable(`step ${id} (${text}) ${status}${detail ? `: ${detail}` : ''}`) + '\n');
    for (const warning of reply.warnings) this.terminal.err(printable(`warning: ${warning}`) + '\n');
    for (const file of files) this.terminal.out(`wrote ${file}\n`);
    if (!files.length && reply.media.length)
      this.terminal.out(`made: ${reply.media.map((m) => m.modality).join(', ')} (not written: see --out, or /save)\n`);
  }
}
