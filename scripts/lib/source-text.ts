// Reading C++ and TypeScript as text: enough to find imports, braces and functions in formatted
// code without a compiler of either language.

export type Language = 'cpp' | 'ts';

export const languageOf = (path: string): Language =>
  /\.(tsx?|mjs|js)$/.test(path) ? 'ts' : 'cpp';

const spaces = (text: string): string => text.replace(/[^\n]/g, ' ');

// The end (exclusive) of a quoted string that begins at `from`; strings end with their line.
function endOfString(text: string, from: number): number {
  const quote = text[from];
  let at = from + 1;
  while (at < text.length && text[at] !== quote && text[at] !== '\n')
    at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

// A template literal may hold expressions, and those further templates.
function endOfTemplate(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length && text[at] !== '`') {
    if (text[at] === '\\') at += 2;
    else if (text.startsWith('${', at)) at = endOfExpression(text, at + 2);
    else at += 1;
  }
  return at + 1;
}

function endOfExpression(text: string, from: number): number {
  let depth = 1;
  let at = from;
  while (at < text.length && depth > 0) {
    const char = text[at];
    if (char === '`') at = endOfTemplate(text, at);
    else if (char === "'" || char === '"') at = endOfString(text, at);
    else {
      depth += char === '{' ? 1 : char === '}' ? -1 : 0;
      at += 1;
    }
  }
  return at;
}

// A slash begins a regular expression where a value may begin, but not in JSX: `</p>`, `/>`.
function endOfRegex(text: string, from: number): number | undefined {
  if (text[from - 1] === '<' || text[from + 1] === '>') return undefined;
  const before = text.slice(Math.max(0, from - 40), from).trimEnd();
  if (
    before !== '' &&
    !/(?:[(,=:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|in|of))$/.test(before)
  ) {
    return undefined;
  }
  let inClass = false;
  for (let at = from + 1; at < text.length && text[at] !== '\n'; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '[') inClass = true;
    else if (text[at] === ']') inClass = false;
    else if (text[at] === '/' && !inClass) return at + 1;
  }
  return undefined;
}

function endOfRawString(text: string, from: number): number | undefined {
  const open = /^R"([^()\\\s]{0,16})\(/.exec(text.slice(from, from + 20));
  if (open === null || /\w/.test(text[from - 1] ?? '')) return undefined;
  const close = text.indexOf(`)${open[1]}"`, from);
  return close < 0 ? text.length : close + (open[1]?.length ?? 0) + 2;
}

// What begins at `from`, if it is a comment or a literal: its end, and which of the two.
function tokenAt(
  text: string,
  from: number,
  language: Language,
): { end: number; comment: boolean } | undefined {
  if (text.startsWith('//', from)) {
    const end = text.indexOf('\n', from);
    return { end: end < 0 ? text.length : end, comment: true };
  }
  if (text.startsWith('/*', from)) {
    const end = text.indexOf('*/', from + 2);
    return { end: end < 0 ? text.length : end + 2, comment: true };
  }
  const end = endOfLiteral(text, from, language);
  return end === undefined ? undefined : { end, comment: false };
}

function endOfLiteral(text: string, from: number, language: Language): number | undefined {
  const char = text[from];
  if (char === '"') return endOfString(text, from);
  // In C++ an apostrophe after a digit separates digits.
  if (char === "'" && (language === 'ts' || !/[0-9a-fA-F]/.test(text[from - 1] ?? ''))) {
    return endOfString(text, from);
  }
  if (language === 'cpp') return char === 'R' ? endOfRawString(text, from) : undefined;
  if (char === '`') return endOfTemplate(text, from);
  return char === '/' ? endOfRegex(text, from) : undefined;
}

// The text with comments, and unless told otherwise literals, replaced by spaces: same length, same
// lines.
export function blank(
  text: string,
  language: Language,
  keep: 'code' | 'literals' = 'code',
): string {
  let out = '';
  let at = 0;
  while (at < text.length) {
    const token = tokenAt(text, at, language);
    if (token === undefined) {
      out += text[at];
      at += 1;
      continue;
    }
    const piece = text.slice(at, token.end);
    out += token.comment || keep === 'code' ? spaces(piece) : piece;
    at = token.end;
  }
  return out;
}

