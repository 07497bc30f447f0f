// The list of the addon's sources inside binding.gyp, between two markers. gyp would take a glob,
// but a list makes a forgotten or dead file visible in review.
const block = /^( *)# sources: begin\n([\s\S]*?)^ *# sources: end$/m;

export function readGypSources(gyp: string): string[] {
  const list = block.exec(gyp)?.[2] ?? '';
  return [...list.matchAll(/'([^']+)'/g)].map((match) => match[1] ?? '');
}

export function writeGypSources(gyp: string, sources: readonly string[]): string {
  return gyp.replace(block, (_, indent: string) => {
    const lines = sources.map((path) => `${indent}'${path}',\n`).join('');
    return `${indent}# sources: begin\n${lines}${indent}# sources: end`;
  });
}

// What is wrong with the list, given the files that exist.
export function compareGypSources(gyp: string, files: readonly string[]): string[] {
  const listed = readGypSources(gyp);
  const wrong = [
    ...files
      .filter((path) => !listed.includes(path))
      .map((path) => `${path}: not named in binding.gyp, so it is dead code`),
    ...listed
      .filter((path) => !files.includes(path))
      .map((path) => `binding.gyp: names ${path}, which does not exist`),
    ...listed
      .filter((path, index) => listed.indexOf(path) !== index)
      .map((path) => `binding.gyp: names ${path} twice`),
  ];
  return wrong.map((text) => `${text} (run \`npx tsx scripts/tidy.ts --fix-gyp\`)`);
}
