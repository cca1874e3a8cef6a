/**
 * Lines at the foot of a terminal that change in place while others are printed above them: what several processes are
 * doing. (cli-progress leaves an empty line where one of several bars goes away.)
 */

export class StatusLines {
  private lines: readonly string[] = [];

  constructor(private readonly stream: NodeJS.WriteStream) {}

  /** Replaces all lines. */
  set(lines: readonly string[]): void {
    const erased = this.erase();
    this.lines = lines.slice(0, Math.max(1, (this.stream.rows || 24) - 1));
    this.stream.write(erased + this.text());
  }

  /** Takes the lines away while `write` prints, which may be to another stream of the same terminal. */
  print(write: () => void): void {
    this.stream.write(this.erase());
    write();
    this.stream.write(this.text());
  }

  /** Up to the first of the lines, and all below cleared. */
  private erase(): string {
    return this.lines.length ? `\x1b[${this.lines.length}A\r\x1b[J` : '';
  }

  /** Cut at the terminal's width: a wrapped line would take two, and the way up would be wrong. */
  private text(): string {
    const width = Math.max(1, (this.stream.columns || 80) - 1);
    return this.lines.map((line) => `${line.slice(0, width)}\n`).join('');
  }
}
