// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Files, number plans, services and the words of them; tests and settings are in
// normalise_parser_rule.cc.

#include "rating/normalise_parser.hh"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "rating/parser.hh"
#include "rating/services.hh"

namespace tollgate::rating {
namespace {

bool are_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

template <class Number>
bool read(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.begin(), text.end(), number);
  return error == std::errc{} && end == text.end();
}

}  // namespace

// ---- tokens

bool NormaliseParser::accept(std::string_view word) {
  if (!peek().is_word(word)) return false;
  next();
  return true;
}

bool NormaliseParser::accept_symbol(char symbol) {
  if (!peek().is_symbol(symbol)) return false;
  next();
  return true;
}

bool NormaliseParser::fail(std::string_view expected, std::string hint) {
  report_.add(peek().at, fmt::format("found {}, expected {}", describe(peek()), expected),
              std::move(hint));
  return false;
}

void NormaliseParser::skip_newlines() {
  while (peek().kind == Token::Kind::newline || peek().is_symbol(';')) next();
}

// To the end of a statement that could not be read, its block included.
void NormaliseParser::recover() {
  u32 depth = 0;
  while (peek().kind != Token::Kind::end) {
    if (depth == 0 && peek().ends_statement()) return;
    if (peek().is_symbol('{')) ++depth;
    if (peek().is_symbol('}')) --depth;
    next();
  }
}

bool NormaliseParser::text(std::string& result, std::string_view what) {
  if (peek().kind != Token::Kind::text) return fail(what, "texts stand in quotes");
  result = next().text;
  return true;
}

bool NormaliseParser::texts(std::vector<std::string>& result, std::string_view what) {
  do {
    skip_newlines();
    if (!text(result.emplace_back(), what)) return false;
  } while (accept_symbol(','));
  return true;
}

bool NormaliseParser::digits(std::string& result, std::string_view what) {
  if (!text(result, what)) return false;
  if (are_digits(result)) return true;
  report_.add(tokens_[at_ - 1].at, fmt::format("found \"{}\", expected {}", result, what),
              "only digits, without + and blanks");
  return false;
}

bool NormaliseParser::number(u64& result, std::string_view what) {
  if (peek().kind != Token::Kind::number || !read(peek().text, result)) return fail(what);
  next();
  return true;
}

// ---- files

void NormaliseParser::parse_file() {
  for (skip_newlines(); peek().kind != Token::Kind::end; skip_newlines()) {
    if (!file_statement()) {
      recover();
      if (peek().is_symbol('}')) next();
    }
  }
}

bool NormaliseParser::file_statement() {
  if (accept("language")) {
    u64 version = 0;
    if (!number(version, "the number of the language, 1")) return false;
    if (version == 1) return true;
    report_.add(tokens_[at_ - 1].at, "this program knows language 1");
    return false;
  }
  if (accept("numbers")) return numbers();
  if (accept("service")) return service();
  if (accept("example")) return example();
  constexpr std::array<std::string_view, 4> words = {"language", "numbers", "service", "example"};
  return fail("one of language, numbers, service, example",
              peek().kind == Token::Kind::word ? rating::nearest(peek().text, words) : "");
}

// ---- numbers

bool NormaliseParser::numbers() {
  if (syntax_.plan.is_there) {
    report_.add(tokens_[at_ - 1].at, "the number plan is stated twice",
                "first in " + report_.line_of(syntax_.plan.at));
    return false;
  }
  syntax_.plan.is_there = true;
  syntax_.plan.at = tokens_[at_ - 1].at;
  return block([this] { return numbers_statement(); });
}

bool NormaliseParser::numbers_statement() {
  NumberPlanText& plan = syntax_.plan;
  if (accept("country")) return digits(plan.country, "a country code, like \"46\"");
  if (accept("national")) return texts(plan.national, "a prefix, like \"0\"");
  if (accept("international")) return texts(plan.international, "a prefix, like \"00\"");
  if (accept("short")) return number_pairs(plan.shorts);
  if (accept("ported")) {
    if (!accept("from")) return number_pairs(plan.ported);
    const Place at = peek().at;
    std::vector<std::string> names;
    if (!texts(names, "a file of numbers, like \"ported.csv\"")) return false;
    for (std::string& name : names) plan.ported_files.push_back({at, std::move(name)});
    return true;
  }
  if (accept("calling")) return accept("from") ? fields(plan.calling_from) : fail("from");
  if (accept("called")) return accept("from") ? fields(plan.called_from) : fail("from");
  return fail("one of country, national, international, short, ported, calling, called");
}

bool NormaliseParser::number_pairs(std::vector<NumberPair>& pairs) {
  do {
    skip_newlines();
    NumberPair& pair = pairs.emplace_back();
    pair.at = peek().at;
    if (!digits(pair.from, "digits")) return false;
    if (!accept("to")) return fail("to", "short \"112\" to \"46112\"");
    if (!digits(pair.to, "digits")) return false;
  } while (accept_symbol(','));
  return true;
}

bool NormaliseParser::fields(std::vector<FieldText>& result) {
  do {
    skip_newlines();
    if (!field(result.emplace_back())) return false;
    if (result.back().source == FieldSource::avp) continue;
    report_.add(result.back().at, "a number is taken from an AVP", "write avp \"...\"");
    return false;
  } while (accept_symbol(','));
  return true;
}

