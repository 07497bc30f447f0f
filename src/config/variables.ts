// Environment variables in the scalars of a document: `${NAME}`, `${NAME:-default}`, and `$${` for
// a `${` that is meant as it stands.

export type Environment = Readonly<Record<string, string | undefined>>;

export interface MissingVariable {
  // Which of the text's references it is, counted from 0; escaped ones do not count.
  readonly index: number;
  readonly value: string;
  readonly expected: string;
  readonly message: string;
}

export interface Substituted {
  readonly text: string;
  // The text is one reference and nothing else.
  readonly whole: boolean;
  readonly missing: readonly MissingVariable[];
}

export const hasVariables = (text: string): boolean => text.includes('${');

const reference = /\$(\$\{)|\$\{([^}]*)(\})?/g;
const form = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/;

// As in a shell a default also takes the place of an empty variable.
export function substitute(text: string, env: Environment): Substituted {
  const missing: MissingVariable[] = [];
  let index = -1;
  const miss = (value: string, expected: string, message: string): string => {
    missing.push({ index, value, expected, message });
    return '';
  };
  const replaced = text.replace(
    reference,
    (all: string, escaped: string | undefined, inner: string, end: string | undefined) => {
      if (escaped !== undefined) return escaped;
      index++;
      const found = end === undefined ? null : form.exec(inner);
      if (found === null) {
        const expected = "'${NAME}', '${NAME:-default}', or '$${' for the characters themselves";
        return miss(all, expected, `expected ${expected}, found ${all}`);
      }
      const [, name = '', otherwise] = found;
      const value = env[name];
      if (value !== undefined && (value !== '' || otherwise === undefined)) return value;
      if (otherwise !== undefined) return otherwise;
      const expected = `the environment variable ${name}, or a default: '\${${name}:-default}'`;
      return miss(all, expected, `the environment variable ${name} is not set`);
    },
  );
  const [only] = text.matchAll(reference);
  const whole = only !== undefined && only[0] === text && only[1] === undefined;
  return { text: replaced, whole, missing };
}

// What YAML 1.2 (10.3, core schema) makes of a plain scalar, as far as a configuration has use for.
export function typed(text: string): string | number | boolean | null {
  if (/^(?:|~|null|Null|NULL)$/.test(text)) return null;
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  return /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/.test(text)
    ? Number(text)
    : text;
}
