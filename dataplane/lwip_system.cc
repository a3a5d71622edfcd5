// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include "dataplane/lwip_system.hh"

#include <sys/random.h>

#include <cstring>

#include "base/check.hh"
#include "base/hash.hh"
#include "lwip/sys.h"
#include "tollgate_hooks.h"

namespace tollgate::dataplane {

namespace {

// lwIP's time begins at 1 ms with the first turn: a clock that jumped when it is already counting
// would leave its timers waiting for weeks.
constexpr u32 first_ms = 1;
Instant first_turn_at_;
u32 now_ms_ = first_ms;
u64 now_us_ = 0;
u64 random_state_ = 0;
u64 isn_secret_ = 0;

}  // namespace

void set_lwip_time(Instant now) {
  if (first_turn_at_ == Instant{}) first_turn_at_ = now;
  now_ms_ = first_ms + static_cast<u32>((now - first_turn_at_).ns / 1'000'000);
  now_us_ = static_cast<u64>(now.ns / 1'000);
}

u32 lwip_now_ms() {
  return now_ms_;
}

void seed_lwip() {
  u64 seeds[2] = {};
  const ssize_t count = getrandom(seeds, sizeof seeds, 0);
  check(count == sizeof seeds, "the kernel gives random numbers");
  random_state_ = seeds[0];
  isn_secret_ = seeds[1];
}

u64 lwip_random() {
  random_state_ += 0x9e3779b97f4a7c15ULL;
  return mix64(random_state_);
}

}  // namespace tollgate::dataplane

using namespace tollgate;
using namespace tollgate::dataplane;

extern "C" {

u32_t sys_now(void) {
  return now_ms_;
}

uint32_t tollgate_lwip_random(void) {
  return static_cast<u32>(lwip_random() >> 32);
}

// The sum of RFC 1071 in 64-bit steps; the byte order does not matter to it (RFC 1071, 2 B).
uint16_t tollgate_lwip_checksum(const void* data, int length) {
  const u8* at = static_cast<const u8*>(data);
  u64 sum = 0;
  int left = length;
  for (; left >= 32; left -= 32, at += 32) {
    u32 words[8];
    std::memcpy(words, at, sizeof words);
    for (u32 word : words) sum += word;
  }
  for (; left >= 2; left -= 2, at += 2) {
    u16 word = 0;
    std::memcpy(&word, at, sizeof word);
    sum += word;
  }
  if (left == 1) sum += *at;
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<u16>(sum);
}

void tollgate_lwip_assert_failed(const char* what, const char*, int) {
  check_failed(what, SourcePlace::current());
}

// RFC 6528: a clock of 4 us and a keyed hash of the four numbers of the connection.
u32_t tollgate_lwip_tcp_isn(const ip_addr_t* local_ip, u16_t local_port, const ip_addr_t* remote_ip,
                            u16_t remote_port) {
  struct {
    u32 local_address[4];
    u32 remote_address[4];
    u16 ports[2];
    u32 kind;
  } key{};
  std::memcpy(key.local_address, ip_2_ip6(local_ip)->addr, IP_IS_V6(local_ip) ? 16 : 4);
  std::memcpy(key.remote_address, ip_2_ip6(remote_ip)->addr, IP_IS_V6(remote_ip) ? 16 : 4);
  key.ports[0] = local_port;
  key.ports[1] = remote_port;
  key.kind = IP_GET_TYPE(remote_ip);
  const Bytes bytes{reinterpret_cast<const u8*>(&key), sizeof key};
  return static_cast<u32>(hash64(bytes, isn_secret_) + (now_us_ >> 2));
}

}  // extern "C"
