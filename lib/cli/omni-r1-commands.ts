/**
 * The commands around Omni-R1 and their options: `infer` and `omni-bench` take the released scripts' arguments, with
 * hyphens or underscores.
 */
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { GENERATION_MODES } from '../generate/interleaved';
import { PRIORITY_TERMS } from '../generate/omni-r1/infer-input';
import type { InferCommandOptions } from './infer';
import type { OmniBenchOptions } from './omni-bench-work';
import type { ScoreCommandOptions } from './omni-bench-score';
import { UsageError } from './status';
import type { Terminal } from './terminal';

function number(from: number, whole: boolean): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!text.trim() || !Number.isFinite(value) || value < from || (whole && !Number.isSafeInteger(value)))
      throw new InvalidArgumentError(`Expected a ${whole ? 'whole ' : ''}number of ${from} or more.`);
    return value;
  };
}
const whole = number(0, true);
const count = number(1, true);
const positive = number(0, false);

/** Zero and less leave no image at all, as in the released script. */
function integer(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}

function share(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError('Expected a number above 0, at most 1.');
  return value;
}

/** `--parquet_path` is `--parquet-path`, for the commands that have a script to follow. Values stay as they are. */
export function hyphenated(args: readonly string[]): string[] {
  if (args[0] !== 'infer' && args[0] !== 'omni-bench') return [...args];
  const end = args.indexOf('--');
  return args.map((arg, i) =>
    (end < 0 || i < end) && arg.startsWith('--') ? arg.replace(/^--[^=]+/, (name) => name.replaceAll('_', '-')) : arg,
  );
}

const json = (): Option => new Option('--json', 'print one JSON object, for a program to read');
const mode = (): Option =>
  new Option('--generation-mode <mode>', 'which tokens may follow').choices(GENERATION_MODES).default('unrestricted');
const badImages = (): Option =>
  new Option('--bad-images <what>', "a picture that cannot be read: the row's error, or left out (as released)")
    .choices(['error', 'drop'])
    .default('error');

function jsonObject(text: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new InvalidArgumentError('Expected a JSON object.');
}

/** Where a server is, and how patient to be with it. */
const serverOptions = (command: Command): Command =>
  command
    .option('--base-url <url>', "the server's address, such as http://127.0.0.1:8000/v1")
    .option('--api-key-env <name>', 'environment variable with the API key', 'OPENAI_API_KEY')
    .option('--timeout <seconds>', 'longest wait for one answer', positive, 300)
    .option('--retries <n>', 'after a failure that may pass', whole, 5)
    .option('--concurrency <n>', 'requests at once', count, 8);

function required(command: string, options: Record<string, unknown>, names: Record<string, string>): void {
  for (const [key, flag] of Object.entries(names))
    if (options[key] === undefined)
      throw new UsageError(command, `expected ${flag}, got none`, `see omnilab ${command} --help`);
}

function addInfer(program: Command, exit: (status: number) => void, terminal: Terminal): void {
  program
    .command('infer')
    .description('Omni-R1: trajectories of text and images for prompts in JSON Lines')
    .option('--input <path>', 'a .jsonl file of {id, prompt, images}, or a folder of such files')
    .option('--output-dir <folder>', 'for each file a folder with result.json, images and a page')
    .option('--model-path <folder>', 'the model')
    .option('--processor-path <folder>', 'another tokenizer')
    .option('--vq-ref-path <folder>', 'a model whose image tokenizer is taken')
    .option('--device <device>', 'cpu, cuda, cuda:0, webgpu', process.env.OMNILAB_DEVICE || 'cpu')
    .option('--dtype <type>', 'taken for compatibility; computed in float32', 'bfloat16')
    .option('--max-length <n>', 'longest sequence, prompt included; at most what the model takes', count, 12000)
    .option('--temperature <t>', 'of sampling', positive, 0.5)
    .option('--top-p <p>', 'of sampling', share, 0.9)
    .option('--do-sample', 'sample; otherwise the likeliest token')
    .addOption(mode())
    .option('--append-boi', 'end the prompt with BOI, so that an image comes first')
    .option('--max-images <n>', 'cut before the next image; those of the prompt and --append-boi count', integer)
    .option('--image-placeholder-id <id>', 'token that stands for a picture', whole)
    .option('--no-strict-decode', 'decode images of a wrong length or with other tokens too')
    .option('--resume', 'leave rows alone that have a result.json or an error.txt')
    .option('--retry-errors', 'with --resume: do rows with an error.txt again')
    .option('--priority-terms [terms...]', 'names of files that come first', PRIORITY_TERMS)
    .addOption(badImages())
    .option('--seed <seed>', 'of sampling', whole, 0)
    .option('--batch-size <n>', 'rows computed together', count, 1)
    .option('--verbose', 'print the errors of rows')
    .addOption(json())
    .action(async (options: InferCommandOptions) => {
      required('infer', { ...options }, { input: '--input', outputDir: '--output-dir', modelPath: '--model-path' });
      exit(await (await import('./infer.js')).inferCommand(options, terminal));
    });
}

