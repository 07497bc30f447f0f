#pragma once

namespace sluice::proxy_sim {

// A day of virtual time: idle and slow connections under short and long timeouts. The exit code.
int run_day();

}  // namespace sluice::proxy_sim
