// A check by one request on a connection of its own. The status decides, as soon as the head is
// there; a little of the body is read, so that the backend can finish.
import { Agent, type IncomingMessage, request } from 'node:http';
import type { HealthCheck } from '../model/health.ts';
import type { Address } from '../model/types.ts';
import { endpointOf, type Finding, findingOf, type Probe, timedOut } from './probe.ts';

const bodyBytesMax = 64 * 1024;
const headBytesMax = 16 * 1024;

const hostField = (address: Address, { host, port }: HealthCheck): string => {
  if (host !== undefined) return host;
  if (address.kind === 'unix') return 'localhost';
  const text = address.text.replace(/%[^\]]*/, ''); // a zone means nothing to others
  return port === undefined ? text : text.replace(/[0-9]+$/, String(port));
};

export function statusFinding(status: number, { statuses }: HealthCheck): Finding {
  const isExpected = statuses.some(([first, last]) => status >= first && status <= last);
  return { result: isExpected ? 'success' : 'status', reason: `status ${status}` };
}

// No connection is used twice.
export function makeHttpProbe(userAgent: string): Probe {
  const agent = new Agent({ keepAlive: false });
  return (address, check, done) => {
    const endpoint = endpointOf(address, check);
    const asked = request({
      ...('path' in endpoint ? { socketPath: endpoint.path } : endpoint),
      path: check.path,
      headers: { Host: hostField(address, check), 'User-Agent': userAgent, Accept: '*/*' },
      agent,
      maxHeaderSize: headBytesMax,
    });
    let isDone = false;
    const end = (): void => {
      clearTimeout(timer);
      asked.destroy();
    };
    const finish = (finding: Finding): void => {
      if (isDone) return;
      isDone = true;
      done(finding);
    };
    const timer = setTimeout(() => {
      finish(timedOut(check.timeoutMs));
      end();
    }, check.timeoutMs);
    asked.on('response', (response: IncomingMessage) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > bodyBytesMax) end();
      });
      response.on('close', end);
      response.on('error', () => {}); // its body does not matter
      finish(statusFinding(response.statusCode ?? 0, check));
    });
    asked.on('upgrade', (response: IncomingMessage) => {
      finish(statusFinding(response.statusCode ?? 0, check));
      end();
    });
    asked.on('error', (error) => {
      finish(findingOf(error));
      end();
    });
    asked.end();
    return () => {
      isDone = true;
      end();
    };
  };
}
