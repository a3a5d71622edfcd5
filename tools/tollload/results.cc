// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollload/results.hh"

#include <fmt/format.h>

#include <iterator>

namespace tollgate::tollload {
namespace {

constexpr u64 p50 = 500'000;
constexpr u64 p90 = 900'000;
constexpr u64 p99 = 990'000;
constexpr u64 p999 = 999'000;

// Microseconds with one digit behind the point.
std::string microseconds(u64 ns) {
  return fmt::format("{}.{}", ns / 1000, ns % 1000 / 100);
}

// "1 234 567"
std::string grouped(u64 number) {
  std::string digits = fmt::format("{}", number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ' ');
  return digits;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out + '"';
}

std::string codes_json(const Results& results) {
  std::string out;
  for (std::size_t code = 0; code < results.by_code.size(); ++code)
    if (results.by_code[code] != 0)
      out += fmt::format("{}\"{}\":{}", out.empty() ? "" : ",", code, results.by_code[code]);
  return "{" + out + "}";
}

std::string faults_json(const Results& results) {
  std::string out;
  for (std::size_t i = 1; i < answer_fault_count; ++i)
    if (results.by_fault[i] != 0)
      out += fmt::format("{}\"{}\":{}", out.empty() ? "" : ",",
                         text_of(static_cast<AnswerFault>(i)).name, results.by_fault[i]);
  return "{" + out + "}";
}

std::string types_json(const Results& results) {
  std::string out;
  for (std::size_t i = 1; i < results.sent_by_type.size(); ++i)
    out += fmt::format("{}\"{}\":{}", out.empty() ? "" : ",", name_of(static_cast<RequestType>(i)),
                       results.sent_by_type[i]);
  return "{" + out + "}";
}

std::string transport_json(const Results& results) {
  std::string out;
  for (const dataplane::CounterText& counter : dataplane::transport_counter_table)
    if (results.transport.*counter.count != 0)
      out += fmt::format("{}\"{}\":{}", out.empty() ? "" : ",", counter.name,
                         results.transport.*counter.count);
  return "{" + out + "}";
}

}  // namespace

u64 Results::answers_per_second() const {
  if (measured.ns <= 0) return 0;
  return static_cast<u64>(u128{measured_count} * 1'000'000'000 / static_cast<u64>(measured.ns));
}

u64 Results::ccr_bytes() const {
  if (update_bytes != 0) return update_bytes;
  return measured_sent_count == 0
             ? 0
             : (measured_sent_octets + measured_sent_count / 2) / measured_sent_count;
}

std::string to_json(const Results& results, const Options& options) {
  const Histogram& latency = results.latency_ns;
  const auto at = [&latency](u64 per_million) {
    return microseconds(latency.at_per_million(per_million));
  };
  std::string out = fmt::format(
      R"({{"sent":{},"answered":{},"lost":{},"wrong":{},"result_codes":{},)"
      R"("answers_per_second":{},"ccr_bytes":{},)"
      R"("latency_us":{{"p50":{},"p90":{},"p99":{},"p999":{},"max":{}}},)",
      results.sent_count, results.answered_count, results.lost_count, results.wrong_count,
      codes_json(results), results.answers_per_second(), results.ccr_bytes(), at(p50), at(p90),
      at(p99), at(p999), microseconds(latency.max()));
  out += fmt::format(
      R"("too_busy":{},"refused":{},"resent":{},"duplicates":{},"unsent":{},"late":{},)"
      R"("reconnects":{},)"
      R"("re_auth_requests":{},"abort_session_requests":{},"wrong_by_fault":{},)"
      R"("sent_by_type":{},)",
      results.too_busy_count, results.refused_count, results.resent_count, results.duplicate_count,
      results.unsent_count, results.late_count, results.reconnect_count, results.re_auth_count,
      results.abort_session_count, faults_json(results), types_json(results));
  out += fmt::format(
      R"("sent_octets":{},"received_octets":{},"measured_answers":{},"measured_ms":{},)"
      R"("scenario":{},"connections":{},"window":{},"rate":{},"subscribers":{},"sessions":{},)"
      R"("transport":{},"failure":{}}})",
      results.sent_octets, results.received_octets, results.measured_count,
      results.measured.whole_milliseconds(), quoted(options.scenario), options.connection_count,
      options.rate_per_second == 0 ? options.window_count : 0, options.rate_per_second,
      options.subscriber_count, options.session_count, transport_json(results),
      results.failure.empty() ? "null" : quoted(results.failure));
  return out + "\n";
}

std::string to_summary(const Results& results) {
  const Histogram& latency = results.latency_ns;
  const auto at = [&latency](u64 per_million) {
    return microseconds(latency.at_per_million(per_million));
  };
  std::string out =
      fmt::format("sent {}, answered {}, lost {}, wrong {}, too busy {}, refused {}\n",
                  grouped(results.sent_count), grouped(results.answered_count),
                  grouped(results.lost_count), grouped(results.wrong_count),
                  grouped(results.too_busy_count), grouped(results.refused_count));
  if (results.unsent_count != 0)
    out +=
        fmt::format("due by the rate, but not sent in time: {}\n", grouped(results.unsent_count));
  if (results.resent_count + results.duplicate_count + results.reconnect_count != 0)
    out += fmt::format("sent again {}, duplicates {}, connected again {}\n",
                       grouped(results.resent_count), grouped(results.duplicate_count),
                       grouped(results.reconnect_count));
  out += fmt::format("{} answers/s over {} ms; a request has {} octets\n",
                     grouped(results.answers_per_second()), results.measured.whole_milliseconds(),
                     results.ccr_bytes());
  out += fmt::format("latency in us: p50 {}, p90 {}, p99 {}, p99.9 {}, max {}\n", at(p50), at(p90),
                     at(p99), at(p999), microseconds(latency.max()));
  out += fmt::format("result codes {}\n", codes_json(results));
  for (std::size_t i = 1; i < answer_fault_count; ++i)
    if (results.by_fault[i] != 0)
      out += fmt::format("wrong {} times: {}\n", grouped(results.by_fault[i]),
                         text_of(static_cast<AnswerFault>(i)).sentence);
  if (!results.failure.empty()) out += fmt::format("ended early: {}\n", results.failure);
  return out;
}

std::string to_text(const Progress& progress, const Results& results) {
  const Histogram& latency = results.interval_latency_ns;
  const u64 rate = progress.interval.ns <= 0
                       ? 0
                       : static_cast<u64>(u128{progress.answered_in_interval} * 1'000'000'000 /
                                          static_cast<u64>(progress.interval.ns));
  return fmt::format(
      "{:4} s  {:<11} {:>10} answers/s  in flight {:>6}  wrong {}  lost {}  too busy {}  us: p50 "
      "{}  p99 {}  p99.9 {}\n",
      progress.since_start.whole_seconds(), progress.phase, grouped(rate), progress.in_flight_count,
      results.wrong_count, results.lost_count, results.too_busy_count,
      microseconds(latency.at_per_million(p50)), microseconds(latency.at_per_million(p99)),
      microseconds(latency.at_per_million(p999)));
}

}  // namespace tollgate::tollload
