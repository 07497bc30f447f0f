// A small structured logger: one line per record, to stderr. JSON for machines, text for people.

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFormat = 'json' | 'text';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  // The same sink and level, with these fields in every record.
  with(fields: LogFields): Logger;
}

export interface LogOptions {
  // A function is asked at each record: for a level that is not known yet.
  readonly level?: LogLevel | (() => LogLevel | undefined);
  // Text when stderr is a terminal, JSON otherwise, unless stated.
  readonly format?: LogFormat;
  readonly write?: (line: string) => void;
  // Milliseconds since the epoch.
  readonly now?: () => number;
}

// Errors are written with their code, message and causes; big integers as numbers.
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (!(value instanceof Error)) return value;
  const code = (value as { code?: unknown }).code;
  return {
    message: value.message,
    ...(code === undefined ? {} : { code }),
    ...(value.cause === undefined ? {} : { cause: plain(value.cause) }),
  };
}

function asText(level: LogLevel, message: string, fields: LogFields, time: string): string {
  const rest = Object.entries(fields).map(([key, value]) => {
    const text = value instanceof Error ? value.message : value;
    const safe = typeof text === 'string' && /^[\w.:/@[\]-]+$/.test(text);
    return `${key}=${safe ? text : JSON.stringify(plain(text))}`;
  });
  return [time, level.toUpperCase().padEnd(5), message, ...rest].join(' ');
}

function asJson(level: LogLevel, message: string, fields: LogFields, time: string): string {
  const values = Object.entries(fields).map(([key, value]) => [key, plain(value)]);
  return JSON.stringify({ time, level, message, ...Object.fromEntries(values) });
}

export function createLogger(options: LogOptions = {}): Logger {
  const write = options.write ?? ((line) => void process.stderr.write(`${line}\n`));
  const now = options.now ?? Date.now;
  const text = options.format === 'text' || (!options.format && process.stderr.isTTY === true);
  const { level: stated } = options;
  const threshold = (): number =>
    logLevels.indexOf((typeof stated === 'function' ? stated() : stated) ?? 'info');

  const make = (bound: LogFields): Logger => {
    const at =
      (level: Exclude<LogLevel, 'silent'>) =>
      (message: string, fields: LogFields = {}): void => {
        if (logLevels.indexOf(level) < threshold()) return;
        const time = new Date(now()).toISOString();
        const all = { ...bound, ...fields };
        write(text ? asText(level, message, all, time) : asJson(level, message, all, time));
      };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      with: (fields) => make({ ...bound, ...fields }),
    };
  };
  return make({});
}