// ---- services

bool NormaliseParser::service() {
  NormaliseServiceText service;
  service.at = tokens_[at_ - 1].at;
  if (!contexts(service)) return false;
  syntax_.services.push_back(std::move(service));
  const std::size_t index = syntax_.services.size() - 1;
  return block([&] { return service_statement(syntax_.services[index]); });
}

bool NormaliseParser::contexts(NormaliseServiceText& service) {
  if (accept("any")) return true;
  do {
    skip_newlines();
    const Token& token = peek();
    if (token.kind != Token::Kind::word && token.kind != Token::Kind::text) {
      return fail("a service: data, voice, sms, mms, any, or a Service-Context-Id in quotes");
    }
    if (token.kind == Token::Kind::word && find_named_service(token.text) == nullptr) {
      return fail("a service: data, voice, sms, mms, any, or a Service-Context-Id in quotes");
    }
    for (const u64 context : contexts_of(next().text)) service.contexts.push_back(context);
  } while (accept_symbol(','));
  return true;
}

bool NormaliseParser::service_statement(NormaliseServiceText& service) {
  if (accept("otherwise")) {
    service.passes = accept("pass");
    return service.passes || accept("refuse") || fail("pass or refuse");
  }
  if (accept("rule")) return rule(service);
  return fail("one of rule, otherwise");
}

bool NormaliseParser::rule(NormaliseServiceText& service) {
  NormaliseRuleText& rule = service.rules.emplace_back();
  rule.at = tokens_[at_ - 1].at;
  if (!text(rule.name, "the rule's name")) return false;
  return block([&] { return rule_statement(rule); });
}

bool NormaliseParser::rule_statement(NormaliseRuleText& rule) {
  if (accept("when")) return test(rule);
  if (accept("set")) return setting(rule);
  return fail("one of when, set");
}

// ---- fields

bool NormaliseParser::field(FieldText& result) {
  result.at = peek().at;
  if (accept("calling")) {
    result.source = FieldSource::calling;
  } else if (accept("called")) {
    result.source = FieldSource::called;
  } else if (accept("rating-group")) {
    result.source = FieldSource::rating_group;
    result.form = FieldForm::number;
  } else if (accept("identifier")) {
    result.source = FieldSource::identifier;
    result.form = FieldForm::number;
  } else if (accept("avp")) {
    if (!path(result.path, result.form)) return false;
    if (accept("as")) return form(result.form);
  } else {
    return fail("one of avp, calling, called, rating-group, identifier");
  }
  return true;
}

bool NormaliseParser::form(FieldForm& result) {
  constexpr std::array<std::string_view, form_count> names = {"text", "number", "address", "plmn",
                                                              "hex"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!accept(names[i])) continue;
    result = static_cast<FieldForm>(i);
    return true;
  }
  return fail("one of text, number, address, plmn, hex");
}

// "Service-Information/PS-Information/10415:21": names of the dictionary, or vendor:code.
bool NormaliseParser::path(std::vector<AvpStep>& steps, FieldForm& form) {
  const Place at = peek().at;
  std::string whole;
  if (!text(whole, "a path of AVPs, like \"Service-Information/PS-Information\"")) return false;
  std::string_view rest = whole;
  for (;;) {
    const std::size_t slash = rest.find('/');
    const std::string_view name = rest.substr(0, slash);
    const std::size_t colon = name.find(':');
    AvpName found;
    const bool is_number = colon != std::string_view::npos &&
                           read(name.substr(0, colon), found.id.vendor) &&
                           read(name.substr(colon + 1), found.id.code);
    const AvpPlace place = slash == std::string_view::npos ? AvpPlace::last : AvpPlace::group;
    if (!is_number && !names_.find(name, place, found)) {
      const std::string near = names_.nearest(name);
      report_.add(at, fmt::format("no AVP is named \"{}\"", name),
                  near.empty() ? "of an unknown vendor write its numbers: \"9999:12\""
                               : fmt::format("did you mean \"{}\"?", near));
      return false;
    }
    steps.push_back(found.id);
    form = found.form;
    if (slash == std::string_view::npos) return true;
    rest.remove_prefix(slash + 1);
  }
}

bool parse_address_range(std::string_view text, AddressRange& range) {
  const std::size_t slash = text.find('/');
  const std::string host(text.substr(0, slash));
  std::array<u8, 16> octets{};
  u32 bits_max = 128;
  if (host.find(':') == std::string::npos) {
    octets[10] = octets[11] = 0xff;
    if (::inet_pton(AF_INET, host.c_str(), &octets[12]) != 1) return false;
    bits_max = 32;
  } else if (::inet_pton(AF_INET6, host.c_str(), octets.data()) != 1) {
    return false;
  }
  u32 bits = bits_max;
  if (slash != std::string_view::npos && !read(text.substr(slash + 1), bits)) return false;
  if (bits > bits_max) return false;
  u128 address = 0;
  for (const u8 octet : octets) address = address << 8 | octet;
  const u32 free_bits = bits_max - bits;
  const u128 mask = free_bits == 128 ? ~u128{0} : (u128{1} << free_bits) - 1;
  range = {address & ~mask, address | mask};
  return true;
}

}  // namespace tollgate::rating