export const lineAt = (text: string, offset: number): number =>
  text.slice(0, offset).split('\n').length;

export interface FunctionSpan {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

const opening: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' };

// The offset of the bracket that opens what closes at `from`.
function backToOpening(code: string, from: number): number {
  const close = code[from] ?? '';
  const open = opening[close] ?? '';
  let depth = 0;
  for (let at = from; at >= 0; at -= 1) {
    depth += code[at] === close ? 1 : code[at] === open ? -1 : 0;
    if (depth === 0) return at;
  }
  return 0;
}

// Whether a `}` ends a type or an initializer: then the statement goes on in the same line.
const closesInline = (code: string, at: number): boolean =>
  /^ *[\])>,:{=[|&]/.test(code.slice(at + 1, at + 40));

// Where the statement that owns the brace at `brace` begins.
function headerStart(code: string, brace: number, language: Language): number {
  const stops = language === 'cpp' ? /[;{}]/ : /[;{}(,[]/;
  let at = brace - 1;
  while (at >= 0) {
    const char = code[at] ?? '';
    if (char === ')' || char === ']' || (char === '}' && closesInline(code, at))) {
      at = backToOpening(code, at) - 1;
    } else if (stops.test(char)) break;
    else at -= 1;
  }
  const gap = /^\s*(?:(?:public|private|protected):\s*)?/.exec(code.slice(at + 1, brace));
  return at + 1 + (gap?.[0].length ?? 0);
}

function endOfBlock(code: string, brace: number): number {
  let depth = 0;
  for (let at = brace; at < code.length; at += 1) {
    depth += code[at] === '{' ? 1 : code[at] === '}' ? -1 : 0;
    if (depth === 0) return at;
  }
  return code.length;
}

const cppScope =
  /^(?:template\s*<[\s\S]*?>\s*)?(?:inline\s+)?(?:namespace|class|struct|union|enum|extern)\b/;
const tsControl = /^(?:else|if|for|while|switch|catch|do|try|finally)\b/;
const tsFunction = /=>$|\)(?:\s*:[^=]+)?$|\bfunction\b/;

function isCppFunction(code: string, header: string, brace: number): boolean {
  if (!header.includes(')') || header.endsWith('=')) return false;
  if (cppScope.test(header) && !/^\w+ \w+ \w+\(/.test(header)) return false;
  // A member initializer is followed by the next one or by the body.
  return !/^\s*[,{]/.test(code.slice(endOfBlock(code, brace) + 1));
}

function isTsFunction(code: string, header: string, start: number): boolean {
  // A callback of `describe` or of our `forEach…` only groups; its members count on their own.
  const before = code.slice(code.lastIndexOf('\n', start) + 1, start);
  return (
    tsFunction.test(header) &&
    !tsControl.test(header) &&
    !/^\s*(?:describe\b|forEach[A-Z])/.test(before)
  );
}

function nameOf(header: string): string {
  const name = /([\w~:#$]+)\s*(?:=\s*(?:async\s*)?)?(?:<[^()]*>)?\(/.exec(header)?.[1];
  return name ?? header.split('\n')[0] ?? '';
}

// Functions that have a body. Of C++ only the outermost: what is inside one is shorter than it.
export function functionSpans(text: string, language: Language): FunctionSpan[] {
  const plain = blank(text, language);
  const directives = /^[ \t]*#(?:[^\n]*\\\n)*[^\n]*/gm;
  const code = language === 'cpp' ? plain.replace(directives, spaces) : plain;
  const spans: FunctionSpan[] = [];
  let at = code.indexOf('{');
  while (at >= 0) {
    const start = headerStart(code, at, language);
    const header = code.slice(start, at).trim();
    const found =
      language === 'cpp' ? isCppFunction(code, header, at) : isTsFunction(code, header, start);
    const end = endOfBlock(code, at);
    if (found) {
      const line = lineAt(code, start);
      spans.push({ name: nameOf(header), line, lines: lineAt(code, end) - line + 1 });
    }
    at = code.indexOf('{', found && language === 'cpp' ? end : at + 1);
  }
  return spans;
}
