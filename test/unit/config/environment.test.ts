import { describe, expect, it } from 'vitest';
import { environment } from '../../../src/config/environment.ts';

describe('the environment', () => {
  it('has defaults', () => {
    const none = { port: 8080, webPort: undefined, logLevel: undefined };
    expect(environment({})).toEqual(none);
    const empty = {
      LOAD_BALANCER_PORT: '',
      LOAD_BALANCER_WEB_PORT: '',
      LOAD_BALANCER_LOG_LEVEL: '',
    };
    expect(environment(empty)).toEqual(none);
  });

  it.each([
    ['debug', 'debug'],
    ['notice', 'info'],
    ['WARNING', 'warn'],
    ['emergency', 'error'],
    ['none', 'silent'],
  ])('maps the level %s to %s', (text, level) => {
    const given = { LOAD_BALANCER_PORT: '80', LOAD_BALANCER_WEB_PORT: '4000' };
    expect(environment({ ...given, LOAD_BALANCER_LOG_LEVEL: text })).toEqual({
      port: 80,
      webPort: 4000,
      logLevel: level,
    });
  });

  it.each([
    ['LOAD_BALANCER_PORT', '65536'],
    ['LOAD_BALANCER_WEB_PORT', '80a'],
    ['LOAD_BALANCER_LOG_LEVEL', 'loud'],
  ])('refuses %s=%s by its name', (name, value) => {
    expect(() => environment({ [name]: value })).toThrow(
      expect.objectContaining({
        code: 'ERR_SLUICE_ARGUMENT',
        message: expect.stringMatching(new RegExp(`${name} is "${value}".*expected`)),
      }),
    );
  });
});
