// YAML without its rarer parts, read fast: what most configuration files are made of. Variables,
// anchors, tags, block scalars, escapes and several documents are left to `document.ts`, and so is
// everything that is wrong: there each problem has its place.
import { CORE_SCHEMA, load } from 'js-yaml';

const comment = /^ *#[ -~]*$/;
const marker = /^(?:---|\.\.\.)/;
const plain = /^[\w .:/,'"{}[\]+=~()#-]*$/;
// Numbers beyond what can be counted.
const overflow = /[0-9.][eE][+]?[0-9]{3}|[0-9]{300}/;

// Whether a key is, or may have been, none: the exact way calls that one ''.
const hasNullKey = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (Object.hasOwn(value, 'null') || Object.values(value).some(hasNullKey));

// undefined: not plain, or not well formed. Property tests hold the value against the exact one.
export function plainYaml(text: string): { readonly value: unknown } | undefined {
  const isPlain = (line: string): boolean =>
    (plain.test(line) && !marker.test(line)) || comment.test(line);
  if (overflow.test(text) || !text.split('\n').every(isPlain)) return undefined;
  try {
    const value = load(text, { schema: CORE_SCHEMA });
    return hasNullKey(value) ? undefined : { value };
  } catch {
    return undefined;
  }
}
