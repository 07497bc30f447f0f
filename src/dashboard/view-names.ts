// The views, in the order of the navigation. Pure.

export const views = [
  ['overview', 'Overview'],
  ['routes', 'Routes'],
  ['pools', 'Pools'],
  ['containers', 'Containers'],
  ['events', 'Events'],
] as const;
export type View = (typeof views)[number][0];
