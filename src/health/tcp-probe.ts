// A check by connecting: who accepts is healthy.
import { connect } from 'node:net';
import { endpointOf, findingOf, type Probe, timedOut } from './probe.ts';

export const tcpProbe: Probe = (address, check, done) => {
  const socket = connect(endpointOf(address, check));
  const end = (): void => {
    clearTimeout(timer);
    // What still happens to it concerns nobody.
    socket.removeAllListeners().on('error', () => {});
    socket.destroy();
  };
  const timer = setTimeout(() => {
    end();
    done(timedOut(check.timeoutMs));
  }, check.timeoutMs);
  socket.on('connect', () => {
    end();
    done({ result: 'success', reason: 'connected' });
  });
  socket.on('error', (error) => {
    end();
    done(findingOf(error));
  });
  return end;
};
