// `sluice doctor`: what of this system helps or hinders, and the line that changes it.
import type { AdminOptions } from './admin-client.ts';
import { checkConfigFile } from './config-file.ts';
import { readFacts } from './doctor-facts.ts';
import { type Finding, findingsOf } from './doctor-findings.ts';
import { exitCodes } from './failure.ts';
import type { OutputOptions } from './output.ts';
import { printable } from './table.ts';
import { paint, type Terminal } from './terminal.ts';

export interface DoctorOptions extends AdminOptions, OutputOptions {
  readonly config?: string;
}

const styles = { ok: 'green', warn: 'yellow', fail: 'red' } as const;

function linesOf({ check, status, found, means, fix }: Finding, terminal: Terminal): string[] {
  const indent = ' '.repeat(6);
  return [
    `${paint(terminal, styles[status], status.padEnd(4))}  ${check}: ${printable(found)}`,
    ...(means === undefined ? [] : [`${indent}${printable(means)}`]),
    ...(fix === undefined ? [] : [`${indent}fix: ${printable(fix)}`]),
  ];
}

function summary(findings: readonly Finding[]): string {
  const count = (status: Finding['status']): number =>
    findings.filter((finding) => finding.status === status).length;
  if (count('warn') + count('fail') === 0) return 'all is well';
  return `${count('fail')} do not work, ${count('warn')} could be better, ${count('ok')} are well`;
}

// Exit code 1 when something that is wanted does not work. Throws what `checkConfigFile` throws.
export async function doctor(options: DoctorOptions, terminal: Terminal): Promise<number> {
  const { config, output } = options;
  const model = config === undefined ? undefined : await checkConfigFile(config);
  const findings = findingsOf(await readFacts(model, options));
  const failed = findings.some(({ status }) => status === 'fail');
  if (output === 'json') {
    terminal.write(`${JSON.stringify({ ok: !failed, findings }, null, 2)}\n`);
  } else {
    const lines = findings.flatMap((finding) => linesOf(finding, terminal));
    terminal.write(`${[...lines, '', summary(findings)].join('\n')}\n`);
  }
  return failed ? exitCodes.failed : exitCodes.ok;
}
