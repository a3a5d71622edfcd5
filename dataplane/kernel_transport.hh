// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// KernelTransport: streams over the kernel's TCP sockets, for tools and tests. Not for the
// appliance: each poll is a system call or more.
#pragma once

#include <memory>
#include <string>

#include "dataplane/stream.hh"

namespace tollgate::dataplane {

struct KernelOptions {
  u32 stream_count_max = 1024;
  u32 input_bytes_per_stream = 64 * 1024;
  u32 output_bytes_per_stream = 256 * 1024;
  Duration close_linger = Duration::seconds(5);
  Duration wait_max{};  // how long an idle poll may sleep; zero: it returns at once
};

class KernelTransport final : public Transport {
 public:
  // Returns nothing and sets `error` to a sentence if it cannot be made. The handler must outlive
  // it.
  static std::unique_ptr<KernelTransport> create(const KernelOptions& options,
                                                 StreamHandler& handler, std::string& error);
  ~KernelTransport() override;

  [[nodiscard]] std::string listen(const Endpoint& local) override;
  [[nodiscard]] StreamId connect(const Endpoint& remote) override;
  [[nodiscard]] MutableBytes reserve(StreamId id, std::size_t size_bytes) override;
  void commit(StreamId id, std::size_t size_bytes) override;
  void flush() override;
  void resume(StreamId id) override;
  void close(StreamId id) override;
  void abort(StreamId id) override;
  std::size_t poll(Instant now) override;
  std::size_t stream_count() const override;
  const TransportCounters& counters() const override;

 private:
  struct Sockets;
  explicit KernelTransport(std::unique_ptr<Sockets> sockets);
  std::unique_ptr<Sockets> sockets_;
};

}  // namespace tollgate::dataplane
