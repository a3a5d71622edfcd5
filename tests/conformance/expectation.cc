// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tests/conformance/expectation.hh"

#include <fmt/format.h>

#include "diameter/avp_ids.hh"
#include "diameter/decode.hh"
#include "diameter/dictionary.hh"
#include "diameter/message_text.hh"

namespace tollgate::conformance {
namespace {

using diameter::Avp;
using diameter::AvpCursor;
using diameter::AvpId;
using diameter::AvpInfo;
using diameter::AvpStep;

std::vector<Octets> all_of(Bytes octets, const AvpId& id) {
  std::vector<Octets> found;
  AvpCursor cursor(octets);
  Avp avp;
  while (cursor.next(avp) == AvpStep::avp) {
    if (!avp.is(id)) continue;
    Octets& one = found.emplace_back(avp.whole().begin(), avp.whole().end());
    one.resize(diameter::padded(one.size()));
  }
  return found;
}

std::string shown(const Octets& avp) {
  AvpCursor cursor(avp);
  Avp first;
  return cursor.next(first) == AvpStep::avp ? to_text(first) : "something out of shape";
}

// The members that an expectation names, of a message or of a group.
class Members {
 public:
  explicit Members(Bytes octets) : octets_(octets) {}

  std::string compare(std::span<const std::string> words) {
    std::map<std::string, std::vector<Octets>> exact;
    for (const std::string& word : words) {
      std::string why;
      if (word[0] == '-') {
        why = all_of(octets_, find_id(word.substr(1))).empty()
                  ? ""
                  : fmt::format("{} is there", word.substr(1));
      } else if (const std::size_t tilde = word.find("~{"); tilde != std::string::npos) {
        why = compare_group(word.substr(0, tilde), word.substr(tilde + 2));
      } else if (word.find('=') != std::string::npos) {
        exact[word.substr(0, word.find_first_of("=/"))].push_back(read_avp(word).octets);
      } else if (all_of(octets_, find_id(word)).empty()) {
        why = fmt::format("{} is not there", word);
      }
      if (!why.empty()) return why;
    }
    for (const auto& [name, wanted] : exact) {
      const std::vector<Octets> got = all_of(octets_, find_id(name));
      if (got == wanted) continue;
      std::string text = fmt::format("{} is not as expected:", name);
      for (const Octets& one : got) text += " " + shown(one);
      return text + (got.empty() ? " it is not there" : "");
    }
    return {};
  }

 private:
  std::string compare_group(const std::string& name, const std::string& rest) {
    const AvpId id = find_id(name);
    const std::vector<Octets> groups = all_of(octets_, id);
    const std::size_t number = next_group_[name]++;
    if (number >= groups.size()) return fmt::format("there is no {} number {}", name, number + 1);
    const Words inside = split(std::string_view(rest).substr(0, rest.size() - 1));
    AvpCursor cursor(groups[number]);
    Avp group;
    if (cursor.next(group) != AvpStep::avp) return name + " is out of shape";
    const std::string why = Members(group.data()).compare(inside);
    return why.empty() ? "" : fmt::format("in {} number {}: {}", name, number + 1, why);
  }

  Bytes octets_;
  std::map<std::string, std::size_t> next_group_;
};

std::string members_fault(Bytes octets, u32 depth) {
  AvpCursor cursor(octets);
  Avp avp;
  for (;;) {
    const AvpStep step = cursor.next(avp);
    if (step == AvpStep::end) return {};
    if (step != AvpStep::avp) return "an AVP is out of shape";
    const AvpInfo* const info = diameter::find_avp(avp.code, avp.vendor);
    if (info == nullptr) return to_text(avp) + " is not in the dictionary";
    if (info->must_not_have_m && avp.is_mandatory()) return to_text(avp) + " must not have M";
    if (info->must_have_m && !avp.is_mandatory()) return to_text(avp) + " must have M";
    if ((avp.flags & 0x3f) != 0) return to_text(avp) + " has flags beside V and M";
    const diameter::DataSize size = diameter::data_size(info->id.type);
    if (size.is_exact && avp.data_bytes() != size.bytes) return to_text(avp) + " has a wrong size";
    // What it holds is what was sent wrong.
    if (info->id.type != diameter::AvpType::grouped || avp.is(diameter::avp::failed_avp)) continue;
    const std::string why = members_fault(avp.data(), depth + 1);
    if (!why.empty()) return why;
  }
}

// A request that could not be read is answered with what was found of it, so only a success must
// have all members.
std::string count_fault(Bytes octets, const diameter::MemberRules& rules) {
  Avp code;
  const bool is_success =
      find_first(octets, diameter::avp::result_code, code) && code.as_u32() / 1000 == 2;
  for (const diameter::MemberRule& rule : rules.members) {
    const AvpInfo* const info = diameter::find_avp(rule.code, rule.vendor);
    if (info == nullptr) continue;
    const std::size_t count = all_of(octets, info->id).size();
    if (count < rule.count_min && is_success) return fmt::format("{} is missing", info->name);
    if (count > rule.count_max) return fmt::format("{} is there {} times", info->name, count);
  }
  return {};
}

}  // namespace

std::string compare_message(Bytes message, std::span<const std::string> expected) {
  const diameter::Header header = diameter::read_header(message);
  const std::string name = command_text(header);
  if (expected.empty() || name != expected[0]) return "the message is a " + name;
  expected = expected.subspan(1);
  const Bytes octets = message.subspan(diameter::header_bytes);
  if (!header.is_request() && !expected.empty()) {
    Avp code;
    if (!find_first(octets, diameter::avp::result_code, code) || code.data_bytes() != 4)
      return "there is no Result-Code";
    if (std::to_string(code.as_u32()) != expected[0])
      return fmt::format("the Result-Code is {}", code.as_u32());
    expected = expected.subspan(1);
  }
  return Members(octets).compare(expected);
}

std::string grammar_fault(Bytes answer) {
  const diameter::Header header = diameter::read_header(answer);
  const Bytes octets = answer.subspan(diameter::header_bytes);
  std::string why = members_fault(octets, 1);
  if (!why.empty()) return why;
  const std::vector<Octets> sessions = all_of(octets, diameter::avp::session_id);
  if (!sessions.empty() && !std::equal(sessions[0].begin(), sessions[0].end(), octets.begin()))
    return "Session-Id is not the first";
  for (const AvpId* id :
       {&diameter::avp::result_code, &diameter::avp::origin_host, &diameter::avp::origin_realm}) {
    if (all_of(octets, *id).size() != 1)
      return fmt::format("{} is not there once", diameter::find_avp(id->code, id->vendor)->name);
  }
  if (header.is_error()) return {};
  return count_fault(octets, diameter::command_rules(static_cast<u32>(header.command), false));
}

}  // namespace tollgate::conformance
