/** Where a command's words go: the process's own streams, unless a test listens. */
export interface Terminal {
  out: (text: string) => void;
  err: (text: string) => void;
}

/** The process's own streams. */
export const standardTerminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};
