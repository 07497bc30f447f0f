// What is measured: the load of each row, the figure taken from it, and the limits it is held to.
import {
  bytesAtMost,
  costOf,
  memoryPer,
  type Row,
  type RowName,
  type RowTable,
  ratio,
  tailLatency,
  type tcpRowNames,
  throughput,
} from './row.ts';
import { httpRows } from './rows-http.ts';

const tcpRows: RowTable<(typeof tcpRowNames)[number]> = {
  roundtrip: {
    title: '100 B request and answer, 64 connections',
    load: { mode: 'roundtrip', connections: 64 },
    rounds: 5,
    seconds: 3,
    needs: 'saturation',
    bodies: false,
    ...costOf('round trip'),
    limits: [ratio(['haproxy'], 'at least', 1.25, 1.05), ratio(['nginx'], 'at least', 1.25, 1.05)],
  },
  connect: {
    title: 'new connection, one round trip, close; 64 at a time',
    load: { mode: 'connect', connections: 64 },
    rounds: 5,
    seconds: 3,
    needs: 'saturation',
    bodies: false,
    ...costOf('connection'),
    limits: [ratio(['haproxy', 'nginx'], 'at least', 1.1, 1.0)],
  },
  bulk: {
    title: '1 MiB answers, 16 connections (HAProxy with splice-auto)',
    load: { mode: 'bulk', connections: 16 },
    rounds: 5,
    seconds: 3,
    needs: 'nothing',
    bodies: true,
    ...throughput,
    limits: [ratio(['haproxy', 'nginx'], 'at least', 3.0, 3.0)],
  },
  latency: {
    title: '10,000 round trips a second, open loop, 64 connections',
    load: { mode: 'open', connections: 64, rate: 10_000 },
    rounds: 7,
    seconds: 3,
    needs: 'quiet',
    bodies: false,
    ...tailLatency,
    limits: [ratio(['haproxy'], 'at most', 1.05, 1.05)],
  },
  idle: {
    title: 'idle pairs (9,000; small mode 1,000), each after one round trip',
    load: { mode: 'idle', connections: 9000 },
    smallConnections: 1000,
    rounds: 5,
    seconds: 30,
    needs: 'nothing',
    bodies: false,
    ...memoryPer('pair'),
    limits: [bytesAtMost(768)],
  },
};

export const rowsNamed = (names: readonly RowName[]): Row[] =>
  names.map((name) => ({
    name,
    http: name in httpRows,
    ...{ ...tcpRows, ...httpRows }[name],
  }));
