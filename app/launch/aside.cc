// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/launch/aside.hh"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tollgate::app {

void step_aside(const Config& config, int niceness) {
  cpu_set_t others;
  for (u32 cpu = 0; cpu < CPU_SETSIZE; ++cpu) CPU_SET(cpu, &others);
  for (const auto& core : config.cores) {
    if (core.cpu >= 0) CPU_CLR(static_cast<u32>(core.cpu), &others);
  }
  // Refused if there are no others: then it stays where it is.
  (void)::sched_setaffinity(0, sizeof others, &others);
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), niceness);
}

}  // namespace tollgate::app
