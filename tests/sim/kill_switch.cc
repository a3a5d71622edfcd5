// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tests/sim/kill_switch.hh"

#include <csetjmp>
#include <csignal>
#include <cstdio>

#include <sys/mman.h>
#include <ucontext.h>

#include "base/check.hh"

extern "C" const char __executable_start;
extern "C" const char etext;

namespace tollgate::sim {
namespace {

constexpr greg_t trap_flag = 0x100;

enum class Phase : u8 { off, waiting, stepping };

struct State {
  volatile Phase phase = Phase::off;
  volatile u32 spared = 0;
  u8* page = nullptr;
  volatile u32 instructions = 0;
  sigjmp_buf out;
};
State state;

void unprotect() {
  const int failed = ::mprotect(state.page, page_bytes, PROT_READ | PROT_WRITE);
  check(failed == 0, "a page of ours can be made writable");
}

void on_write(int, siginfo_t* info, void* context) {
  const auto* at = static_cast<u8*>(info->si_addr);
  if (state.phase != Phase::waiting || at < state.page || at >= state.page + page_bytes) {
    const auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    std::fprintf(
        stderr, "a fault at %p, instruction at %p of the program\n", info->si_addr,
        reinterpret_cast<void*>(registers[REG_RIP] - reinterpret_cast<i64>(&__executable_start)));
    std::signal(SIGSEGV, SIG_DFL);  // comes again at once, and ends the process
    return;
  }
  unprotect();
  state.phase = Phase::stepping;
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] |= trap_flag;
}

void on_step(int, siginfo_t*, void* context) {
  auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  if (state.phase != Phase::stepping) {
    registers[REG_EFL] &= ~trap_flag;
    return;
  }
  if (state.instructions > 0) state.instructions = state.instructions - 1;
  const auto* at = reinterpret_cast<const char*>(registers[REG_RIP]);
  const bool is_ours = at >= &__executable_start && at < &etext;
  if (state.instructions == 0 && is_ours && state.spared == 0) siglongjmp(state.out, 1);
}

void set_handler(int signal, void (*handler)(int, siginfo_t*, void*)) {
  struct sigaction action {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO;
  const int failed = ::sigaction(signal, &action, nullptr);
  check(failed == 0, "a handler for the kill switch");
}

}  // namespace

bool KillSwitch::run(const Aim& aim, const std::function<void()>& piece) {
  check(state.phase == Phase::off, "one piece is killed at a time");
  set_handler(SIGSEGV, on_write);
  set_handler(SIGTRAP, on_step);
  state.page = aim.page;
  state.instructions = aim.instructions;
  if (sigsetjmp(state.out, 1) != 0) {
    state.phase = Phase::off;
    return true;
  }
  state.phase = Phase::waiting;
  const int failed = ::mprotect(state.page, page_bytes, PROT_READ);
  check(failed == 0, "a page of ours can be made unwritable");
  piece();
  state.phase = Phase::off;
  unprotect();
  return false;
}

Spared::Spared() {
  state.spared = state.spared + 1;
}
Spared::~Spared() {
  state.spared = state.spared - 1;
}

}  // namespace tollgate::sim
