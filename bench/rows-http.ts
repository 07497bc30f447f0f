// The rows of HTTP/1.1: keep-alive to clients and origins, 100 routes in sluice's configuration.
import {
  bytesAtMost,
  costOf,
  type httpRowNames,
  memoryPer,
  type RowTable,
  ratio,
  tailLatency,
  throughput,
} from './row.ts';

const perRequest = {
  rounds: 5,
  seconds: 3,
  needs: 'saturation',
  bodies: false,
  ...costOf('request'),
} as const;

export const httpRows: RowTable<(typeof httpRowNames)[number]> = {
  http: {
    title: 'HTTP requests with answers of 100 B, 64 connections',
    load: { mode: 'roundtrip', connections: 64 },
    ...perRequest,
    limits: [ratio(['haproxy'], 'at least', 1.5, 1.25), ratio(['nginx'], 'at least', 1.45, 1.2)],
  },
  http256: {
    title: 'HTTP requests with answers of 100 B, 256 connections',
    load: { mode: 'roundtrip', connections: 256 },
    ...perRequest,
    limits: [ratio(['haproxy'], 'at least', 1.6, 1.3), ratio(['nginx'], 'at least', 1.6, 1.3)],
  },
  // wrk shares its CPU with the origins and cannot saturate sluice, whose figure then has in it
  // what waking up costs. The limits allow for that.
  httpwrk: {
    title: 'HTTP requests of wrk, answers of 100 B, 64 connections',
    load: { mode: 'serve', connections: 64 },
    wrk: true,
    ...perRequest,
    needs: 'nothing',
    limits: [ratio(['haproxy'], 'at least', 1.2, 1.1), ratio(['nginx'], 'at least', 1.2, 1.1)],
  },
  httpbulk: {
    title: 'HTTP answers of 1 MiB, 16 connections (HAProxy with splice-auto)',
    load: { mode: 'bulk', connections: 16 },
    rounds: 5,
    seconds: 3,
    needs: 'nothing',
    bodies: true,
    ...throughput,
    limits: [ratio(['haproxy'], 'at least', 2.0, 2.0)],
  },
  httpconnect: {
    title: 'HTTP requests, each on a new connection; 64 at a time',
    load: { mode: 'connect', connections: 64 },
    ...perRequest,
    limits: [ratio(['haproxy', 'nginx'], 'at least', 1.15, 1.0)],
  },
  httplatency: {
    title: '10,000 HTTP requests a second, open loop, 64 connections',
    load: { mode: 'open', connections: 64, rate: 10_000 },
    rounds: 7,
    seconds: 3,
    needs: 'quiet',
    bodies: false,
    ...tailLatency,
    limits: [ratio(['haproxy'], 'at most', 1.05, 1.1), ratio(['nginx'], 'at most', 1.05, 1.1)],
  },
  httpunix: {
    title: 'HTTP requests as in the row http, origins on Unix sockets',
    load: { mode: 'roundtrip', connections: 64 },
    unixOrigins: true,
    ...perRequest,
    limits: [
      {
        kind: 'baseline',
        against: [],
        bound: 'at least',
        limits: { io_uring: 1.2, epoll: 1.15 },
      },
    ],
  },
  // The whole process, with the thread that writes; and the worker by itself.
  httplog: {
    title: 'HTTP requests as in the row http, all log to a file (sluice json)',
    load: { mode: 'roundtrip', connections: 64 },
    logs: true,
    ...perRequest,
    limits: [
      ratio(['haproxy'], 'at least', 1.0, 1.0),
      ratio(['nginx'], 'at least', 1.0, 1.0),
      { kind: 'worker', against: [], bound: 'at most', limits: { io_uring: 1.05, epoll: 1.05 } },
    ],
  },
  httpidle: {
    title: 'idle keep-alive clients (9,000; small mode 1,000), each after one HTTP request',
    load: { mode: 'idle', connections: 9000 },
    smallConnections: 1000,
    rounds: 5,
    seconds: 30,
    needs: 'nothing',
    bodies: false,
    ...memoryPer('client'),
    limits: [bytesAtMost(384)],
  },
};
