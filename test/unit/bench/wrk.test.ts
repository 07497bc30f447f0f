import { describe, expect, it } from 'vitest';
import { parseWrk } from '../../../bench/wrk.ts';

const output = (more: string): string => `Running 1s test @ http://127.0.0.1:9702/100/0
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.43ms    6.05ms  60.01ms   96.97%
    Req/Sec    84.34k    44.53k  177.63k    66.67%
  Latency Distribution
     50%   32.00us
     75%  339.00us
     90%    2.32ms
     99%   40.50ms
  101308 requests in 1.21s, 23.28MB read
${more}Requests/sec:  83647.99
Transfer/sec:     19.23MB
`;

describe('what wrk says', () => {
  it('is its requests and latencies', () => {
    expect(parseWrk(output(''))).toEqual({
      failures: '',
      requests: 101_308,
      p50_us: 32,
      p99_us: 40_500,
    });
  });

  it('is every kind of failure', () => {
    const sockets = '  Socket errors: connect 0, read 1, write 0, timeout 0\n';
    const status = '  Non-2xx or 3xx responses: 7\n';
    expect(parseWrk(output(sockets + status)).failures).toBe(
      'Non-2xx or 3xx responses: 7; Socket errors: connect 0, read 1, write 0, timeout 0',
    );
  });

  it('is nothing when it is something else', () => {
    expect(parseWrk('unable to connect')).toMatchObject({ requests: 0, p99_us: Number.NaN });
  });
});
