#pragma once

namespace sluice::proxy_sim {

// A day of virtual time: idle and slow connections under short and long timeouts. The exit code.
// `binary`: the program, for the command that replays a failure.
int run_day(const char* binary);

}  // namespace sluice::proxy_sim
