/** Suggestions for a name that does not exist. */

/** The least number of single-character insertions, deletions and replacements between two texts (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + Number(a[i - 1] !== b[j - 1])));
    row = next;
  }
  return row[b.length];
}

/** A sentence that names the three nearest of the known names: the text after "help: " of an error. */
export function closest(name: string, known: readonly string[]): string {
  if (!known.length) return 'there are none yet';
  // A part of a name (its last word, say) is nearer than any misspelling.
  const distance = (k: string) => (k.includes(name) || name.includes(k) ? 0 : editDistance(name, k));
  const near = [...known].sort((a, b) => distance(a) - distance(b) || a.localeCompare(b)).slice(0, 3);
  return `the closest names are ${near.join(', ')}`;
}
