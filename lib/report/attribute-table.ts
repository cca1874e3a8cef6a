/** The table of attribute accuracies of generated media: one row a modality and attribute, with interval and chance. */
import { MEDIA_ATTRIBUTES } from '../eval/media-attribute-names';
import type { AttributeReport } from '../eval/media-attributes';
import type { Table } from './table';

export interface AttributeTableOptions {
  caption?: string;
  /** The least accuracy aimed at, by attribute; gives a column that says whether it is reached. */
  targets?: Partial<Record<(typeof MEDIA_ATTRIBUTES)[number], number>>;
}

/**
 * Lays reports out. Several sets of reports (decoders alone, the whole chain) stand one below the other under their names, in a
 * first column of its own. A target counts as reached by the mean; the interval beside it says how sure that is.
 */
export function attributeTable(
  reports: readonly AttributeReport[] | Readonly<Record<string, readonly AttributeReport[]>>,
  { caption, targets }: AttributeTableOptions = {},
): Table {
  const named = Array.isArray(reports) ? null : (reports as Readonly<Record<string, readonly AttributeReport[]>>);
  const sets = named ? Object.entries(named) : [['', reports as readonly AttributeReport[]] as const];
  return {
    columns: [
      ...(named ? ['Generated from'] : []),
      'Modality',
      'Attribute',
      'Accuracy',
      '95 % from',
      'to',
      'Chance',
      'Media',
      ...(targets ? ['Target', 'Reached'] : []),
    ],
    rows: sets.flatMap(([name, list]) =>
      list.flatMap((report) =>
        MEDIA_ATTRIBUTES.flatMap((attribute) => {
          const found = report.accuracy[attribute];
          if (!found) return [];
          const target = targets?.[attribute] ?? null;
          return [
            [
              ...(named ? [name] : []),
              report.modality,
              attribute,
              found.mean,
              found.low,
              found.high,
              report.chance[attribute] ?? null,
              found.n,
              ...(targets ? [target, target === null ? null : found.mean >= target] : []),
            ],
          ];
        }),
      ),
    ),
    ...(caption ? { caption } : {}),
  };
}
