#!/usr/bin/env node
// The process: everything is built and connected by the command that is asked for.
import { main } from './cli/program.ts';

process.exitCode = await main(process.argv.slice(2));
