// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollctl/trace.hh"

#include <fmt/format.h>

#include <charconv>
#include <vector>

#include "diameter/message_text.hh"
#include "tools/tollctl/print.hh"

namespace tollgate::tollctl {
namespace {

// Reads what control writes: pairs of hexadecimal digits.
std::vector<u8> octets_of(const std::string& hex) {
  std::vector<u8> octets(hex.size() / 2);
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const char* const at = hex.data() + 2 * i;
    std::from_chars(at, at + 2, octets[i], 16);
  }
  return octets;
}

std::string moved_text(const Json& bucket) {
  std::string text;
  for (const char* what : {"put_in", "taken_out", "debited", "refunded", "reserved", "released"}) {
    const auto found = bucket.find(what);
    if (found == bucket.end()) continue;
    text += fmt::format("{} {} {}", text.empty() ? "" : ",", what, plain(*found));
  }
  return fmt::format("bucket {}{} {}: balance {} -> {}, reserved {} -> {}", plain(bucket["bucket"]),
                     text, plain(bucket["unit"]), plain(bucket["before"]["balance"]),
                     plain(bucket["after"]["balance"]), plain(bucket["before"]["reserved"]),
                     plain(bucket["after"]["reserved"]));
}

// What it was for, unless it was a request, whose message stands before it.
std::string cause_text(const Json& record) {
  const std::string cause = record.value("cause", "request");
  if (cause == "request") return {};
  if (cause == "command") return "command " + record.value("command", "unknown") + ", ";
  if (cause == "timer") return "session ended by its timer, ";
  if (cause == "restart") return "session ended, its client has restarted, ";
  return "session ended, its client does not know it, ";
}

std::string effects_text(const Json& record) {
  std::string text = "ledger: " + cause_text(record) + plain(record["outcome"]);
  if (record.value("repeated", false)) text += " (the stored answer again)";
  for (const Json& service : record["services"]) {
    text += "; ";
    if (service.contains("rating_group")) {
      text += fmt::format("rating group {} ", plain(service["rating_group"]));
    }
    text += service.contains("granted")
                ? fmt::format("granted {} {}", plain(service["granted"]), plain(service["unit"]))
                : plain(service["outcome"]);
  }
  for (const Json& bucket : record["buckets"]) text += "; " + moved_text(bucket);
  return text;
}

dataplane::Endpoint endpoint_of(const Json& text) {
  dataplane::Endpoint endpoint;
  (void)dataplane::parse(text.get<std::string>(), 0, endpoint);
  return endpoint;
}

}  // namespace

TraceView::TraceView(const std::string& pcap_path)
    : pcap_(pcap_path.empty() ? nullptr : std::make_unique<PcapFile>(pcap_path)) {}

std::string TraceView::show(Json& record) {
  if (!record.contains("kind")) return {};
  const std::string at = plain(record["at"]);
  if (record["kind"] == "effects") return fmt::format("{}  {}\n", at, effects_text(record));
  const bool is_sent = record["kind"] == "sent";
  const std::vector<u8> octets = octets_of(record["octets"].get<std::string>());
  if (octets.size() < diameter::header_bytes) return {};
  record["text"] = diameter::message_text(octets);
  const Json& from = record[is_sent ? "local" : "remote"];
  const Json& to = record[is_sent ? "remote" : "local"];
  if (pcap_ != nullptr) {
    pcap_->write({.at = {record["at_ns"].get<i64>()},
                  .from = endpoint_of(from),
                  .to = endpoint_of(to),
                  .octets = octets,
                  .whole_bytes = record["whole_bytes"].get<u64>()});
  }
  return fmt::format("{}  {} > {}  {}\n", at, plain(from), plain(to), plain(record["text"]));
}

std::string trace_end_text(const Json& result) {
  return fmt::format("{} messages, {} effects, {} dropped: ended by {}\n",
                     plain(result["messages"]), plain(result["effects"]), plain(result["dropped"]),
                     plain(result["ended"]));
}

}  // namespace tollgate::tollctl
