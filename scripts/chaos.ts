// Mixed load with edits, good and bad on both sides, and then the books: `npm run chaos`.
//   --minutes 10       in all, shared by the engines
//   --seconds 20       the same in seconds
//   --engine NAME      io_uring or epoll only
//   --seed N           what is chosen; printed otherwise
import { parseArgs } from 'node:util';
import { runChaos } from '../test/chaos/run.ts';
import { engines } from '../test/fixtures/scene.ts';
import { Failure, main, run, tool } from './lib/run.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    seconds: { type: 'string' },
    engine: { type: 'string' },
    seed: { type: 'string' },
  },
});

function number(text: string, name: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Failure(`--${name} ${text} is no positive number`);
  return value;
}

await main(async () => {
  const { minutes = '10', seconds, seed: chosen, engine: only } = values;
  const total =
    seconds === undefined ? number(minutes, 'minutes') * 60 : number(seconds, 'seconds');
  const seed = chosen === undefined ? (Date.now() >>> 0) % 1_000_000 : number(chosen, 'seed');
  const on = engines.filter((engine) => only === undefined || engine === only);
  if (on.length === 0) throw new Failure(`no engine ${only}`);
  run(tool('tsx'), ['scripts/build.ts']);
  for (const engine of on) {
    const each = total / on.length;
    console.log(`${engine}: ${each} s, --seed ${seed}`);
    const { complaints, rounds, edits, sums } = await runChaos(engine, each, seed);
    console.log(`${engine}: ${edits} edits, rounds ${JSON.stringify(rounds)}`);
    console.log(`${engine}: ${JSON.stringify(sums)}`);
    for (const complaint of complaints) console.error(`${engine}: ${complaint}`);
    console.log(`${engine}: ${complaints.length === 0 ? 'adds up' : 'DOES NOT ADD UP'}`);
    if (complaints.length > 0) process.exitCode = 1;
  }
});
// Node's orderly end can spin for two minutes on a request of one of the many sockets that were
// broken off; nothing is left to be done.
process.exit();
