import { describe, expect, it } from 'vitest';
import {
  compareGypSources,
  readGypSources,
  writeGypSources,
} from '../../../scripts/lib/gyp-sources.ts';
import { blank, functionSpans } from '../../../scripts/lib/source-text.ts';
import { complaintsAbout } from '../../../scripts/lib/tidy-rules.ts';

const says = (path: string, text: string): string[] =>
  complaintsAbout(path, text).map((found) => `${found.line}: ${found.text}`);

const repeat = (count: number, line = '  work();\n'): string => line.repeat(count);

describe('lines and files', () => {
  it('accepts 100 columns and refuses 101, counting characters rather than bytes', () => {
    expect(says('src/a.ts', `${'é'.repeat(100)}\n`)).toEqual([]);
    expect(says('src/a.ts', `\n${'x'.repeat(101)}\n`)).toEqual([
      '2: the line has 101 columns, more than 100',
    ]);
  });

  it('accepts 600 lines and refuses 601', () => {
    expect(says('native/io/a.cc', repeat(600, '//\n'))).toEqual([]);
    expect(says('native/io/a.cc', repeat(601, '//\n'))).toEqual([
      '601: the file has 601 lines, more than 600',
    ]);
  });

  it('asks of a generated file only its banner', () => {
    const banner = '// GENERATED from src/shm/schema.ts by `npm run gen`. Do not edit.\n';
    expect(says('native/shm/layout.gen.h', banner + 'x'.repeat(200))).toEqual([]);
    expect(says('native/shm/layout.gen.h', '#pragma once\n')).toHaveLength(1);
  });
});

describe('leftovers', () => {
  it('refuses marks of unfinished work, but not words that contain them', () => {
    const mark = 'TO' + 'DO';
    expect(says('src/a.ts', `// ${mark}: later\n`)).toHaveLength(1);
    expect(says('native/io/a.h', `// FIX${''}ME\n`)).toHaveLength(1);
    expect(says('src/a.ts', '// mastodon, TODOS of others\n')).toEqual([]);
  });

  it('refuses narrowed tests, in code only', () => {
    const narrow = 'on' + 'ly';
    expect(says('test/unit/a.test.ts', `it.${narrow}('x', f);\n`)).toHaveLength(1);
    expect(says('test/unit/a.test.ts', "describe.concurrent.skip('x', f);\n")).toHaveLength(1);
    expect(says('test/unit/a.test.ts', "const text = 'it.skip(';\n// it.skip\n")).toEqual([]);
    expect(says('test/native/io/a_test.cc', 'TEST_CASE("x" * doctest::skip()) {}\n')).toHaveLength(
      1,
    );
    expect(says('src/a.ts', 'list.skip(1);\n')).toEqual([]);
  });
});

describe('functions', () => {
  it('measures functions of C++, constructors with initializers, and methods', () => {
    const text = `#include <x>
namespace sluice {
Foo::Foo(int fd) : fd_{fd}, other_(1), more_{
    2} {
${repeat(70)}}
static int tiny() { return 1; }
template <typename T>
int long_one(std::array<int, 2> a,
             int b) {
${repeat(68)}}
struct Bar {
  int x{0};
  void method() const noexcept {
${repeat(69, '    if (x) { y(); }\n')}  }
};
const char* table[] = {
${repeat(90, '  "text }",\n')}};
}
`;
    expect(functionSpans(text, 'cpp').map(({ name, lines }) => [name, lines])).toEqual([
      ['Foo::Foo', 73],
      ['tiny', 1],
      ['long_one', 72],
      ['method', 71],
    ]);
    expect(says('native/io/a.cc', text)).toEqual(
      [
        '3: Foo::Foo has 73 lines, more than 70',
        '80: long_one has 72 lines, more than 70',
        '154: method has 71 lines, more than 70',
      ].map((line) => expect.stringMatching(line.replace(/^\d+/, '^\\d+'))),
    );
  });

  it('measures functions, methods and callbacks of TypeScript', () => {
    const text = `export function outer(a: { b: number }): { c: number } {
${repeat(69)}}
class Some extends Other {
  async method(): Promise<void> {
${repeat(70)}  }
  short(): void {}
}
const arrow = async (x: string): Promise<void> => {
${repeat(70)}};
const data = {
${repeat(90, '  a: 1,\n')}};
if (x) {
${repeat(90)}}
`;
    expect(says('src/a.ts', text)).toEqual([
      expect.stringContaining('outer has 71 lines'),
      expect.stringContaining('method has 72 lines'),
      expect.stringContaining('arrow has 72 lines'),
    ]);
  });

  it('counts the members of a describe, not the describe', () => {
    const text = `describe('x', () => {\n  it('y', () => {\n${repeat(70)}  });\n});\n`;
    expect(says('test/unit/a.test.ts', text)).toHaveLength(1);
    for (const call of ["describe('x', ", "describe.each(all)('x', ", 'forEachEngine(']) {
      const group = `${call}(engine) => {\n${repeat(100)}});\n`;
      expect(says('test/unit/a.test.ts', group), call).toEqual([]);
    }
  });

  it('is not led astray by braces in text', () => {
    expect(blank("a('}') /* { */ `${b('`{')}{` // {", 'ts').trim()).toBe('a(   )');
    expect(blank('x = /[/{]+/.test(y) / 2;', 'ts')).toBe('x =        .test(y) / 2;');
    expect(blank('<p a={b} /></p>{c}</p>', 'ts')).toBe('<p a={b} /></p>{c}</p>');
    expect(blank("R\"(})\" 1'000 '{'", 'cpp')).toBe("       1'000    ");
  });
});

describe('binding.gyp', () => {
  const gyp = "  x\n    # sources: begin\n    'native/a.cc',\n    # sources: end\n  y\n";

  it('finds dead, missing and doubled sources', () => {
    expect(compareGypSources(gyp, ['native/a.cc'])).toEqual([]);
    expect(compareGypSources(gyp, ['native/a.cc', 'native/b.cc'])).toHaveLength(1);
    expect(compareGypSources(gyp, [])).toHaveLength(1);
    expect(compareGypSources(gyp.replace(/( +'.*\n)/, '$1$1'), ['native/a.cc'])).toHaveLength(1);
  });

  it('rewrites the list in place', () => {
    const fixed = writeGypSources(gyp, ['native/b.cc', 'native/c.cc']);
    expect(readGypSources(fixed)).toEqual(['native/b.cc', 'native/c.cc']);
    expect(writeGypSources(fixed, ['native/a.cc'])).toBe(gyp);
  });
});
