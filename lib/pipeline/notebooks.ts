/**
 * The table of notebooks that `make reproduce` runs: what each needs and makes, in which order, and which are chosen.
 */
import { ArgumentError } from '../errors';
import { closest } from './closest';
import type { Profile } from './profile';
import { seedRequests } from './requests';
import type { RunRequest } from './requests';

export interface NotebookEntry {
  /** The file, from the project's root: "notebooks/omniagent/table1.ipynb". */
  path: string;
  /** The experiments whose results it shows. */
  needs: readonly string[];
  /** The runs that its cells ask for, exactly, so that they can be made before it. Default: those of `needs`, with seed 0. */
  runs?: (profile: Profile, seeds: readonly number[]) => readonly RunRequest[];
  /** Names of notebooks whose outputs it reads. */
  after?: readonly string[];
  /** What it makes, relative to the folder of figures: "training_curves.png", "tables/table1.md". */
  outputs: readonly string[];
  /** Left out unless it is asked for by its own name or that of an experiment that it needs: long, and nothing builds on it. */
  onRequest?: boolean;
}

/** The name of a notebook: its path without the folder "notebooks" and the extension. */
export const notebookName = (entry: Pick<NotebookEntry, 'path'>): string =>
  entry.path.replace(/^notebooks\//, '').replace(/\.ipynb$/, '');

/** The runs that a notebook asks for. */
export const requestsOf = (entry: NotebookEntry, profile: Profile, seeds: readonly number[]): readonly RunRequest[] =>
  entry.runs?.(profile, seeds) ?? seedRequests(entry.needs, [0]);

const within = (name: string, prefix: string): boolean => name === prefix || name.startsWith(prefix + '/');

/**
 * The notebooks to run, each after those that it follows. `only` chooses: a notebook's name, an experiment's (every
 * notebook that needs it), or the first words of either ("omniagent"). Throws ArgumentError if it matches none.
 */
export function selectNotebooks(all: readonly NotebookEntry[], only?: string): NotebookEntry[] {
  const byName = new Map(all.map((entry) => [notebookName(entry), entry]));
  const wanted = only?.replace(/^notebooks\//, '').replace(/\.ipynb$/, '');
  const named = (entry: NotebookEntry): boolean =>
    wanted !== undefined && [notebookName(entry), ...entry.needs].includes(wanted);
  const chosen = all.filter((entry) =>
    entry.onRequest
      ? named(entry)
      : !wanted || within(notebookName(entry), wanted) || entry.needs.some((need) => within(need, wanted)),
  );
  if (wanted && !chosen.length) {
    const names = all.flatMap((entry) => [notebookName(entry), ...entry.needs]);
    const known = wanted.includes('/') ? names : names.flatMap((name) => [name, name.split('/')[0]]);
    throw new ArgumentError(
      'reproduce',
      `there is no notebook or experiment "${only}"`,
      closest(wanted, [...new Set(known)]),
    );
  }
  const ordered: NotebookEntry[] = [];
  const visit = (entry: NotebookEntry, path: string[]) => {
    if (ordered.includes(entry)) return;
    const name = notebookName(entry);
    if (path.includes(name))
      throw new ArgumentError(
        'reproduce',
        `notebooks wait for each other: ${[...path, name].join(' -> ')}`,
        'mend `after`',
      );
    for (const before of entry.after ?? []) {
      const found = byName.get(before);
      if (!found)
        throw new ArgumentError(
          'reproduce',
          `${name} is after "${before}", which does not exist`,
          closest(before, [...byName.keys()]),
        );
      visit(found, [...path, name]);
    }
    ordered.push(entry);
  };
  for (const entry of chosen) visit(entry, []);
  return ordered;
}