function addOmniBench(program: Command, exit: (status: number) => void, terminal: Terminal): void {
  const bench = program
    .command('omni-bench')
    .description('Omni-R1: predictions for a benchmark in Parquet files, and their score')
    .option('--parquet-path <path>', 'a .parquet file, or a folder of them (with its folders)')
    .option('--model-path <folder>', 'the model; with --backend openai its name on the server')
    .option('--output-dir <folder>', 'where the predictions go', 'results')
    .option('--outfile <file>', 'their file', 'predictions.jsonl')
    .option('--question-col <name>', 'column of questions', 'question')
    .option('--image-col <name>', 'column of pictures', 'image')
    .option('--answer-col <name>', 'column of right answers', 'answer')
    .option('--tlts-token <text>', 'a cell that says that there is no picture', '<TLTS>')
    .option('--skip-if-no-image', 'leave rows without a readable picture out')
    .option('--max-new-tokens <n>', 'of a prediction', count, 1024)
    .option('--temperature <t>', 'of sampling; 0 takes the likeliest token', positive, 1)
    .option('--top-p <p>', 'of sampling', share, 0.9)
    .option('--dtype <type>', 'taken for compatibility; computed in float32', 'bfloat16')
    .option('--tp-size <n>', 'taken for compatibility; 1', count, 1)
    .option('--mm-images-per-prompt <n>', 'most pictures of a prompt', count, 1)
    .option('--plain-prompt', 'the question alone, without the template')
    .option('--prefix-text <text>', 'another beginning of the template')
    .option('--suffix-text <text>', 'another end of the template')
    .option('--no-auto-insert', 'do not add missing <image> placeholders')
    .option('--no-auto-remove', 'do not take surplus <image> placeholders out')
    .option('--batch-size <n>', 'rows at once', count, 8)
    .option('--micro-batch-size <n>', 'fewer rows at once', count)
    .option('--shuffle', 'predict in another order')
    .option('--seed <seed>', 'of sampling and of --shuffle', whole, 0)
    .option('--flush-every <n>', 'rows between writes', count, 1)
    .option('--fsync-every <n>', 'writes between flushes to the disk; 0: at the end', whole, 0)
    .addOption(mode())
    .addOption(badImages())
    .option('--retry-errors', 'do rows again whose prediction is an error')
    .option('--devices <list>', 'one process each: cuda:0,cuda:1', process.env.OMNILAB_DEVICE || 'cpu')
    .addOption(
      new Option('--backend <where>', 'a model here, or one behind an address')
        .choices(['local', 'openai'])
        .default('local'),
    ) // prettier-ignore
    .addOption(json())
    .action(async (options: OmniBenchOptions) => {
      required('omni-bench', { ...options }, { parquetPath: '--parquet_path', modelPath: '--model_path' });
      exit(await (await import('./omni-bench.js')).omniBenchCommand(options, terminal));
    });
  serverOptions(bench).option(
    '--extra-body <json>',
    'more fields of each request, null takes one out: \'{"skip_special_tokens": false}\' for vLLM',
    jsonObject,
  );

  const score = bench
    .command('score')
    .description('accuracy by Uni-Task, and the average over all rows')
    .argument('<predictions>', 'the file that omni-bench wrote')
    .addOption(
      new Option('--judge <how>', 'by rules, or by a language model').choices(['rules', 'llm']).default('rules'),
    )
    .option('--judge-model <name>', "the judge's name on the server")
    .option('--task-col <name>', 'column that names the task; otherwise the usual ones are looked for')
    .option('--answer-col <name>', 'column with the right answer, if it is not _gt_answer')
    .option('--verdicts <file>', "keep the judge's verdicts there, and use those that it has")
    .addOption(json())
    .action(async (file: string, options: ScoreCommandOptions) =>
      exit(await (await import('./omni-bench-score.js')).scoreCommand(file, options, terminal)),
    );
  serverOptions(score);
}

/** Adds the commands. */
export function addOmniR1Commands(program: Command, exit: (status: number) => void, terminal: Terminal): void {
  addInfer(program, exit, terminal);
  addOmniBench(program, exit, terminal);
}
