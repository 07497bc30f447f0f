// What `tidy` demands of one source file. Pure: path and text in, complaints out.
import { blank, functionSpans, languageOf, lineAt } from './source-text.ts';

export interface Complaint {
  readonly path: string;
  readonly line: number;
  readonly text: string;
}

export const limits = { lineColumns: 100, fileLines: 600, fileLinesNoted: 400, functionLines: 70 };

export const isGenerated = (path: string): boolean => /\.gen\.[a-z]+$/.test(path);
export const lineCount = (text: string): number => text.replace(/\n$/, '').split('\n').length;

// Words that mark unfinished work; built from halves, so that this file does not name them.
const leftovers = new RegExp(
  `\\b(?:${['TO DO', 'FIX ME', 'XX X', 'HA CK'].join('|')})\\b`.replaceAll(' ', ''),
);

function matches(path: string, text: string, searched: string, rule: RegExp, say: string) {
  return [...searched.matchAll(new RegExp(rule.source, `${rule.flags}g`))].map((found) => {
    const words = text.slice(found.index, found.index + found[0].length).trim();
    return { path, line: lineAt(text, found.index), text: `${words}: ${say}` };
  });
}

export function longLines(path: string, text: string): Complaint[] {
  return text.split('\n').flatMap((line, index) => {
    const columns = [...line].length;
    if (columns <= limits.lineColumns) return [];
    const says = `the line has ${columns} columns, more than ${limits.lineColumns}`;
    return [{ path, line: index + 1, text: says }];
  });
}

export function longFile(path: string, text: string): Complaint[] {
  const lines = lineCount(text);
  if (lines <= limits.fileLines) return [];
  const says = `the file has ${lines} lines, more than ${limits.fileLines}`;
  return [{ path, line: limits.fileLines + 1, text: says }];
}

export function longFunctions(path: string, text: string): Complaint[] {
  return functionSpans(text, languageOf(path))
    .filter(({ lines }) => lines > limits.functionLines)
    .map(({ name, line, lines }) => {
      const says = `${name} has ${lines} lines, more than ${limits.functionLines}`;
      return { path, line, text: says };
    });
}

export const leftOver = (path: string, text: string): Complaint[] =>
  matches(path, text, text, leftovers, 'finish it, or write an issue');

const focus =
  /\b(?:describe|it|test|suite|bench)(?:\.\w+)*\.(?:only|skip|skipIf|runIf|todo|fails)\b/;
const nativeFocus = /\bdoctest::(?:skip|may_fail|should_fail)\b/;

// A test that does not run, or that keeps others from running.
export function narrowedTests(path: string, text: string): Complaint[] {
  if (!path.startsWith('test/')) return [];
  const language = languageOf(path);
  const rule = language === 'ts' ? focus : nativeFocus;
  return matches(path, text, blank(text, language), rule, 'every test runs, always');
}

export function bannerMissing(path: string, text: string): Complaint[] {
  const first = text.split('\n', 1)[0] ?? '';
  if (/^\/\/ GENERATED from \S+ by .* Do not edit\.$/.test(first)) return [];
  const says = 'a generated file begins with `// GENERATED from … by … Do not edit.`';
  return [{ path, line: 1, text: says }];
}

export function complaintsAbout(path: string, text: string): Complaint[] {
  if (isGenerated(path)) return bannerMissing(path, text);
  const rules = [longLines, longFile, longFunctions, leftOver, narrowedTests];
  return rules.flatMap((rule) => rule(path, text));
}
