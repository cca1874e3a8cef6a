/**
 * The commands and their options. Each command loads what it needs when it is called, so that `--help` and mistakes are
 * answered at once.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { ownVersion } from '../pipeline/environment';
import { PROFILES } from '../pipeline/profile';
import type { ChatCommandOptions } from './chat';
import { addOmniR1Commands, hyphenated } from './omni-r1-commands';
import type { ReproduceCommandOptions } from './reproduce';
import type { RunCommandOptions } from './run';
import { report, STATUS } from './status';
import { standardTerminal } from './terminal';
import type { Terminal } from './terminal';

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('Expected a whole number of 1 or more.');
  return value;
}

function seed(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0 || !text.trim())
    throw new InvalidArgumentError('Expected a whole number of 0 or more.');
  return value;
}

function fraction(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && Number.isFinite(value)) || !text.trim())
    throw new InvalidArgumentError('Expected a number of 0 or more.');
  return value;
}

const profile = () =>
  new Option('-p, --profile <profile>', 'sizes, data and devices')
    .choices(PROFILES)
    .default(process.env.OMNILAB_PROFILE || 'laptop');
const device = () =>
  new Option('-d, --device <device>', 'cpu, webgpu, cuda:0, cuda:1, ... or tfjs').default(
    process.env.OMNILAB_DEVICE || 'cpu',
  );
const json = () => new Option('--json', 'print one JSON object, for a program to read');

/** Builds the commands. The exit status of the one that ran goes to `exit`. */
function makeProgram(exit: (status: number) => void, terminal: Terminal = standardTerminal): Command {
  const program = new Command('omnilab')
    .description('Train, align and run multimodal language models in TypeScript.')
    .version(ownVersion())
    .exitOverride()
    .enablePositionalOptions()
    .showHelpAfterError('(see --help)')
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .addHelpText('after', '\nExit status: 0 done, 1 failure, 2 a mistake in the command, 130 interrupted.');

  program
    .command('doctor')
    .description('what this machine has, what is missing, and what to do about it')
    .addOption(json())
    .action(async (options: { json?: boolean }) => exit(await (await import('./doctor.js')).doctor(options, terminal)));

  program
    .command('reproduce')
    .description('train, evaluate and draw everything that is not up to date')
    .addOption(profile())
    .addOption(device())
    .option('--only <name>', 'a notebook or an experiment, or the first words of its name')
    .option('--seeds <n>', 'how many seeds', count)
    .option(
      '--jobs <n>',
      'runs made at once, each with its share of the threads and memory of its own; 1: the notebooks make them (default: 2 on cpu with threads and memory for 2, else 1)',
      count,
    )
    .option('--cell-timeout <seconds>', 'longest time for one cell', count)
    .addOption(json())
    .action(async (options: ReproduceCommandOptions) =>
      exit(await (await import('./reproduce.js')).reproduceCommand(options, terminal)),
    );

  program
    .command('run')
    .description('make one experiment, with those that it builds on')
    .argument('[experiment]', 'its name; without one, the names are listed')
    .addOption(profile())
    .addOption(device())
    .option('--seed <seed>', 'which seed', seed)
    .option('--seeds <n>', 'how many seeds, from 0', count)
    .option('--set <key=value...>', 'other values for its configuration, as JSON: --set steps=10 model.width=64')
    .addOption(json())
    .action(async (name: string | undefined, options: RunCommandOptions) =>
      exit(await (await import('./run.js')).runCommand(name, options, terminal)),
    );

  program
    .command('chat')
    .description('ask OmniAgent: one request, or (without one) a conversation')
    .argument('[text...]', 'the request')
    .option('-t, --text <text>', 'the request')
    .option('-i, --image <file>', 'a PNG, JPEG or GIF')
    .option('-a, --audio <file>', 'a WAV, of any rate')
    .option('--video <file>', 'an animated GIF, or a folder of frames')
    .option('-m, --model <name>', "a checkpoint's folder, or an experiment", 'omniagent/stage3_sft')
    .addOption(profile())
    .addOption(device())
    .option('--seed <seed>', 'of sampling and of media', seed)
    .option('--temperature <number>', 'of sampling; 0 takes the likeliest token', fraction, 0)
    .option('--tools <names>', 'tools that it may call, with commas between; none for none')
    .option('--search <address>', 'an endpoint for web_search: https://example.org/search?q={query}&format=json')
    .option('--max-turns <n>', 'most turns of the model in one answer', count)
    .option('-o, --out <folder>', 'write the media that it makes there')
    .addOption(json())
    .action(async (words: string[], options: ChatCommandOptions) =>
      exit(await (await import('./chat.js')).chatCommand(words, options, terminal)),
    );

  addOmniR1Commands(program, exit, terminal);

  const kernel = program.command('kernel').description('the notebook kernel');
  kernel
    .command('install')
    .description('install the kernelspec for your user, so that any Jupyter finds it')
    .addOption(json())
    .action(async (options: { json?: boolean }) =>
      exit((await import('./notebook.js')).installKernel(options, terminal)),
    );

  program
    .command('notebook')
    .description("open JupyterLab with the kernel (needs Python's jupyterlab)")
    .argument('[path]', 'a notebook or a folder')
    .action(async (path: string | undefined) => exit(await (await import('./notebook.js')).openNotebooks(path)));

  program
    .command('data')
    .description('make or fetch a data set')
    .argument('[name]', 'which; without one, the names are listed')
    .argument('[options...]', 'given to its script')
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (name: string | undefined, rest: string[]) =>
      exit(await (await import('./script.js')).dataCommand(name, rest, terminal)),
    );

  program
    .command('bench')
    .description('measure training, generation, memory and start-up')
    .argument('[options...]', 'given to the benchmark')
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (rest: string[]) => exit(await (await import('./script.js')).benchCommand(rest)));

  return program;
}

/** Runs a command line (without node and script); returns its exit status. Prints what went wrong. */
export async function main(args: readonly string[], terminal: Terminal = standardTerminal): Promise<number> {
  let status: number = STATUS.ok;
  try {
    await makeProgram((code) => (status = code), terminal).parseAsync(hyphenated(args), { from: 'user' });
    return status;
  } catch (error) {
    // Commander has printed its own messages; help and version count as success.
    if (error instanceof CommanderError) return error.exitCode === 0 ? STATUS.ok : STATUS.usage;
    return report(error, terminal.err);
  }
}
