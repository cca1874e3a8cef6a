/** Reports: figures, tables and displays. Importing this loads no optional package. */
export { plainFigure, figureTitle, type Figure } from './figure';
export * from './figures/bar';
export * from './figures/heatmap';
export * from './figures/line';
export * from './figures/radar';
export * from './figures/scatter';
export * from './figureStyle';
export * from './numbers';
export * from './renderFigure';
export { writeFileAtomic } from './files';
export * from './dataFrame';
export * from './paperTable';
export * from './table';
export * from './tableText';
