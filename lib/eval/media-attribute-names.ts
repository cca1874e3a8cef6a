/** The attributes by which generated media are judged: a file of its own, so that tables can name them without the world. */
export const MEDIA_ATTRIBUTES = ['shape', 'colour', 'size', 'place', 'motion', 'count', 'exact'] as const;
export type MediaAttribute = (typeof MEDIA_ATTRIBUTES)[number];
