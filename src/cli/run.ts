// `sluice run`: a balancer from a file, until a signal ends it.
import { type Config, loadConfigFile } from '../config/load.ts';
import { reasonOf } from '../errors.ts';
import { createLoadBalancer, type LoadBalancer } from '../index.ts';
import { createLogger, type Logger } from '../log.ts';
import { exitCodes } from './failure.ts';
import { type Overrides, withOverrides } from './overrides.ts';
