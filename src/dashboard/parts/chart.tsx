// A chart over time, painted by uPlot. It follows its box's size, the theme, and the history, and
// rests while the page is hidden.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { clock, nothing } from '../format.ts';
import type { Column } from '../history.ts';
import { beat, history } from '../store.ts';
import { colourOf, painted } from '../theme.ts';

export interface Line {
  readonly label: string;
  readonly column: Column;
  // A custom property of the style sheet.
  readonly colour: string;
  readonly isFilled?: boolean;
}

export interface ChartProps {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly format: (value: number | null | undefined) => string;
  // The axis reaches this at least, so that little is not shown as much.
  readonly atLeast: number;
  readonly seconds: number;
}

// Pixels: so flat that four charts fit on a screen.
const height = (width: number): number => Math.round(Math.min(420, Math.max(140, width * 0.27)));

const leastSeconds = 60;

function optionsOf(props: ChartProps, width: number, at: (index: number | null) => void) {
  const text = colourOf('--muted');
  const grid = { stroke: colourOf('--grid'), width: 1 };
  const letters = Math.round(Number.parseFloat(getComputedStyle(document.body).fontSize) * 0.8);
  const font = `${letters}px system-ui, sans-serif`;
  const axis = { stroke: text, grid, ticks: { show: false }, font };
  const options: uPlot.Options = {
    width,
    height: height(width),
    padding: [8, letters * 2.4, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: 'sluice' }, drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: {
        time: true,
        range: (_, oldest, newest) => [Math.min(oldest, newest - leastSeconds), newest],
      },
      y: { range: (_, __, top) => [0, Math.max(props.atLeast, (top ?? 0) * 1.08)] },
    },
    axes: [
      {
        ...axis,
        space: letters * 8,
        size: letters * 2.4,
        values: (_, splits) => splits.map((split) => clock(split * 1000)),
      },
      {
        ...axis,
        size: letters * 6,
        space: letters * 3,
        values: (_, splits) => splits.map((split) => props.format(split)),
      },
    ],
    series: [
      {},
      ...props.lines.map(({ colour, isFilled = false }): uPlot.Series => {
        const stroke = colourOf(colour);
        const fill = isFilled ? colourOf(`${colour}-fill`) : undefined;
        const points = { show: false };
        return { stroke, width: 1.5, points, ...(fill === undefined ? {} : { fill }) };
      }),
    ],
    hooks: { setCursor: [({ cursor }) => at(cursor.idx ?? null)] },
  };
  return options;
}

const dataOf = ({ lines, seconds }: ChartProps): uPlot.AlignedData =>
  history.columns(['at', ...lines.map(({ column }) => column)], seconds) as uPlot.AlignedData;

// What is under the cursor, or else newest.
function Legend({ props, index }: { props: ChartProps; index: number | null }) {
  void beat.value;
  const data = dataOf(props);
  const last = (data[0]?.length ?? 0) - 1;
  const at = index === null || index > last ? last : index;
  const seconds = data[0]?.[at];
  return (
    <div class="legend">
      {props.lines.map(({ label, colour }, line) => (
        <span class="legend-item" key={label}>
          <span class={`swatch swatch${colour}`} aria-hidden="true" />
          {label} <b>{props.format(data[line + 1]?.[at])}</b>
        </span>
      ))}
      <span>
        {index === null || seconds === undefined || seconds === null ? '' : clock(seconds * 1000)}
      </span>
    </div>
  );
}

function describe({ title, lines, format }: ChartProps): string {
  const known = lines.map(({ label, column }) => `${label} ${format(history.latest(column, 5))}`);
  return `${title}: ${known.join(', ') || nothing}`;
}

export function Chart(props: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const index = useSignal<number | null>(null);
  const theme = painted.value;
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const options = optionsOf(props, element.clientWidth, (at) => {
      index.value = at;
    });
    const plot = new uPlot(options, dataOf(props), element);
    const sized = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: height(width) });
    });
    sized.observe(element);
    const stop = beat.subscribe(() => {
      if (document.hidden) return;
      plot.setData(dataOf(props));
      element.setAttribute('aria-label', describe(props));
    });
    return () => {
      stop();
      sized.disconnect();
      plot.destroy();
    };
  }, [props.seconds, theme]);
  return (
    <section class="card chart" aria-label={props.title}>
      <header class="card-head">
        <h2>{props.title}</h2>
        <Legend props={props} index={index.value} />
      </header>
      <div class="plot" role="img" aria-label={props.title} ref={box} />
    </section>
  );
}
